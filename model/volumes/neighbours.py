"""Slices that do not belong between their neighbours: another scan's, or two scans by turns.

Anatomy changes steadily: a slice is more like the next than like the one after. On 11 public CT
scans the difference to the next slice was at most .72 of that to the one after, and noise alone
gives 1. A patient who moved 6 mm for one slice gives up to 2.2, one who breathed between sparse
slices 2.1; a slice from 5 cm away gave 1.4 to 6: the ranges overlap, so a lesser ratio is warned
of, and a greater one refused.

A turned slice is told by its mirror image, which differs from the next slice .06 to .5 times as
much as the slice itself does (.73 where pixels measure 4 mm); of one that moved 3 to 10 mm, as of
one in its place, the mirror image is no better (.96 times and more).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.volumes.volume import HuArray, VolumeError, VolumeReason

_UNLIKE = 1.5
_FOREIGN = 2.8
_TURNED = 0.6
_ALIKE = 1.5
_STANDS_OUT = 1.2
_WINDOW = 7  # pairs of slices
_BY_TURNS = 1.2
_JUMP = 2.0
_JUMP_HU = 80.0
_BREAK_HU = 200.0  # over half of the image, air included: an intercept lost
_NOTABLE_HU = 10.0  # below, differences are rounding and label maps
_FEWEST = 5
_BLOCKS = 32  # a side
_BLOCK = 4  # samples a side: means over them hide noise and streaks
_RANGE_HU = (-900, 1500)  # padding beside room air is no difference


def check_neighbours(hu_kji: HuArray) -> tuple[str, ...]:
    """Compare each slice with the next two; warns where one moved, or where the content jumps.

    Raises VolumeError FOREIGN_SLICE where a slice differs far from both neighbours, which resemble
    each other, where every second slice does, where one is turned over, or where the content
    breaks off.
    """
    if len(hu_kji) < _FEWEST:
        return ()
    thin = _block_means(hu_kji)
    next_hu, after_hu = _differences(thin, 1), _differences(thin, 2)
    if np.median(next_hu) > max(_BY_TURNS * float(np.median(after_hu)), _NOTABLE_HU):
        raise VolumeError(
            VolumeReason.FOREIGN_SLICE, "every second slice is unlike the others: two scans in one?"
        )
    _check_turned(hu_kji, thin, next_hu)
    between = np.minimum(next_hu[:-1], next_hu[1:])
    # A slice that moved may fall beside its second neighbour, and make the one between look odd.
    beyond = np.pad(after_hu, 2, mode="reflect")
    usual_hu = np.maximum(after_hu, np.minimum(beyond[:-4], beyond[4:]))
    unlike = np.flatnonzero(between > np.maximum(_UNLIKE * usual_hu, _NOTABLE_HU))
    foreign = unlike[between[unlike] > _FOREIGN * usual_hu[unlike]]
    if len(foreign):
        raise VolumeError(
            VolumeReason.FOREIGN_SLICE,
            f"slice {foreign[0] + 2} of {len(hu_kji)} is unlike both neighbours, which are alike",
        )
    beside = np.maximum(np.append(next_hu[1:], 0), np.insert(next_hu[:-1], 0, 0))
    jumps = np.flatnonzero(next_hu > np.maximum(_JUMP * beside, _JUMP_HU))
    for at in jumps:
        if np.median(np.abs(thin[at] - thin[at + 1])) > _BREAK_HU:
            raise VolumeError(
                VolumeReason.FOREIGN_SLICE,
                f"slices {at + 1} and {at + 2} of {len(hu_kji)} cannot be of one scan",
            )
    return tuple(
        f"slice {at + 2} of {len(hu_kji)} is somewhat unlike both neighbours: did the patient move?"
        for at in unlike[:1]
    ) + tuple(f"the content jumps between slices {at + 1} and {at + 2}" for at in jumps[:1])


def _check_turned(
    hu_kji: HuArray, thin_kji: NDArray[np.float32], next_hu: NDArray[np.float32]
) -> None:
    """Refuse where a slice, or all from one on, lie mirrored in their plane or turned by 180°."""
    usual_hu = ndimage.median_filter(next_hu, _WINDOW, mode="mirror")
    for at in np.flatnonzero(next_hu > np.maximum(_STANDS_OUT * usual_hu, _NOTABLE_HU)):
        # Turned before it is thinned, or other pixels would be compared.
        mirrored = np.stack([np.flip(hu_kji[at], axes) for axes in (0, 1, (0, 1))])
        differences = np.abs(_block_means(mirrored) - thin_kji[at + 1])
        least_hu = float(differences.mean(axis=(1, 2)).min())
        if least_hu < min(_TURNED * next_hu[at], _ALIKE * usual_hu[at]):
            raise VolumeError(
                VolumeReason.FOREIGN_SLICE,
                f"slice {at + 1} or {at + 2} of {len(thin_kji)} is turned over: each resembles the "
                "other's mirror image",
            )


def _block_means(hu_kji: HuArray) -> NDArray[np.float32]:
    """About 32 x 32 means over blocks of each slice; small slices stay as they are."""
    block = min(_BLOCK, *(max(1, size // _BLOCKS) for size in hu_kji.shape[1:]))
    rows, columns = (max(1, size // (_BLOCKS * block)) for size in hu_kji.shape[1:])
    thin = hu_kji[:, ::rows, ::columns].clip(*_RANGE_HU)
    height, width = (size // block * block for size in thin.shape[1:])
    blocks = thin[:, :height, :width].reshape(len(thin), height // block, block, -1, block)
    means: NDArray[np.float32] = blocks.mean(axis=(2, 4), dtype=np.float32)
    return means


def _differences(thin_kji: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """The mean absolute difference in HU between each slice and the one `lag` farther on."""
    # Slice by slice: the whole would be copied twice.
    pairs = zip(thin_kji, thin_kji[lag:], strict=False)
    return np.array([np.abs(a - b).mean() for a, b in pairs], np.float32)
