"""Content decides: chests are in scope, whatever else is not, and a lying header is found out."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.volumes import AssessReason, Volume, assess, read_volume
from model.volumes.anatomy import find_anatomy
from model.volumes.nrrd import read as read_nrrd
from model.volumes.upright import judge
from tests.model.volumes.phantom import affine_of, chest, volume_of, with_round_field

R = AssessReason
DATA = Path(__file__).parents[4] / "shared" / "data" / "ct"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared real scans are not here")
RNG = np.random.default_rng(1)


def volume(hu: np.ndarray, spacing: float = 5.0) -> Volume:
    return volume_of(np.ascontiguousarray(hu, np.int16), affine_of((spacing,) * 3))


def flipped(scan: Volume, axis: int) -> Volume:
    return replace(scan, hu_zyx=np.ascontiguousarray(np.flip(scan.hu_zyx, axis)))


CHEST = volume(chest())


def test_a_chest_is_in_scope() -> None:
    assessment = assess(CHEST)
    assert assessment.in_scope
    assert assessment.reasons == ()
    assert assessment.measurements["lungs_ml"] == pytest.approx(5500, rel=0.2)
    assert assessment.measurements["tissue_peak_hu"] == pytest.approx(45, abs=15)


@pytest.mark.parametrize(
    ("axis", "reason"), [(0, R.UPSIDE_DOWN), (1, R.BACK_TO_FRONT), (2, R.MIRRORED)]
)
def test_a_flip_is_seen_in_the_content(axis: int, reason: AssessReason) -> None:
    assert reason in assess(flipped(CHEST, axis)).reasons


def test_a_right_lung_that_lost_volume_does_not_mirror_a_chest() -> None:
    # The heart alone, drawn over, and the lungs' sizes would say so.
    assert assess(volume(chest(lost_on_the_right=60.0))).reasons == ()


def test_each_vote_for_up_and_down_counts_alone() -> None:
    without = judge(find_anatomy(volume(chest(airway=False)))).head_up
    with_airway = judge(find_anatomy(CHEST)).head_up
    assert without > 0.03
    assert with_airway == pytest.approx(without + 0.5, abs=0.15)


HU = chest()
ZZ, YY, XX = np.indices((40, 64, 64))
CYLINDER = (YY - 32) ** 2 + (XX - 32) ** 2 < 20**2
NONSENSE = {
    "zeros": (np.zeros((40, 64, 64)), R.CONSTANT),
    "air": (RNG.normal(-1000, 10, (40, 64, 64)), R.CONSTANT),
    "noise": (RNG.uniform(-1000, 1000, (40, 64, 64)), R.NOISE),
    "water phantom": (np.where(CYLINDER, 0, -1000) + RNG.normal(0, 5, (40, 64, 64)), R.NO_LUNGS),
    "magnetic resonance": (np.where(CYLINDER, 500 + 10 * YY, 0), R.NOT_HU),
    "raw values": (HU + 1024, R.NOT_HU),
    "shuffled slices": (HU[RNG.permutation(len(HU))], R.SHUFFLED),
    "150 HU too high": (HU + 150, R.HU_SHIFTED),
    "lying along y": (HU.transpose(1, 0, 2), R.ON_ITS_SIDE),
    "lying along y, wide along z": (HU.transpose(1, 2, 0), R.ON_ITS_SIDE),
    "transposed in its plane": (HU.transpose(0, 2, 1), R.ON_ITS_SIDE),
    "lungs alone, the rest 0": (np.where(HU < -600, HU, 0), R.MASKED),
    "background 0": (np.where(HU < -950, 0, HU), R.MASKED),
    "bytes swapped": (HU.byteswap(), R.NO_LUNGS),
    "below the lungs": (HU[:5], R.NO_LUNGS),
    "a few slices": (HU[28:34], R.TOO_LITTLE_CHEST),
    "one slice": (HU[30:31], R.TOO_LITTLE_CHEST),
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_out_of_scope(name: str) -> None:
    hu, reason = NONSENSE[name]
    assessment = assess(volume(hu))
    assert not assessment.in_scope
    assert reason in assessment.reasons


@pytest.mark.parametrize("spacing", [(0.5, 5, 5), (5, 2, 2), (5, 10, 10)])
def test_a_chest_of_impossible_shape_is_out_of_scope(spacing: tuple[float, float, float]) -> None:
    squeezed = volume_of(np.ascontiguousarray(HU), affine_of(spacing))
    assert R.PROPORTIONS in assess(squeezed).reasons


def test_a_lung_that_is_filled_does_not_make_a_chest_misshapen() -> None:
    _, yy, xx = np.indices(HU.shape)
    left = (xx > 42) & (HU < -700) & (abs(xx - 55) < 14) & (abs(yy - 41) < 19)
    assert assess(volume(np.where(left, 30 + RNG.normal(0, 20, HU.shape), HU))).in_scope


def test_one_lung_with_a_consolidation_lies_on_no_side() -> None:
    for lung in (-1, 1):
        hu = chest(lungs=(lung,))
        middle = slice(26, 34)
        hu[middle][hu[middle] < -700] = 40
        hu[middle, 0], hu[middle, -1] = -1000, -1000
        assert R.ON_ITS_SIDE not in assess(volume(hu)).reasons


def test_a_small_field_with_blank_slices_lies_on_no_side() -> None:
    small = HU[:, 18:62, 18:62]
    blank = np.full((3, *small.shape[1:]), -1024, np.int16)
    for hu in (np.concatenate([small, blank]), np.concatenate([blank, small, blank])):
        assert assess(volume(hu)).reasons == (R.SIDES_CUT,)


def test_unusual_chests_are_noted() -> None:
    slender = volume_of(chest(), affine_of((7.0, 4.0, 4.0)))  # 245 * 1.4 mm high, 264 mm wide
    flat = volume_of(chest((60, 80, 110), arms=True), affine_of((2.4, 5.0, 5.0)))
    for scan in (slender, flat):
        assessment = assess(scan)
        assert assessment.in_scope
        assert R.UNUSUAL_PROPORTIONS in assessment.reasons


def test_arms_at_the_side_are_no_trunk() -> None:
    width = assess(volume(chest((60, 80, 110), arms=True))).measurements["body_width_mm"]
    assert width == pytest.approx(assess(CHEST).measurements["body_width_mm"], abs=10)


def test_corners_outside_a_round_field_are_not_painted_over() -> None:
    assert assess(volume(with_round_field(HU))).in_scope
    painted = with_round_field(HU)
    painted[:, 20:60, 20:60] = 0
    assert assess(volume(painted)).reasons == (R.MASKED,)


def test_an_empty_room_with_a_speck_has_no_body() -> None:
    speck = np.where((abs(ZZ - 20) < 5) & (abs(YY - 30) < 10) & (abs(XX - 30) < 10), 40, -1000)
    assert assess(volume(speck, spacing=2.0)).reasons == (R.NO_BODY,)


@pytest.mark.parametrize("seed", range(20))
def test_random_nonsense_never_breaks_it(seed: int) -> None:
    dice = np.random.default_rng(seed)
    shape = tuple(dice.integers(1, 24, 3))
    low, high = sorted(dice.integers(-1024, 3000, 2))
    spacing = float(dice.uniform(0.3, 8))
    assert not assess(volume(dice.integers(low, high + 1, shape), spacing)).in_scope


def test_a_cut_chest_is_noted_and_stays_in_scope() -> None:
    for cut, reason in ((HU[:42], R.APEX_CUT), (HU[18:], R.BASE_CUT)):
        assessment = assess(volume(cut))
        assert assessment.in_scope
        assert reason in assessment.reasons


def test_notes_on_quality() -> None:
    noisy = HU + RNG.normal(0, 90, HU.shape)
    assert R.NOISY in assess(volume(noisy)).reasons
    thick = volume_of(chest(), affine_of((5.5, 5.0, 5.0)))
    assert R.THICK_SLICES in assess(thick).reasons
    metal = HU.copy()
    metal[30:33, 24:27, 38:41] = 3071
    assert R.METAL in assess(volume(metal)).reasons
    electrode = HU.copy()
    electrode[30:33, 16:18, 38:41] = 3071  # on the skin
    assert R.METAL not in assess(volume(electrode)).reasons
    child = replace(CHEST, source=replace(CHEST.source, age_years=7))
    assert R.CHILD in assess(child).reasons


def test_looking_at_volumes_loads_no_torch() -> None:
    script = (
        "import sys, model.volumes, model.volumes.store, model.volumes.preprocess;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@needs_data
@pytest.mark.parametrize(
    "name", ["cptac_chest", "lung_pet_ct_dx_A0001", "lung_pet_ct_dx_A0001/kernel_1", "cip/dicom"]
)
def test_real_chests_are_in_scope_and_their_flips_are_not(name: str) -> None:
    scan = read_volume(DATA / name)
    assert assess(scan).in_scope
    assert R.UPSIDE_DOWN in assess(flipped(scan, 0)).reasons
    assert R.BACK_TO_FRONT in assess(flipped(scan, 1)).reasons
    assert R.MIRRORED in assess(flipped(scan, 2)).reasons


@needs_data
@pytest.mark.parametrize("axes", [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_real_chest_on_another_axis_is_out_of_scope(axes: tuple[int, int, int]) -> None:
    scan = read_volume(DATA / "cip/dicom")
    spacing = tuple(scan.spacing_mm_zyx[axis] for axis in axes)
    hu = np.ascontiguousarray(scan.hu_zyx.transpose(axes))
    assert R.ON_ITS_SIDE in assess(volume_of(hu, affine_of(spacing))).reasons


@needs_data
@pytest.mark.parametrize(
    "name",
    [
        "totalseg/example_ct.nii.gz",  # abdomen
        "totalseg/example_ct_sm.nii.gz",
        "totalseg/example_mr_sm.nii.gz",
        "totalseg/aorta_report_test_result_models_ct_cropped.nii.gz",  # heart
        "totalseg/pulmonary_report_models_ct_cropped.nii.gz",
        "cip/lm-64.nrrd",  # a label map
        "cip/wholeLung-64.nrrd",
        "robustness/jpeg2000_no_sopclass",  # head
        "robustness/broken_geometry/gantrytilting/001",
    ],
)
def test_what_is_no_whole_chest_is_out_of_scope(name: str) -> None:
    assert not assess(read_volume(DATA / name)).in_scope


@needs_data
def test_the_lung_mask_agrees_with_a_published_one() -> None:
    found = find_anatomy(read_volume(DATA / "cip" / "ct-64.nrrd"))
    published = read_nrrd(DATA / "cip" / "wholeLung-64.nrrd").values_kji > 0
    both = (found.lungs_zyx & published).sum()
    assert 2 * both / (found.lungs_zyx.sum() + published.sum()) >= 0.95
