"""The pictures of a report: the volume as small grey slices, and the evidence as coarse maps.

A slice is an 8-bit JPEG of *levels*: HU squeezed by a piecewise-linear curve that spends most
levels on soft tissue. The page turns them back into HU, so one set serves every window.
"""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.volumes import Volume

CURVE_HU = (-1024, -1000, -160, 240, 600, 1500, 3071)
CURVE_LEVEL = (0, 4, 92, 200, 228, 248, 255)
_LEVEL_OF_HU = np.interp(np.arange(-1024, 3072), CURVE_HU, CURVE_LEVEL).round().astype(np.uint8)

BUDGET_BYTES = 9_500_000  # of JPEG; base64 makes a third more of it
MOST_SLICES = 320
_QUALITIES = ((512, 90), (448, 90), (384, 88), (384, 80), (320, 80), (256, 80), (192, 75))
_LARGEST_MAP = 40


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Axial slices from feet to head as JPEG levels, with their geometry."""

    jpegs: tuple[bytes, ...]
    shape_zyx: tuple[int, int, int]
    affine_lps: NDArray[np.float64]
    indices: NDArray[np.int_]
    """Of the volume's slices, the ones shown."""

    @classmethod
    def of(cls, volume: Volume, budget_bytes: int = BUDGET_BYTES) -> Self:
        """The sharpest set of slices that stays within the budget."""
        hu_zyx = volume.hu_zyx
        step = -(-hu_zyx.shape[0] // MOST_SLICES)
        indices = np.arange((hu_zyx.shape[0] - 1) % step // 2, hu_zyx.shape[0], step)
        for longest, quality in _QUALITIES:
            size_yx = _fitted(hu_zyx.shape[1:], longest)
            sample = indices[:: max(1, len(indices) // 12)]
            cost = np.mean([len(_jpeg(hu_zyx[index], size_yx, quality)) for index in sample])
            if cost * len(indices) <= budget_bytes * 0.95:
                break
        jpegs = tuple(_jpeg(hu_zyx[index], size_yx, quality) for index in indices)
        return cls(
            jpegs,
            (len(indices), *size_yx),
            _resampled(volume.affine_lps, hu_zyx.shape, size_yx, int(indices[0]), step),
            indices,
        )


def _fitted(shape_yx: tuple[int, ...], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(shape_yx))
    rows, columns = (max(1, round(size * scale)) for size in shape_yx)
    return rows, columns


def _resampled(
    affine_lps: NDArray[np.float64],
    shape_zyx: tuple[int, ...],
    size_yx: tuple[int, int],
    first: int,
    step: int,
) -> NDArray[np.float64]:
    """The affine of the shown grid: pixels cover areas, so their centres shift as they grow."""
    y, x = (old / new for old, new in zip(shape_zyx[1:], size_yx, strict=True))
    to_volume = np.diag([x, y, float(step), 1.0])
    to_volume[:3, 3] = ((x - 1) / 2, (y - 1) / 2, first)
    shown: NDArray[np.float64] = affine_lps @ to_volume
    return shown


def levels(hu: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Squeeze HU into 8 bits: 9.5 HU a level in lung, 3.7 in soft tissue, 13 and more in bone."""
    squeezed: NDArray[np.uint8] = _LEVEL_OF_HU[np.clip(hu, -1024, 3071).astype(np.intp) + 1024]
    return squeezed


def resized(hu_yx: NDArray[np.int16], size_yx: tuple[int, int]) -> NDArray[np.int16]:
    """Shrink one slice by averaging areas in HU."""
    if hu_yx.shape == size_yx:
        return hu_yx
    picture = Image.fromarray(hu_yx.astype(np.float32)).resize(size_yx[::-1], Image.Resampling.BOX)
    return np.asarray(picture).round().astype(np.int16)


def _jpeg(hu_yx: NDArray[np.int16], size_yx: tuple[int, int], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(levels(resized(hu_yx, size_yx))).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceMap:
    """One label's supporting evidence in 8 bits, relative to its strongest cell."""

    cells_zyx: NDArray[np.uint8]
    affine_lps: NDArray[np.float64]

    @classmethod
    def of(cls, map_zyx: NDArray[np.float32], affine_lps: NDArray[np.float64]) -> Self:
        """Keep the positive contributions; a map finer than the picture needs is averaged down."""
        factors = [-(-size // _LARGEST_MAP) for size in map_zyx.shape]
        padding = [(0, -size % factor) for size, factor in zip(map_zyx.shape, factors, strict=True)]
        cells = np.pad(np.maximum(map_zyx, 0.0), padding)
        z, y, x = (size // factor for size, factor in zip(cells.shape, factors, strict=True))
        cells = cells.reshape(z, factors[0], y, factors[1], x, factors[2]).mean(axis=(1, 3, 5))
        to_fine = np.diag([*(float(factor) for factor in factors[::-1]), 1.0])
        to_fine[:3, 3] = [(factor - 1) / 2 for factor in factors[::-1]]
        relative = cells / max(float(cells.max()), 1e-12)
        return cls((relative * 255).round().astype(np.uint8), affine_lps @ to_fine)
