"""Is it a whole, upright chest CT in HU? Judged by classical image analysis, not by the header."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from model.volumes.anatomy import Anatomy, Mask, depth_mm, extent, find_anatomy
from model.volumes.blank import corner_padding
from model.volumes.upright import Upright, judge
from model.volumes.volume import PADDING_HU, HuArray, Volume, spacing_of


class AssessReason(StrEnum):
    """What was found. Public and versioned: add, never rename (docs/volumes.md)."""

    CONSTANT = "CONSTANT"
    NOISE = "NOISE"
    SHUFFLED = "SHUFFLED"
    NOT_HU = "NOT_HU"
    MASKED = "MASKED"
    HU_SHIFTED = "HU_SHIFTED"
    NO_BODY = "NO_BODY"
    NO_LUNGS = "NO_LUNGS"
    TOO_LITTLE_CHEST = "TOO_LITTLE_CHEST"
    PROPORTIONS = "PROPORTIONS"
    UPSIDE_DOWN = "UPSIDE_DOWN"
    BACK_TO_FRONT = "BACK_TO_FRONT"
    ON_ITS_SIDE = "ON_ITS_SIDE"
    # Notes on quality: the volume stays in scope.
    MIRRORED = "MIRRORED"
    UNUSUAL_PROPORTIONS = "UNUSUAL_PROPORTIONS"
    APEX_CUT = "APEX_CUT"
    BASE_CUT = "BASE_CUT"
    SIDES_CUT = "SIDES_CUT"
    THICK_SLICES = "THICK_SLICES"
    METAL = "METAL"
    NOISY = "NOISY"
    CHILD = "CHILD"


NOTES = frozenset(
    {
        AssessReason.MIRRORED,
        AssessReason.UNUSUAL_PROPORTIONS,
        AssessReason.APEX_CUT,
        AssessReason.BASE_CUT,
        AssessReason.SIDES_CUT,
        AssessReason.THICK_SLICES,
        AssessReason.METAL,
        AssessReason.NOISY,
        AssessReason.CHILD,
    }
)
"""Reasons that leave a volume in scope: a report names them, training may filter by them."""

_THIN_PIXELS = 64
_MIN_RANGE_HU = 100
_MIN_CORRELATION = 0.3
_MASKED_SHARE = 0.2
_MAX_DISORDER = 0.7
_FAR_MM = 15.0
_AIR_HU = (-1060, -920)
_TISSUE_HU = (-20, 160)
_MIN_LUNG_SHARE = 0.03
_MIN_LUNG_ML = 100.0
_MIN_LUNG_HEIGHT_MM = 120.0
_CUT_SHARE = 0.10
_USUAL_HEIGHT_TO_WIDTH = (0.4, 1.4)  # of the lungs, of the trunk
_POSSIBLE_HEIGHT_TO_WIDTH = (0.2, 1.8)
_TRUNK_DEPTH = 0.4  # of the deepest column: arms at the side are no trunk
_MAX_LUNG_WIDTH_MM = 450.0
_UPSIDE_DOWN = -0.25
_BACK_TO_FRONT = -0.2
_ON_ITS_SIDE = -0.2
_MIRRORED = -0.5
_SIDES_CUT_SHARE = 0.3
_THICK_MM = 5.05
_METAL_HU = 2500
_METAL_ML = 1.0
_SKIN_MM = 12.0
_NOISY_HU = 60.0
_ADULT_YEARS = 18


_BEHIND = {
    AssessReason.CONSTANT: ("p0_5_hu", "p99_5_hu"),
    AssessReason.NOISE: ("neighbour_correlation",),
    AssessReason.SHUFFLED: ("slice_disorder",),
    AssessReason.NOT_HU: ("p0_5_hu",),
    AssessReason.MASKED: ("one_value_share",),
    AssessReason.HU_SHIFTED: ("air_hu", "tissue_peak_hu"),
    AssessReason.NO_BODY: ("body_ml",),
    AssessReason.NO_LUNGS: ("lung_share",),
    AssessReason.TOO_LITTLE_CHEST: ("lungs_ml", "lung_height_mm"),
    AssessReason.PROPORTIONS: ("lung_height_mm", "lung_width_mm", "body_width_mm"),
    AssessReason.UPSIDE_DOWN: ("head_up",),
    AssessReason.BACK_TO_FRONT: ("spine_behind",),
    AssessReason.ON_ITS_SIDE: ("side_by_side", "cut_at_ends"),
    AssessReason.MIRRORED: ("left_on_left",),
    AssessReason.UNUSUAL_PROPORTIONS: ("lung_height_mm", "body_width_mm"),
    AssessReason.APEX_CUT: ("lung_at_top",),
    AssessReason.BASE_CUT: ("lung_at_bottom",),
    AssessReason.SIDES_CUT: ("body_at_sides",),
    AssessReason.THICK_SLICES: ("step_mm",),
    AssessReason.METAL: ("metal_ml",),
    AssessReason.NOISY: ("noise_hu",),
    AssessReason.CHILD: ("age_years",),
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """`in_scope` unless one of `reasons` is more than a note; each has its measurement."""

    in_scope: bool
    reasons: tuple[str, ...]
    measurements: dict[str, float]

    def behind(self, reason: str) -> dict[str, float]:
        """The measurements that a reason was given for."""
        names = _BEHIND[AssessReason(reason)]
        return {name: self.measurements[name] for name in names if name in self.measurements}


def assess(volume: Volume, anatomy: Anatomy | None = None) -> Assessment:
    """Judge a volume by its voxels; `anatomy` saves finding it again.

    Healthy, whole adult chests measure: lungs a fifth of the body or more, air near -1000 HU,
    soft tissue near 50 HU, and upright scores above 0.
    """
    measured: dict[str, float] = {}
    reasons = tuple(_reasons(volume, anatomy, measured))
    in_scope = NOTES.issuperset(reasons)
    rounded = {name: round(float(value), 4) for name, value in measured.items()}
    return Assessment(in_scope, tuple(str(reason) for reason in reasons), rounded)


def _reasons(
    volume: Volume, anatomy: Anatomy | None, measured: dict[str, float]
) -> Iterator[AssessReason]:
    """Find reasons, and write the measurement behind each into `measured`."""
    hu = volume.hu_zyx
    stride = max(1, min(hu.shape[1:]) // _THIN_PIXELS)
    thin = hu[:, ::stride, ::stride]
    low, high = np.percentile(thin[::2, ::2, ::2], (0.5, 99.5))
    measured |= {"p0_5_hu": low, "p99_5_hu": high}
    if high - low < _MIN_RANGE_HU:
        yield AssessReason.CONSTANT
        return
    if low > -500:
        yield AssessReason.NOT_HU  # a chest holds air
        return
    measured["one_value_share"] = _one_value_share(thin[::2, ::2, ::2])
    if measured["one_value_share"] > _MASKED_SHARE:
        yield AssessReason.MASKED
        return
    measured["neighbour_correlation"] = _correlation(thin)
    if measured["neighbour_correlation"] < _MIN_CORRELATION:
        yield AssessReason.NOISE
        return
    measured["slice_disorder"] = _disorder(hu, volume.spacing_mm_zyx[0])
    if measured["slice_disorder"] > _MAX_DISORDER:
        yield AssessReason.SHUFFLED
    anatomy = anatomy or find_anatomy(volume)
    body_ml = anatomy.body_zyx.sum() * anatomy.voxel_ml
    measured["body_ml"] = body_ml
    if body_ml < _MIN_LUNG_ML:
        yield AssessReason.NO_BODY
        return
    yield from _hu_reasons(anatomy, measured)
    lungs_ml = anatomy.lungs_zyx.sum() * anatomy.voxel_ml
    measured |= {"lungs_ml": lungs_ml, "lung_share": lungs_ml / body_ml}
    if lungs_ml < _MIN_LUNG_SHARE * body_ml:
        yield AssessReason.NO_LUNGS
        return
    if lungs_ml < _MIN_LUNG_ML:
        yield AssessReason.TOO_LITTLE_CHEST
        return
    yield from _coverage_reasons(volume, anatomy, measured)
    yield from _posture_reasons(judge(anatomy), measured)
    yield from _quality_reasons(volume, stride, anatomy, measured)


def _one_value_share(thin: HuArray) -> float:
    """How much of a volume the commonest HU above air fills: tissue spreads over a hundred."""
    if (padding := corner_padding(thin)) is not None:
        thin = thin[:, ~padding]
    solid = thin[thin > _AIR_HU[1]]
    return (
        float(np.bincount(solid.astype(np.int32) - int(solid.min())).max()) / thin.size
        if solid.size
        else 0.0
    )


def _correlation(thin: HuArray) -> float:
    """Between neighbouring pixels of the middle slices: anatomy is smooth, noise is not."""
    middle = thin[len(thin) // 4 : max(len(thin) // 4 + 1, 3 * len(thin) // 4)].astype(np.float32)
    a, b = middle[:, :, :-1].ravel(), middle[:, :, 1:].ravel()
    if a.size < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _disorder(hu_zyx: HuArray, step_mm: float) -> float:
    """How much a slice differs from the next, against one 15 mm away: near 1 when shuffled."""
    lag = max(4, round(_FAR_MM / step_mm))
    if len(hu_zyx) < 3 * lag:
        return 0.0
    # Means over blocks, or the noise of thin slices would look like disorder.
    rows, columns = (max(1, size // 12) for size in hu_zyx.shape[1:])
    # Slice by slice: reduceat would make the whole volume float32.
    bands = range(0, hu_zyx.shape[1], rows)
    means = np.stack([np.add.reduceat(hu, bands, axis=0, dtype=np.float32) for hu in hu_zyx])
    means = np.add.reduceat(means, range(0, hu_zyx.shape[2], columns), axis=2)
    near = float(np.abs(means[1:] - means[:-1]).mean())
    far = float(np.abs(means[lag:] - means[:-lag]).mean())
    return near / far if far else 0.0


def _hu_reasons(anatomy: Anatomy, measured: dict[str, float]) -> Iterator[AssessReason]:
    outside = anatomy.hu_zyx[~anatomy.body_zyx]
    air = outside[(outside > PADDING_HU) & (outside < -800)]
    tissue = anatomy.hu_zyx[anatomy.body_zyx]
    tissue = tissue[(tissue > -60) & (tissue < 300)]
    usual_air = usual_tissue = True
    if air.size > 500:
        # The lower quarter is air; the rest may be a mattress, or lung at the edge of the image.
        measured["air_hu"] = float(np.percentile(air, 25))
        usual_air = _AIR_HU[0] <= measured["air_hu"] <= _AIR_HU[1]
    if tissue.size > 500:
        measured["tissue_peak_hu"] = _mode(tissue)
        usual_tissue = _TISSUE_HU[0] <= measured["tissue_peak_hu"] <= _TISSUE_HU[1]
    sure_tissue = 20 <= measured.get("tissue_peak_hu", 0) <= 100
    if not usual_tissue or not (usual_air or sure_tissue):
        yield AssessReason.HU_SHIFTED


def _mode(values: HuArray) -> float:
    counts, edges = np.histogram(values, bins=np.arange(values.min(), values.max() + 20, 10))
    return float(edges[counts.argmax()] + 5)


def _coverage_reasons(
    volume: Volume, anatomy: Anatomy, measured: dict[str, float]
) -> Iterator[AssessReason]:
    area = anatomy.lungs_zyx.sum(axis=(1, 2))
    low, high = extent(anatomy.lungs_zyx, 0)
    step_mm = anatomy.step_zyx[0] * volume.spacing_mm_zyx[0]
    height = (high - low + 1) * step_mm
    chest = anatomy.body_zyx[low : high + 1]
    top, bottom = area[-1] / area.max(), area[0] / area.max()
    sides = float((chest[:, :, 0] | chest[:, :, -1]).any(axis=1).mean())
    measured |= {"lung_height_mm": height, "lung_at_top": top, "lung_at_bottom": bottom}
    measured["body_at_sides"] = sides
    yield from _shape_reasons(anatomy, chest, measured)
    if height < _MIN_LUNG_HEIGHT_MM and max(top, bottom) > _CUT_SHARE:
        yield AssessReason.TOO_LITTLE_CHEST
    if top > _CUT_SHARE:
        yield AssessReason.APEX_CUT
    if bottom > _CUT_SHARE:
        yield AssessReason.BASE_CUT
    if sides > _SIDES_CUT_SHARE:
        yield AssessReason.SIDES_CUT


def _shape_reasons(
    anatomy: Anatomy, chest: Mask, measured: dict[str, float]
) -> Iterator[AssessReason]:
    """Whether lungs are far too flat, tall or wide: a wrong step, or pixels of a wrong size.

    Height is told against the trunk's width, for a single lung may be left.
    """
    first, last = extent(chest, 2, _TRUNK_DEPTH)
    left, right = extent(anatomy.lungs_zyx, 2)
    column_mm = spacing_of(anatomy.affine_lps)[2]
    measured["body_width_mm"] = (last - first + 1) * column_mm
    measured["lung_width_mm"] = (right - left + 1) * column_mm
    ratio = measured["lung_height_mm"] / measured["body_width_mm"]
    whole = max(measured["lung_at_top"], measured["lung_at_bottom"]) <= _CUT_SHARE
    uncut = measured["body_at_sides"] <= _SIDES_CUT_SHARE

    def beyond(limits: tuple[float, float]) -> bool:
        return (whole and ratio < limits[0]) or (uncut and ratio > limits[1])

    if beyond(_POSSIBLE_HEIGHT_TO_WIDTH) or measured["lung_width_mm"] > _MAX_LUNG_WIDTH_MM:
        yield AssessReason.PROPORTIONS
    elif beyond(_USUAL_HEIGHT_TO_WIDTH):
        yield AssessReason.UNUSUAL_PROPORTIONS


def _posture_reasons(upright: Upright, measured: dict[str, float]) -> Iterator[AssessReason]:
    measured |= {
        "head_up": upright.head_up,
        "spine_behind": upright.spine_behind,
        "left_on_left": upright.left_on_left,
        "side_by_side": upright.side_by_side,
        "cut_at_ends": upright.cut_at_ends,
    }
    if upright.head_up < _UPSIDE_DOWN:
        yield AssessReason.UPSIDE_DOWN
    if upright.spine_behind < _BACK_TO_FRONT:
        yield AssessReason.BACK_TO_FRONT
    if min(upright.side_by_side, upright.cut_at_ends) < _ON_ITS_SIDE:
        yield AssessReason.ON_ITS_SIDE
    if upright.left_on_left < _MIRRORED:
        yield AssessReason.MIRRORED


def _quality_reasons(
    volume: Volume, stride: int, anatomy: Anatomy, measured: dict[str, float]
) -> Iterator[AssessReason]:
    step_mm = max(volume.spacing_mm_zyx)
    measured["step_mm"] = step_mm
    if step_mm > _THICK_MM:
        yield AssessReason.THICK_SLICES
    measured["metal_ml"] = _metal_ml(volume, stride, anatomy)
    if measured["metal_ml"] > _METAL_ML:
        yield AssessReason.METAL
    measured["noise_hu"] = _noise_hu(volume.hu_zyx)
    if measured["noise_hu"] > _NOISY_HU:
        yield AssessReason.NOISY
    if volume.source.age_years is not None and volume.source.age_years < _ADULT_YEARS:
        measured["age_years"] = volume.source.age_years
        yield AssessReason.CHILD
    lungs = anatomy.hu_zyx[anatomy.lungs_zyx]
    measured |= {"lung_median_hu": float(np.median(lungs)), "lung_below_950": (lungs < -950).mean()}


def _metal_ml(volume: Volume, stride: int, anatomy: Anatomy) -> float:
    """Within the body: the table, and cables and electrodes on the skin, do not count."""
    places = np.argwhere(volume.hu_zyx[:, ::stride, ::stride] > _METAL_HU)
    if not len(places):
        return 0.0
    _, dy, dx = spacing_of(anatomy.affine_lps)
    coarse = np.rint(places * (1, stride, stride) / anatomy.step_zyx).astype(int)
    coarse = np.minimum(coarse, np.asarray(anatomy.body_zyx.shape) - 1)
    # The segmented body takes in what lies on it.
    deep = depth_mm(anatomy.body_zyx, dy, dx) > _SKIN_MM
    voxel_ml = float(np.prod(volume.spacing_mm_zyx)) / 1000
    return int(deep[tuple(coarse.T)].sum()) * voxel_ml * stride**2


def _noise_hu(hu_zyx: HuArray) -> float:
    """The standard deviation of noise in soft tissue, from differences of neighbours (MAD)."""
    middle = hu_zyx[len(hu_zyx) // 2].astype(np.int32)
    left, right = middle[:, :-1], middle[:, 1:]
    soft = (np.abs(left - 40) < 150) & (np.abs(right - 40) < 150)
    steps = np.abs(right - left)[soft]
    return float(np.median(steps)) * 1.4826 / np.sqrt(2) if steps.size > 200 else 0.0
