"""Resampling along the axes: linear interpolation, after a Gaussian where detail must go.

Canonical axes make resampling separable, so it is three products with banded matrices. That is
several times faster than a general resampler and keeps a linear ramp of HU exact.
"""

import math

import numpy as np
from numpy.typing import NDArray

from model.volumes.volume import PADDING_HU, HuArray

_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
_BLOCK = 16


def resample(
    hu_zyx: HuArray,
    start_zyx: tuple[float, float, float],
    step_zyx: tuple[float, float, float],
    shape_zyx: tuple[int, int, int],
) -> HuArray:
    """Sample at `start + step * i` along each axis, in units of input voxels; int16 HU.

    Outside the input stands -1024. Steps over one voxel are smoothed first (`axis_weights`).
    """
    inside, values = [], hu_zyx
    bands = []
    for axis in range(3):
        weights, covered = axis_weights(
            hu_zyx.shape[axis], start_zyx[axis], step_zyx[axis], shape_zyx[axis]
        )
        first, last = _support(weights)
        values = values[(slice(None),) * axis + (slice(first, last),)]
        bands.append(weights[:, first:last])
        inside.append(covered)
    work: np.ndarray = values
    # The axis that shrinks most goes first: fewer voxels are left for the others.
    for axis in sorted(range(3), key=lambda a: bands[a].shape[0] / max(1, bands[a].shape[1])):
        work = _apply(bands[axis], work, axis)
    np.clip(np.rint(work, out=work), -32768, 32767, out=work)
    out: HuArray = work.astype(np.int16)
    for axis, covered in enumerate(inside):
        out[(slice(None),) * axis + (~covered,)] = PADDING_HU
    return out


def axis_weights(
    size: int, start: float, step: float, count: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The (count, size) matrix that samples one axis, and which samples lie within the input.

    Linear interpolation, after a Gaussian of sigma = sqrt(step^2 - 1) / 2.355 voxels when step is
    over 1: it widens a voxel's point spread to that of the target (Cardoso et al., MICCAI 2015).
    """
    position = start + step * np.arange(count)
    covered = (position >= -0.5) & (position <= size - 0.5)
    sigma = math.sqrt(max(step * step - 1, 0)) / _FWHM_PER_SIGMA
    reach = math.ceil(4 * sigma)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2) if sigma > 1e-3 else (offsets == 0) * 1.0
    kernel /= kernel.sum()

    clamped = np.clip(position, 0, size - 1)
    below = np.floor(clamped).astype(np.int64)
    above_share = clamped - below
    weights = np.zeros((count, size))
    rows = np.arange(count)
    for offset, share in zip(offsets, kernel, strict=True):
        for tap, part in ((below, 1 - above_share), (below + 1, above_share)):
            np.add.at(weights, (rows, np.clip(tap + offset, 0, size - 1)), share * part)
    weights[~covered] = 0
    return weights.astype(np.float32), covered


def _support(weights: NDArray[np.float32]) -> tuple[int, int]:
    used = np.flatnonzero(weights.any(axis=0))
    return (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)


def _apply(weights: NDArray[np.float32], work: np.ndarray, axis: int) -> NDArray[np.float32]:
    """Multiply along one axis, a few rows of the banded matrix at a time.

    Only the slab that a block needs is made float32: the whole volume never is.
    """
    shape = (*work.shape[:axis], weights.shape[0], *work.shape[axis + 1 :])
    out = np.empty(shape, np.float32)
    for first in range(0, weights.shape[0], _BLOCK):
        block = weights[first : first + _BLOCK]
        low, high = _support(block)
        here = (slice(None),) * axis
        slab = work[(*here, slice(low, high))].astype(np.float32)
        rows = (*here, slice(first, first + _BLOCK))
        if axis == 0:
            flat = block[:, low:high] @ slab.reshape(high - low, -1)
            out[rows] = flat.reshape(block.shape[0], *work.shape[1:])
        elif axis == 1:
            out[rows] = block[:, low:high] @ slab
        else:
            out[rows] = slab @ block[:, low:high].T
    return out
