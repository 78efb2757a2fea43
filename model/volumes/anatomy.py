"""Body and lungs by classical image analysis, on a coarse grid: enough to crop and to judge by."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.volumes.resampling import resample
from model.volumes.volume import Affine, HuArray, Volume, spacing_of

COARSE_MM = 4.0
_TISSUE_HU = -400
_ROOM_AIR_HU = -950
_EMPHYSEMA_HU = -950
_FAR_MM = 1e4
IN_PLANE = np.zeros((3, 3, 3), bool)
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """Masks on a coarse grid over the whole volume; index i sits at voxel `step_zyx * i` of it."""

    hu_zyx: HuArray = field(repr=False)
    body_zyx: Mask = field(repr=False)
    lungs_zyx: Mask = field(repr=False)
    step_zyx: tuple[float, float, float]
    affine_lps: Affine

    @property
    def voxel_ml(self) -> float:
        """Volume of a coarse voxel."""
        return float(np.prod(spacing_of(self.affine_lps))) / 1000


def find_anatomy(volume: Volume) -> Anatomy:
    """Segment body and lungs of an upright or lying patient on a grid of about 4 mm.

    Room air is what is open to the image's edge in its own slice; the body is the largest thing
    that is left, its hollows filled; lungs are the large aerated parts inside it.
    """
    step = tuple(s if (s := COARSE_MM / mm) > 1.25 else 1.0 for mm in volume.spacing_mm_zyx)
    shape = tuple(
        1 + int((size - 1) / s) for size, s in zip(volume.hu_zyx.shape, step, strict=True)
    )
    assert len(step) == 3
    assert len(shape) == 3
    hu = resample(volume.hu_zyx, (0.0, 0.0, 0.0), step, shape)
    affine = volume.affine_lps @ np.diag([*step[::-1], 1.0])
    body = _body(hu)
    return Anatomy(hu, body, _lungs(hu, body, affine), step, affine)


@dataclass(frozen=True, slots=True)
class LungMeasures:
    """Two figures of the segmented lungs, airways within them included."""

    volume_ml: float
    share_below_950: float
    """The share of unsmoothed voxels below -950 HU: the usual index of emphysema."""


def measure_lungs(volume: Volume, anatomy: Anatomy) -> LungMeasures | None:
    """Measure the lungs of `anatomy`, which must be this volume's; None where there are none."""
    places = np.argwhere(anatomy.lungs_zyx)
    if not len(places):
        return None
    # The coarse grid picks the volume's own voxels: its averages would hide small holes.
    nearest = np.rint(places * anatomy.step_zyx).astype(int)
    nearest = np.minimum(nearest, np.asarray(volume.hu_zyx.shape) - 1)
    hu = volume.hu_zyx[tuple(nearest.T)]
    below = float((hu < _EMPHYSEMA_HU).mean())
    return LungMeasures(round(len(places) * anatomy.voxel_ml, 1), round(below, 4))


def _body(hu_zyx: HuArray) -> Mask:
    tissue = hu_zyx >= _TISSUE_HU
    filled = ~_open_air(hu_zyx, tissue)
    # Opening parts the body from the table and from clothes.
    return _largest(ndimage.binary_opening(filled, structure=IN_PLANE, iterations=2))


def _open_air(hu_zyx: HuArray, tissue_zyx: Mask) -> Mask:
    """What is open to the image's edge in its own slice, but for lung in a small field of view."""
    aerated, count = ndimage.label(~tissue_zyx, structure=IN_PLANE)
    front_and_back = np.unique(aerated[:, (0, -1)])
    sides = np.setdiff1d(aerated[:, :, (0, -1)], front_and_back)
    # Lung may be cut by the sides of the image; room air there is thinner.
    typical_hu = np.asarray(ndimage.median(hu_zyx, aerated, sides)) if sides.size else sides
    is_open = np.zeros(count + 1, bool)
    is_open[front_and_back] = True
    is_open[sides[typical_hu < _ROOM_AIR_HU]] = True
    is_open[0] = False
    return np.asarray(is_open[aerated])


def _lungs(hu_zyx: HuArray, body_zyx: Mask, affine_lps: Affine) -> Mask:
    aerated, count = ndimage.label((hu_zyx < _TISSUE_HU) & body_zyx)
    if count == 0:
        return np.zeros_like(body_zyx)
    voxel_ml = float(np.prod(spacing_of(affine_lps))) / 1000
    labels = np.arange(1, count + 1)
    millilitres = ndimage.sum_labels(np.ones_like(hu_zyx), aerated, labels) * voxel_ml
    mean_hu = np.asarray(ndimage.mean(hu_zyx, aerated, labels))
    largest = float(millilitres.max())
    # Bowel gas and the airway alone are as thin as room air; lung holds blood.
    lung = (millilitres > max(60.0, 0.08 * largest)) & (mean_hu > _ROOM_AIR_HU)
    return np.isin(aerated, labels[lung])


def _largest(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))


def extent(mask: Mask, axis: int, share: float = 0.03) -> tuple[int, int]:
    """First and last index along an axis where the mask is over a share of its largest section."""
    area = mask.sum(axis=tuple(other for other in range(3) if other != axis))
    used = np.flatnonzero(area > share * area.max())
    return int(used[0]), int(used[-1])


def depth_mm(body_zyx: Mask, row_mm: float, column_mm: float) -> NDArray[np.float64]:
    """How far each voxel lies from the body's outside in its own slice; 0 outside."""
    # What the image cuts off is outside; a slice is far from the next.
    padded = np.pad(body_zyx, ((0, 0), (1, 1), (1, 1)))
    depth = ndimage.distance_transform_edt(padded, sampling=(_FAR_MM, row_mm, column_mm))
    return np.asarray(depth[:, 1:-1, 1:-1])
