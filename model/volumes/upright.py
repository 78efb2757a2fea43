"""Which way a chest lies by its content alone, whatever the header says.

Signed scores, above 0 for a chest that is stored as it should be: head up, spine behind, heart to
the patient's left, lungs side by side, cut at its ends. Most have two votes: disease can turn one.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from model.volumes.anatomy import IN_PLANE, Anatomy, Mask
from model.volumes.volume import spacing_of

_BONE_HU = 250
_AIRWAY_HU = -500
_AIRWAY_CM2 = (0.8, 8.0)
_AIRWAY_OFF_MIDLINE_MM = 30.0
_SPINE_BAND_MM = 40.0
_ENDS_IN_AIR, _CUT_SIDES = 0.3, 0.4  # the sides of a small field of view cut the body too
_ONE_LUNG_WIDTH = 0.6  # of the body's; two lungs fill more of it along any axis
_EVEN_LUNGS = 1.6  # beyond this ratio one lung is diseased, and says nothing about sides


@dataclass(frozen=True, slots=True)
class Upright:
    """Scores of about -1 to 1 each; 0 says nothing."""

    head_up: float
    spine_behind: float
    heart_left: float
    cut_at_ends: float
    """Below 0 where front and back, or sides, cut more of the body than its ends: another axis
    runs from the feet to the head."""
    side_by_side: float
    """Below 0 where the gap between the lungs lies along another axis."""


def judge(anatomy: Anatomy) -> Upright:
    """Score the axes; needs lungs."""
    body = anatomy.body_zyx
    lungs = anatomy.lungs_zyx
    low, high = extent(lungs, 0)
    left, right = extent(body[low : high + 1], 2)
    middle = (left + right) / 2
    return Upright(
        head_up=_tissue_sinks(body, lungs, low, high) + _airway_above(anatomy, low, high, middle),
        spine_behind=_bone_behind(anatomy, low, high, middle) + _recess_behind(lungs, low, high),
        heart_left=_heart_left(anatomy, low, high, middle) + _right_lung_larger(lungs, middle),
        cut_at_ends=_cut_at_ends(body),
        side_by_side=_side_by_side(body[low : high + 1], lungs),
    )


def _cut_at_ends(body: Mask) -> float:
    """A chest goes on above or below the image, blank slices aside, and ends in air at the front.

    The head may end in air too, but then the other end is cut.
    """
    ends, (front_and_back, sides) = max(_cuts(body, 0)), (min(_cuts(body, axis)) for axis in (1, 2))
    if ends < _ENDS_IN_AIR and sides > _CUT_SIDES:
        return ends - sides
    return ends - front_and_back


def _cuts(body: Mask, axis: int) -> tuple[float, float]:
    """The body's first and last section along an axis, by its largest."""
    area = body.sum(axis=tuple(other for other in range(3) if other != axis))
    first, last = extent(body, axis)
    return float(area[first] / area.max()), float(area[last] / area.max())


def _side_by_side(body: Mask, lungs: Mask) -> float:
    """Two lungs leave a gap between them from side to side, and none along the other axes.

    One lung says nothing: a consolidation in its middle would be the gap.
    """
    first, last = extent(body, 2)
    left, right = extent(lungs, 2)
    if right - left + 1 < _ONE_LUNG_WIDTH * (last - first + 1):
        return 0.0
    return _gap(lungs, 2) - max(_gap(lungs, 0), _gap(lungs, 1))


