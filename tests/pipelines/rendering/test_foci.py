"""Foci lie where the evidence was put, and the sums are the network's own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.volumes import Volume
from pipelines.rendering.content import MAX_FOCI, ScanReport, Side, Zone
from pipelines.rendering.foci import SliceAxis, evidence, slice_profile
from pipelines.rendering.landmarks import Landmarks

AXIS = SliceAxis(np.arange(20) * 5.0, np.arange(20, 0, -1))
LANDMARKS = Landmarks(midline_x_mm=40.0, lungs_z_mm=(0.0, 90.0))
AFFINE = np.diag([20.0, 20.0, 10.0, 1.0])


def test_a_planted_cell_becomes_a_focus_with_its_place(report: ScanReport, volume: Volume) -> None:
    nodule = report.findings[0]
    assert [focus.side for focus in nodule.foci] == [Side.LEFT, Side.RIGHT]
    assert [focus.zone for focus in nodule.foci] == [Zone.LOWER, Zone.UPPER]
    focus = nodule.foci[0]
    # Cell (2, 4, 5) covers columns 50 to 59, rows 40 to 49 and slices 10 to 14 of the volume.
    low = (volume.affine_lps @ [49.5, 39.5, 9.5, 1.0])[:3]
    high = (volume.affine_lps @ [59.5, 49.5, 14.5, 1.0])[:3]
    np.testing.assert_allclose(focus.box_lps.low_xyz_mm, low, atol=0.06)
    np.testing.assert_allclose(focus.box_lps.high_xyz_mm, high, atol=0.06)
    # Slice 1 is the uppermost of 45: index 12, the cell's middle, is slice 33.
    assert focus.best_slice == 33
    assert focus.slices[0] <= 33 <= focus.slices[1]
    assert focus.slices[1] - focus.slices[0] == pytest.approx(5, abs=1)
    assert focus.share == pytest.approx(2.0 / 3.5)
    assert focus.best_instance_uid is None


def test_the_logit_is_the_sum_of_its_parts(report: ScanReport) -> None:
    for finding in report.findings:
        parts = finding.evidence
        assert parts is not None
        total = parts.bias + parts.supporting + parts.opposing
        assert total == pytest.approx(finding.logit, abs=1e-4)


def test_no_support_means_no_focus() -> None:
    found = evidence(np.full((4, 4, 4), -1.0, np.float32), AFFINE, 0.5, AXIS, LANDMARKS)
    assert found.foci == ()
    assert found.supporting == 0
    assert found.opposing == -64


MAPS = arrays(np.float32, (5, 4, 4), elements=st.floats(-4, 4, width=32))


@settings(max_examples=60, deadline=None)
@given(MAPS)
def test_foci_are_few_ranked_disjoint_in_share_and_hold_their_peak(map_zyx: Any) -> None:
    found = evidence(map_zyx, AFFINE, 0.0, AXIS, LANDMARKS)
    assert len(found.foci) <= MAX_FOCI
    shares = [focus.share for focus in found.foci]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-9
    for focus in found.foci:
        box = focus.box_lps
        places = zip(box.low_xyz_mm, focus.peak_xyz_mm, box.high_xyz_mm, strict=True)
        assert all(low <= at <= high for low, at, high in places)
        assert focus.slices[0] <= focus.best_slice <= focus.slices[1]


def test_the_profile_peaks_where_the_evidence_is() -> None:
    map_zyx = np.zeros((10, 2, 2), np.float32)
    map_zyx[7] = 1.0
    profile = slice_profile(map_zyx, AFFINE, AXIS)
    assert profile.argmax() == 14  # z = 70 mm
    assert profile.max() == pytest.approx(1.0)
    assert profile[[0, 4, 19]].max() == 0.0


def test_the_midline_is_the_bodys_and_zones_are_thirds_of_the_lungs(volume: Volume) -> None:
    from model.volumes.anatomy import find_anatomy

    landmarks = Landmarks.of(find_anatomy(volume))
    middle = (volume.affine_lps @ [39.5, 39.5, 0.0, 1.0])[0]
    assert landmarks.midline_x_mm == pytest.approx(middle, abs=5)
    assert landmarks.lungs_z_mm == pytest.approx((-400 + 9 * 7, -400 + 38 * 7), abs=8)
    for offsets, side in (
        ([50], Side.LEFT), ([-50], Side.RIGHT), ([0], Side.MIDLINE), ([-50, 50], Side.BOTH),
        ([50, 60, 70, -50], Side.LEFT),
    ):  # fmt: skip
        assert landmarks.side(middle + np.array(offsets), np.ones(len(offsets))) is side
    assert [landmarks.zone(z - 30, z, z + 30) for z in (-330.0, -235.0, -140.0)] == [
        Zone.LOWER, Zone.MIDDLE, Zone.UPPER,
    ]  # fmt: skip
    assert landmarks.zone(-330.0, -235.0, -140.0) is Zone.ALL
    assert Landmarks(0.0, None).zone(-1.0, 0.0, 1.0) is None


def test_evidence_on_the_table_is_called_outside_the_body(volume: Volume) -> None:
    from model.volumes.anatomy import find_anatomy

    landmarks = Landmarks.of(find_anatomy(volume))
    affine = volume.affine_lps

    def ends(column: float, row: float) -> tuple[Any, Any]:
        low = (affine @ [column, row, 20.0, 1.0])[:3]
        return low, low + np.array([36.0, 36.0, 35.0])

    assert landmarks.holds_body(*ends(36, 36))
    assert landmarks.holds_body(*ends(20, 35))  # lung is body
    assert not landmarks.holds_body(*ends(2, 2))
    assert not landmarks.holds_body(*ends(36, 70))
