"""Stacks that lean and steps that change: every voxel by its true position."""

from pathlib import Path

import numpy as np
import pytest

from model.volumes import read_volume
from tests.model.volumes.dicom_phantom import Plan, make_series, misplaced, plane_hu, save, set_hu


@pytest.mark.parametrize("degrees", [0.5, 2, 5, 12, 18.5, 30])
def test_gantry_tilt_is_corrected_by_its_shear(degrees: float, tmp_path: Path) -> None:
    tilt = np.radians(degrees)
    plan = Plan(orientation=(1, 0, 0, 0, float(np.cos(tilt)), float(-np.sin(tilt))))
    series = make_series(plan)
    for number, ds in enumerate(series):
        # The table moves along z while the planes lean.
        ds.ImagePositionPatient = [-16, -18, -20 + number * 2.5]
        set_hu(ds, plane_hu(ds))
    volume = read_volume(save(series, tmp_path))
    assert any("gantry tilt" in warning for warning in volume.warnings)
    assert misplaced(volume, tolerance_hu=1.01) < 0.025  # half a pixel at one edge
    assert misplaced(volume, tolerance_hu=2) == 0
    assert (volume.hu_zyx > -1024).sum() == 16 * 40 * 48


@pytest.mark.parametrize("slices", [16, 100])
def test_drift_within_a_millimetre_is_read(slices: int, tmp_path: Path) -> None:
    steps = np.linspace(2.49, 2.51, slices)
    series = make_series(Plan(slices=slices))
    for ds, z in zip(series, np.cumsum(steps), strict=True):
        ds.ImagePositionPatient[2] = f"{z:.6f}"
        set_hu(ds, plane_hu(ds))
    volume = read_volume(save(series, tmp_path))
    assert misplaced(volume, tolerance_hu=3.6) == 0  # 1 mm along z


CHANGING_STEPS = {
    "5 to 2.5 mm": (lambda k: 5 * k if k < 8 else 17.5 + 2.5 * k, 2.5, 23),
    "4 to 7 mm": (lambda k: 4 * k if k < 8 else 7 * k - 24, 4, 22),
    "7 to 4 mm": (lambda k: 7 * k if k < 8 else 4 * k + 21, 4, 21),
    "2.5 to 3.2 mm": (lambda k: 2.5 * k if k < 8 else 3.2 * k - 5.6, 2.5, 17),
    "4 to 7 mm, overlapping": (lambda k: 4 * k if k < 8 else 7 * k - 27, 4, 21),
    "4 to 7 mm, another step between": (lambda k: 4 * k if k < 8 else 7 * k - 22.5, 4, 21),
    "three runs": (lambda k: (5 * k, 25 + 2.5 * (k - 5), 37.5 + 5 * (k - 10))[(k > 5) + (k > 10)],
                   2.5, 26),
    "drift from 2 to 3 mm": (lambda k: 2 * k + k * k / 30, 2.5, 16),
}  # fmt: skip


@pytest.mark.parametrize("degrees", [0, 10])
@pytest.mark.parametrize("name", CHANGING_STEPS)
def test_steps_that_change_are_resampled_by_true_position(
    name: str, degrees: float, tmp_path: Path
) -> None:
    height, step, slices = CHANGING_STEPS[name]
    tilt = np.radians(degrees)
    plan = Plan(orientation=(1, 0, 0, 0, float(np.cos(tilt)), float(-np.sin(tilt))))
    series = make_series(plan)
    for number, ds in enumerate(series):
        ds.ImagePositionPatient = [-16, -18, f"{-20 + height(number) / np.cos(tilt):.6f}"]
        set_hu(ds, plane_hu(ds))
    volume = read_volume(save(series, tmp_path))
    assert any("resampled to" in warning for warning in volume.warnings)
    # Interpolation rounds, and a leaning stack's sides are half a pixel off.
    assert misplaced(volume, tolerance_hu=1.6) < (0.03 if degrees else 1e-9)
    assert misplaced(volume, tolerance_hu=2.6) == 0
    assert volume.spacing_mm_zyx[0] == pytest.approx(step, abs=0.02)
    assert volume.hu_zyx.shape[0] == len(volume.source.instance_uids)
    assert abs(volume.hu_zyx.shape[0] - slices) <= 1


def test_the_slices_of_the_finer_run_are_kept_as_they_are(tmp_path: Path) -> None:
    series = make_series(Plan())
    height = CHANGING_STEPS["4 to 7 mm"][0]
    rng = np.random.default_rng(0)
    images = rng.integers(-1000, 1000, (16, 40, 48))
    for number, ds in enumerate(series):
        ds.ImagePositionPatient[2] = f"{height(number)}"
        set_hu(ds, images[number])
    volume = read_volume(save(series, tmp_path))
    assert (volume.hu_zyx[:8] == images[:8]).all()
    assert volume.source.instance_uids[:8] == tuple(ds.SOPInstanceUID for ds in series[:8])
