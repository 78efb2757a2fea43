"""Where in the patient a network's evidence lies."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.volumes.volume import Affine

Shape = tuple[int, int, int]

FOCUS_MM = 48.0
"""How wide a focus is taken to be: a lesion of some centimetres, and how far a cell sees."""


def map_affine(affine_lps: Affine, grid_zyx: Shape, cells_zyx: Shape) -> Affine:
    """The affine of a map of cells over a grid: its (column, row, slice) indices to LPS mm.

    Cell 0 is centred on the voxels that it stands for, not on voxel 0.

    >>> map_affine(np.diag([5.0, 5.0, 5.0, 1.0]), (64, 64, 64), (8, 8, 8))[:3, 3].tolist()
    [17.5, 17.5, 17.5]
    """
    step_xyz = np.asarray(grid_zyx[::-1], dtype=float) / np.asarray(cells_zyx[::-1])
    to_voxels = np.diag([*step_xyz, 1.0])
    to_voxels[:3, 3] = (step_xyz - 1) / 2
    return affine_lps @ to_voxels


def peak_lps(map_zyx: NDArray[np.floating], map_affine_lps: Affine) -> tuple[float, float, float]:
    """Where a map speaks most for the finding, in LPS mm.

    A lesion seldom keeps to one cell, so all boxes of cells about `FOCUS_MM` wide are compared by
    what speaks for the finding in them: a lesion is not hidden by what speaks against it beside it.
    The place is the centre of that evidence in the strongest box. Cells as wide as a focus are
    compared one by one.

    >>> evidence = np.zeros((2, 2, 4))
    >>> evidence[1, 0] = [2.0, -1.0, 1.5, 1.5]
    >>> peak_lps(evidence, np.diag([24.0, 24.0, 24.0, 1.0]))
    (60.0, 0.0, 24.0)
    >>> peak_lps(evidence, np.diag([40.0, 40.0, 40.0, 1.0]))
    (0.0, 0.0, 40.0)
    """
    cell_mm_zyx = np.linalg.norm(map_affine_lps[:3, :3], axis=0)[::-1]
    cells_zyx = np.maximum(np.rint(FOCUS_MM / cell_mm_zyx), 1).astype(int)
    # Where nothing speaks for the finding, the cell that speaks least against it is left.
    speaking = np.maximum(map_zyx, 0) if (map_zyx > 0).any() else map_zyx == map_zyx.max()
    boxes = sliding_window_view(speaking, tuple(np.minimum(cells_zyx, map_zyx.shape)))
    sums = boxes.sum(axis=(3, 4, 5))
    first_zyx = np.unravel_index(int(np.argmax(sums)), sums.shape)
    inside = boxes[first_zyx]
    share = inside / inside.sum()
    z, y, x = np.asarray(first_zyx) + (np.indices(inside.shape) * share).sum(axis=(1, 2, 3))
    place = map_affine_lps @ np.array([x, y, z, 1.0])
    return (float(place[0]), float(place[1]), float(place[2]))
