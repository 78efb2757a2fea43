"""What a mention's sentence says beside its context: measurements, side, lobe, severity, count."""

import re
from typing import NamedTuple

_UNIT_MM = {"mm": 1.0, "cm": 10.0}
_MEASUREMENT = re.compile(
    r"(?<![\w.])(\d{1,4}(?:[.,]\d{1,3})?)"
    r"((?:\s{0,2}(?:mm|cm)?\s{0,2}[x\u00d7*]\s{0,2}\d{1,4}(?:[.,]\d{1,3})?){0,2})"
    r"\s{0,2}-?(mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b"
)
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")
_LARGEST_MM = 600.0


class Measurement(NamedTuple):
    """One measurement: where it stands and its diameters in mm, as written."""

    start: int
    end: int
    diameters_mm: tuple[float, ...]


def measurements(lowered: str) -> list[Measurement]:
    """All measurements of a sentence with a unit of length.

    >>> [m.diameters_mm for m in measurements("a nodule of 13x9.3 mm and one of 1,2 cm")]
    [(13.0, 9.3), (12.0,)]
    """
    found = []
    for match in _MEASUREMENT.finditer(lowered):
        unit = _UNIT_MM["cm" if match[3].startswith("c") else "mm"]
        numbers = _NUMBER.findall(match[1] + " " + match[2])
        diameters = tuple(round(float(n.replace(",", ".")) * unit, 2) for n in numbers)
        if max(diameters) <= _LARGEST_MM:
            found.append(Measurement(match.start(), match.end(), diameters))
    return found