def _gap(lungs: Mask, axis: int) -> float:
    """How far the lungs' section sinks in the middle of an axis, against both halves' largest."""
    first, last = extent(lungs, axis)
    area = lungs.sum(axis=tuple(other for other in range(3) if other != axis))[first : last + 1]
    third = max(1, len(area) // 3)
    sides = min(area[:third].max(), area[-third:].max())
    return 1.0 - float(area[third:-third].min() / sides) if len(area) > 2 * third else 0.0


def extent(mask: Mask, axis: int, share: float = 0.03) -> tuple[int, int]:
    """First and last index along an axis where the mask is over a share of its largest section."""
    area = mask.sum(axis=tuple(other for other in range(3) if other != axis))
    used = np.flatnonzero(area > share * area.max())
    return int(used[0]), int(used[-1])


def _tissue_sinks(body: Mask, lungs: Mask, low: int, high: int) -> float:
    """Heart and liver dome make the tissue between the lungs heavier towards the feet."""
    area = np.zeros(len(lungs))
    for z in range(low, high + 1):
        ys, xs = np.nonzero(lungs[z])
        if len(ys):
            box = np.s_[z, ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            area[z] = (body[box] & ~lungs[box]).sum()
    if not area.any():
        return 0.0
    centre = float(np.arange(len(area)) @ area / area.sum())
    return 4 * ((low + high) / 2 - centre) / (high - low + 1)


def _airway_above(anatomy: Anatomy, low: int, high: int, middle: float) -> float:
    """The trachea is a lone hole near the midline in the upper quarter, not in the lower."""
    _, dy, dx = spacing_of(anatomy.affine_lps)
    quarter = max(1, (high - low + 1) // 4)

    def slices_with_airway(first: int, last: int) -> int:
        found = 0
        for z in range(first, min(last, len(anatomy.hu_zyx))):
            holes, count = ndimage.label(
                (anatomy.hu_zyx[z] < _AIRWAY_HU) & anatomy.body_zyx[z], structure=IN_PLANE[1]
            )
            for box in ndimage.find_objects(holes, count):
                cm2 = float((holes[box] > 0).sum()) * dx * dy / 100
                off = abs((box[1].start + box[1].stop - 1) / 2 - middle) * dx
                if _AIRWAY_CM2[0] < cm2 < _AIRWAY_CM2[1] and off < _AIRWAY_OFF_MIDLINE_MM:
                    found += 1
                    break
        return found

    above = slices_with_airway(high - quarter, high + 1)
    below = slices_with_airway(low, low + quarter + 1)
    return 0.5 * (above - below) / max(1, above + below)


def _bone_behind(anatomy: Anatomy, low: int, high: int, middle: float) -> float:
    """Near the midline most bone is the spine."""
    reach = _SPINE_BAND_MM / spacing_of(anatomy.affine_lps)[2]
    band = np.s_[low : high + 1, :, max(0, round(middle - reach)) : round(middle + reach) + 1]
    rows = np.nonzero((anatomy.hu_zyx[band] > _BONE_HU) & anatomy.body_zyx[band])[1]
    if not len(rows):
        return 0.0
    front, back = extent(anatomy.lungs_zyx, 1)
    return float(rows.mean() - (front + back) / 2) / (back - front + 1)


def _recess_behind(lungs: Mask, low: int, high: int) -> float:
    """The lungs reach farthest down at the back."""
    front, back = extent(lungs, 1)
    lowest = np.nonzero(lungs[low : low + max(2, (high - low + 1) // 8)])[1]
    if not len(lowest):
        return 0.0
    return float(lowest.mean() - np.nonzero(lungs)[1].mean()) / (back - front + 1)


def _heart_left(anatomy: Anatomy, low: int, high: int, middle: float) -> float:
    """Between the lower halves of the lungs tissue lies to the left of the spine."""
    dx = spacing_of(anatomy.affine_lps)[2]
    front, back = extent(anatomy.lungs_zyx, 1)
    posterior = round(back - 0.25 * (back - front))
    reach = _SPINE_BAND_MM / dx
    bone = anatomy.hu_zyx[low : high + 1, posterior:] > _BONE_HU
    columns = np.nonzero(bone)[2]
    columns = columns[np.abs(columns - middle) < reach]
    spine = float(columns.mean()) if len(columns) else middle
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
    return offset * dx / count / 20 if count else 0.0


def _right_lung_larger(lungs: Mask, middle: float) -> float:
    right = int(lungs[:, :, : round(middle)].sum())
    left = int(lungs.sum()) - right
    if not right or not left or not 1 / _EVEN_LUNGS < right / left < _EVEN_LUNGS:
        return 0.0
    return math.log(right / left) * 2
