"""What headers of text share: numbers, sizes and directions, parsed strictly."""

import math

import numpy as np

from model.volumes.volume import VolumeError, VolumeReason


def set_once(fields: dict[str, str], name: str, value: str) -> None:
    """Note a field; raises VolumeError UNREADABLE where it was stated before, and differently."""
    if fields.setdefault(name, value) != value:
        raise VolumeError(VolumeReason.UNREADABLE, "the header states one field twice, differently")


def numbers(text: str, count: int, what: str) -> np.ndarray:
    """Exactly `count` finite numbers; raises VolumeError UNREADABLE naming the field."""
    try:
        values = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        values = []
    if "_" in text or not text.isascii():
        values = []  # Python reads "1_0" as ten
    if len(values) != count or not all(map(math.isfinite, values)):
        raise VolumeError(VolumeReason.UNREADABLE, f"{what}: {count} numbers are expected")
    return np.array(values)


def sizes(text: str, what: str) -> tuple[int, int, int]:
    """Three sizes, fastest first; raises VolumeError PIXEL_FORMAT otherwise."""
    parts = text.split() if text.isascii() else []  # "²" is a digit to Python
    if len(parts) != 3 or not all(part.isdigit() and 0 < int(part) <= 1 << 15 for part in parts):
        raise VolumeError(VolumeReason.PIXEL_FORMAT, f"{what}: three sizes are expected")
    i, j, k = map(int, parts)
    return i, j, k


def directions(text: str, what: str) -> np.ndarray:
    """Nine numbers as three rows; raises VolumeError ORIENTATION unless they are a rotation.

    Readers disagree on axes of another length: some normalise them, some take them for spacing.
    """
    rows = numbers(text, 9, what).reshape(3, 3)
    if np.abs(rows @ rows.T - np.eye(3)).max() > 0.01:
        raise VolumeError(
            VolumeReason.ORIENTATION, f"{what}: axes of unit length at right angles are expected"
        )
    return rows
