"""What is not all there: no HU at all, blank rows or corners, repeated images."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.volumes.volume import PADDING_HU, HuArray, VolumeError, VolumeReason

_EDGE_ROWS = 8
_TISSUE_HU = -500
_MIN_TISSUE_SHARE = 0.05
_MIN_VALUES = 16
_MAX_BEYOND_SHARE = 0.01
_AIR_HU = -900
_FEWEST_ROUND = 16
_RIM_PIXELS = 2
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


def corner_padding(hu_zyx: HuArray) -> NDArray[np.bool_] | None:
    """The pixels (y, x) outside the round field of reconstruction, where they hold no air.

    None unless all of them hold one value in all slices, and next to none within does.
    """
    blank_hu = hu_zyx[0, 0, 0]
    rows, columns = hu_zyx.shape[1:]
    if blank_hu <= _AIR_HU or rows != columns or rows < _FEWEST_ROUND:
        return None
    y, x = np.ogrid[:rows, :columns]
    radius = np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2) - min(rows, columns) / 2
    blank = np.ones((rows, columns), np.bool_)
    for plane in hu_zyx:
        blank &= plane == blank_hu
        if not blank[radius > _RIM_PIXELS].all():
            return None
    around = radius > -_RIM_PIXELS
    return blank & around if blank[~around].mean() < _MAX_BEYOND_SHARE else None


def clear_corners(hu_zyx: HuArray) -> tuple[str, ...]:
    """Set padding in the corners to -1024 HU, in place; a warning says so."""
    padding = corner_padding(hu_zyx)
    if padding is None:
        return ()
    hu_zyx[:, padding] = PADDING_HU
    return ("outside the round field of view one value other than air: taken for padding",)
