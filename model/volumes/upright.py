"""Which way a chest lies by its content alone, whatever the header says.

Signed scores, above 0 for a chest that is stored as it should be: head up, spine behind, left on
the left, lungs side by side, cut at its ends. Most are a sum of votes: disease can turn one.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from model.volumes.anatomy import IN_PLANE, Anatomy, Mask, extent
from model.volumes.sides import BONE_HU, SPINE_BAND_MM, left_on_left
from model.volumes.volume import spacing_of

_AIRWAY_HU = -500
_AIRWAY_CM2 = (0.8, 8.0)
_AIRWAY_OFF_MIDLINE_MM = 30.0
_ENDS_IN_AIR, _CUT_SIDES = 0.3, 0.4  # the sides of a small field of view cut the body too
_ONE_LUNG_WIDTH = 0.6  # of the body's; two lungs fill more of it along any axis


@dataclass(frozen=True, slots=True)
class Upright:
    """Scores of about -1 to 1 each; 0 says nothing."""

    head_up: float
    spine_behind: float
    left_on_left: float
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
        left_on_left=left_on_left(anatomy, low, high, middle),
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
    reach = SPINE_BAND_MM / spacing_of(anatomy.affine_lps)[2]
    band = np.s_[low : high + 1, :, max(0, round(middle - reach)) : round(middle + reach) + 1]
    rows = np.nonzero((anatomy.hu_zyx[band] > BONE_HU) & anatomy.body_zyx[band])[1]
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
