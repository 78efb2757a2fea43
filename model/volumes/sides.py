"""Which side of a chest is the patient's left, by four organs: disease moves some, seldom all."""

import math

import numpy as np

from model.volumes.anatomy import Anatomy, Mask, depth_mm, extent
from model.volumes.volume import spacing_of

BONE_HU = 250
SPINE_BAND_MM = 40.0
_AORTA_OFF_SPINE_MM = (8.0, 40.0)
_AORTA_BEFORE_SPINE_MM, _AORTA_BESIDE_SPINE_MM = 25.0, 12.0
_AORTA_HEIGHTS = (0.45, 0.75)  # of the lungs: above the diaphragm, below the arch
_ORGAN_HU = (20, 250)
_BELOW_LUNGS = 0.3  # of their largest section
_LIVER_MM = 60.0
_WALL_MM = 25.0
_EVEN_LUNGS = 1.6  # beyond this ratio one lung is diseased, and says nothing about sides


def left_on_left(anatomy: Anatomy, low: int, high: int, middle: float) -> float:
    """Above 0 where heart and aorta lie to +x, and the larger lung and the liver to -x.

    `low` and `high` are the lungs' first and last slice, `middle` the body's middle column. A lung
    that lost volume draws the heart over and is the smaller one; the aorta beside the spine and the
    liver stay where they are.
    """
    spine = _spine_column(anatomy, low, high, middle)
    return (
        _heart(anatomy, low, high, spine)
        + _right_lung_larger(anatomy.lungs_zyx, middle)
        + _aorta(anatomy, low, high, spine)
        + _liver(anatomy, spine)
    )


def _spine_column(anatomy: Anatomy, low: int, high: int, middle: float) -> float:
    """The mean column of the bone near the midline, behind most of the lungs."""
    front, back = extent(anatomy.lungs_zyx, 1)
    posterior = round(back - 0.25 * (back - front))
    columns = np.nonzero(anatomy.hu_zyx[low : high + 1, posterior:] > BONE_HU)[2]
    columns = columns[np.abs(columns - middle) < SPINE_BAND_MM / spacing_of(anatomy.affine_lps)[2]]
    return float(columns.mean()) if len(columns) else middle


def _heart(anatomy: Anatomy, low: int, high: int, spine: float) -> float:
    """Between the lower halves of the lungs tissue lies to the left of the spine."""
    offset, count = 0.0, 0
    height = high - low + 1
    for z in range(low + height // 8, low + height // 2):
        ys, xs = np.nonzero(anatomy.lungs_zyx[z])
        if not len(xs):
            continue
        box = np.s_[z, ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        tissue = np.nonzero(anatomy.body_zyx[box] & ~anatomy.lungs_zyx[box])[1]
        offset += float((tissue + xs.min() - spine).sum())
        count += len(tissue)
    return offset * spacing_of(anatomy.affine_lps)[2] / count / 20 if count else 0.0


def _right_lung_larger(lungs: Mask, middle: float) -> float:
    right = int(lungs[:, :, : round(middle)].sum())
    left = int(lungs.sum()) - right
    if not right or not left or not 1 / _EVEN_LUNGS < right / left < _EVEN_LUNGS:
        return 0.0
    return math.log(right / left)


def _aorta(anatomy: Anatomy, low: int, high: int, spine: float) -> float:
    """Beside the spine, behind the heart, the lungs leave more room on the aorta's side."""
    _, dy, dx = spacing_of(anatomy.affine_lps)
    near, far = (mm / dx for mm in _AORTA_OFF_SPINE_MM)
    front, back = extent(anatomy.lungs_zyx, 1)
    half = (front + back) // 2
    columns = slice(max(0, round(spine - 15 / dx)), round(spine + 15 / dx) + 1)
    rows = np.nonzero(anatomy.hu_zyx[low : high + 1, half:, columns] > BONE_HU)[1]
    face = half + float(np.percentile(rows, 15)) if len(rows) else back
    first, last = (low + round(share * (high - low + 1)) for share in _AORTA_HEIGHTS)
    box = np.s_[
        first:last,
        max(0, round(face - _AORTA_BEFORE_SPINE_MM / dy)) : round(
            face + _AORTA_BESIDE_SPINE_MM / dy
        ),
    ]
    tissue = anatomy.body_zyx[box] & ~anatomy.lungs_zyx[box] & (anatomy.hu_zyx[box] > -100)
    right = tissue[:, :, max(0, round(spine - far)) : max(0, round(spine - near))]
    left = tissue[:, :, round(spine + near) : round(spine + far)]
    return _excess(left, right)


def _liver(anatomy: Anatomy, spine: float) -> float:
    """Below the lungs more of the inside is solid on the liver's side: no stomach, less fat."""
    dz, dy, dx = spacing_of(anatomy.affine_lps)
    area = anatomy.lungs_zyx.sum(axis=(1, 2))
    top = int(np.flatnonzero(area > _BELOW_LUNGS * area.max())[0])
    slices = slice(max(0, top - round(_LIVER_MM / dz)), top + 1)
    inside = depth_mm(anatomy.body_zyx[slices], dy, dx) > _WALL_MM
    hu = anatomy.hu_zyx[slices]
    solid = inside & (hu > _ORGAN_HU[0]) & (hu < _ORGAN_HU[1])
    return _excess(solid[:, :, : round(spine)], solid[:, :, round(spine) :])


def _excess(here: Mask, there: Mask) -> float:
    """From -1 to 1: by how much more of one mask is set."""
    a, b = int(here.sum()), int(there.sum())
    return (a - b) / (a + b) if a + b else 0.0
