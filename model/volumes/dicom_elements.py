"""A DICOM data set's elements as text and numbers: no value is trusted, none is ever printed."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag


class Elements:
    """A data set whose values convert without raising and without warnings that quote them."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._raw: dict[int, Any] = dict(dataset.items())

    def __contains__(self, tag: int) -> bool:
        return tag in self._raw

    def text(self, tag: int) -> str:
        """The value without padding, or an empty string."""
        value = getattr(self._raw.get(tag), "value", None)
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape").strip(" \0")
        if isinstance(value, Sequence) and not isinstance(value, str):
            return "\\".join(map(str, value))
        return "" if value is None else str(value).strip()

    def texts(self, tag: int) -> tuple[str, ...]:
        """The values of a multi-valued text."""
        text = self.text(tag)
        return tuple(part.strip() for part in text.split("\\")) if text else ()

    def numbers(self, tag: int, count: int) -> tuple[float, ...] | None:
        """Exactly `count` finite numbers of a decimal string (or binary floats), else None."""
        raw = self._raw.get(tag)
        value = getattr(raw, "value", None)
        parts: list[Any]
        if isinstance(value, bytes) and raw is not None and raw.VR in ("FD", "FL"):
            size = 8 if raw.VR == "FD" else 4
            order = f"{'<' if raw.is_little_endian else '>'}f{size}"
            parts = np.frombuffer(value, order).tolist() if len(value) % size == 0 else []
        else:
            parts = list(self.texts(tag))
        if len(parts) != count or any(isinstance(part, str) and "_" in part for part in parts):
            return None  # Python reads "1_0" as ten
        try:
            numbers = tuple(float(part) for part in parts)
        except ValueError:
            return None
        return numbers if all(map(math.isfinite, numbers)) else None

    def number(self, tag: int) -> float | None:
        """One finite number, else None."""
        numbers = self.numbers(tag, 1)
        return numbers[0] if numbers else None

    def integer(self, tag: int, *, signed: bool = False) -> int | None:
        """A binary 16-bit integer (US, SS), or one written out, else None."""
        raw = self._raw.get(tag)
        value = getattr(raw, "value", None)
        if raw is not None and isinstance(value, bytes) and len(value) == 2:
            return int.from_bytes(value, "little" if raw.is_little_endian else "big", signed=signed)
        try:
            number = int(self.text(tag))
        except ValueError:
            return None
        return number - 65536 if signed and number > 32767 else number

    def items(self, tag: int) -> list["Elements"]:
        """The items of a sequence; none when it is absent."""
        if tag not in self._raw:
            return []
        value = self._dataset[BaseTag(tag)].value
        return [Elements(item) for item in value] if isinstance(value, pydicom.Sequence) else []


def vendor_of(manufacturer: str) -> str:
    """One of the large makers' names, "other" for any other text, or empty.

    >>> vendor_of("GE MEDICAL SYSTEMS"), vendor_of("TOSHIBA"), vendor_of("")
    ('ge', 'canon', '')
    """
    lower = manufacturer.lower()
    for name, vendor in _VENDORS.items():
        if lower.startswith(name):
            return vendor
    return "other" if lower else ""


_VENDORS = {
    "ge": "ge",
    "siemens": "siemens",
    "philips": "philips",
    "toshiba": "canon",
    "canon": "canon",
    "fujifilm": "fujifilm",
    "hitachi": "fujifilm",
    "neusoft": "neusoft",
    "united imaging": "united imaging",
    "uih": "united imaging",
}


def date_of(text: str) -> str:
    """YYYYMMDD, or empty for anything else."""
    return text if len(text) == 8 and text.isascii() and text.isdigit() else ""


def time_of(text: str) -> str:
    """HHMMSS of a time (PS3.5 6.2, TM), or empty where it says less.

    >>> time_of("083015.25"), time_of("0830"), time_of("250000")
    ('083015', '', '')
    """
    found = re.match(r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?![^.])", text, re.ASCII)
    return found[0] if found else ""


def seconds_of(text: str) -> float | None:
    """Seconds since midnight of a time (PS3.5 6.2, TM).

    >>> seconds_of("010203.5"), seconds_of("1"), seconds_of("")
    (3723.5, None, None)
    """
    if not re.fullmatch(r"\d{6}(\.\d{1,6})?", text, re.ASCII):
        return None
    return 3600 * int(text[:2]) + 60 * int(text[2:4]) + float(text[4:])


def age_years_of(text: str) -> int | None:
    """Whole years of an age string (PS3.5 6.2, AS).

    >>> age_years_of("064Y"), age_years_of("030M"), age_years_of("64")
    (64, 2, None)
    """
    days = {"Y": 365.25, "M": 30.44, "W": 7.0, "D": 1.0}
    if len(text) == 4 and text[:3].isascii() and text[:3].isdigit() and text[3] in days:
        return int(int(text[:3]) * days[text[3]] / 365.25)
    return None


def contrast_of(agent: tuple[str, ...]) -> bool | None:
    """Whether an agent is named; None where the header is silent."""
    if not agent or not agent[0]:
        return None
    return agent[0].upper() not in {"NONE", "NO", "N", "WITHOUT"}
