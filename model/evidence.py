"""Where in the patient a network's evidence lies."""

import numpy as np
from numpy.typing import NDArray

from model.volumes.volume import Affine

Shape = tuple[int, int, int]


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
    """The centre of the cell with the most evidence for the finding, in LPS mm.

    >>> evidence = np.zeros((2, 2, 2))
    >>> evidence[1, 0, 1] = 3.0
    >>> peak_lps(evidence, np.diag([10.0, 10.0, 20.0, 1.0]))
    (10.0, 0.0, 20.0)
    """
    z, y, x = np.unravel_index(int(np.argmax(map_zyx)), map_zyx.shape)
    place = map_affine_lps @ np.array([x, y, z, 1.0])
    return (float(place[0]), float(place[1]), float(place[2]))
