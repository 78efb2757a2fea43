"""What is not all there: no HU at all, rows that a broken-off copy left blank, repeated images."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.volumes.volume import PADDING_HU, HuArray, VolumeError, VolumeReason

_EDGE_ROWS = 8
_TISSUE_HU = -500
_MIN_TISSUE_SHARE = 0.05
_MIN_VALUES = 16
_MAX_BEYOND_SHARE = 0.01
_HIGHEST_HU = np.iinfo(np.int16).max


def check_slices(hu_kji: HuArray) -> tuple[str, ...]:
    """Look at slices in their own planes; returns warnings.

    Raises VolumeError NOT_HU when nothing lies above padding, or over 1 % beyond what int16 holds:
    the rescaling is wrong. Raises TRUNCATED when a slice ends in blank rows where both neighbours
    show tissue: a file whose place on the disk was taken before its content came.
    """
    highest = hu_kji.max()
    if highest <= PADDING_HU:
        raise VolumeError(VolumeReason.NOT_HU, "no value above -1024 HU")
    if highest == _HIGHEST_HU and (hu_kji == _HIGHEST_HU).mean() > _MAX_BEYOND_SHARE:
        raise VolumeError(VolumeReason.NOT_HU, "values far above any HU")
    if len(hu_kji) > 1:
        _check_blank_rows(hu_kji)
        _check_blank_rows(hu_kji[:, ::-1])  # converters turn slices over
    repeats = sum(
        bool(np.array_equal(a[::16], b[::16]) and np.array_equal(a, b) and a.min() != a.max())
        for a, b in pairwise(hu_kji)
    )
    return (f"{repeats} slices repeat the one before them voxel by voxel",) * bool(repeats)


def _check_blank_rows(hu_kji: HuArray) -> None:
    edge = hu_kji[:, -_EDGE_ROWS:]
    suspects = np.flatnonzero(edge.min(axis=(1, 2)) == edge.max(axis=(1, 2)))
    for number in suspects.tolist():
        near = [other for other in (number - 1, number + 1) if 0 <= other < len(hu_kji)]
        first = _first_blank_row(hu_kji[number])
        blank_hu = int(hu_kji[number, -1, -1])
        if all(_shows_tissue(hu_kji[other, first:], blank_hu) for other in near):
            raise VolumeError(
                VolumeReason.TRUNCATED,
                f"slice {number + 1} of {len(hu_kji)} ends in blank rows that its neighbours do "
                "not have",
            )


def _first_blank_row(plane: HuArray) -> int:
    """Where the rows start that hold nothing but the value of the last one."""
    other: NDArray[np.intp] = np.flatnonzero((plane != plane[-1, -1]).any(axis=1))
    return int(other[-1]) + 1 if len(other) else 0


def _shows_tissue(rows: HuArray, blank_hu: int) -> bool:
    """Whether rows hold scanned tissue, which has noise: label maps do not."""
    tissue = rows[(rows > _TISSUE_HU) & (rows != blank_hu)]
    return tissue.size > _MIN_TISSUE_SHARE * rows.size and len(np.unique(tissue)) >= _MIN_VALUES
