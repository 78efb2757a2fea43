"""Whether the heart's and vessels' blood is enhanced by contrast, judged by its density."""

import numpy as np
from scipy import ndimage

from model.volumes.anatomy import Anatomy

_ENHANCED_HU = 100  # plain blood is 30 to 60 HU, in anaemia or thick blood 20 to 75
_MOST, _LEAST = 0.4, 0.1  # of the soft tissue between the lungs: surely enhanced, surely plain
_FEWEST_VOXELS = 300


def is_enhanced(anatomy: Anatomy) -> bool | None:
    """True with contrast in the blood, False without, None where the image does not tell.

    Looks at the soft tissue between the lungs in the middle half of their height, in front of the
    spine. Heart and great vessels fill most of it, so one share of dense voxels decides.
    """
    lungs_zyx = anatomy.lungs_zyx
    planes = np.flatnonzero(lungs_zyx.any(axis=(1, 2)))
    if not planes.size:
        return None
    height = planes[-1] - planes[0]
    between = np.zeros_like(lungs_zyx)
    for plane in range(planes[0] + height // 4, planes[-1] - height // 4 + 1):
        rows = np.flatnonzero(lungs_zyx[plane].any(axis=1))
        columns = np.flatnonzero(lungs_zyx[plane].any(axis=0))
        if not rows.size:
            continue
        depth, width = rows[-1] - rows[0], columns[-1] - columns[0]
        middle = (columns[0] + columns[-1]) // 2
        front, back = rows[0] + depth // 5, rows[0] + int(0.62 * depth)
        between[plane, front:back, middle - width // 5 : middle + width // 5 + 1] = True
    # Eroded, or edges of lung, fat and calcified walls would count.
    soft = ndimage.binary_erosion(between & (anatomy.hu_zyx > -20) & (anatomy.hu_zyx < 600))
    hu = anatomy.hu_zyx[soft]
    if hu.size < _FEWEST_VOXELS:
        return None
    dense = float((hu > _ENHANCED_HU).mean())
    return True if dense >= _MOST else False if dense <= _LEAST else None
