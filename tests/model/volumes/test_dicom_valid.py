"""Series that look unusual and are right: each must come out exact, every voxel in its place."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.volumes import Volume, read_volume
from tests.model.volumes import random_series
from tests.model.volumes.dicom_exports import EXPORT_VALID
from tests.model.volumes.dicom_phantom import (
    Plan,
    make_series,
    misplaced,
    save,
    set_stored,
    stored_of,
)
from tests.model.volumes.dicom_variants import PLAN, VALID, assert_exact, shuffled

ALL_VALID = VALID | EXPORT_VALID


@pytest.mark.parametrize("name", ALL_VALID)
def test_unusual_but_valid(name: str, tmp_path: Path) -> None:
    series = make_series(PLAN)
    series = ALL_VALID[name](series) or series
    volume = read_volume(save(series, tmp_path / "series"))
    assert_exact(volume)
    assert volume.series_uid == series[0].get("SeriesInstanceUID", "")
    assert len(volume.source.instance_uids) == PLAN.slices


ORIENTATIONS = {
    "head first supine": (1, 0, 0, 0, 1, 0),
    "head first prone": (-1, 0, 0, 0, -1, 0),
    "feet first supine": (-1, 0, 0, 0, 1, 0),
    "feet first prone": (1, 0, 0, 0, -1, 0),
    "decubitus right": (0, 1, 0, -1, 0, 0),
    "decubitus left": (0, -1, 0, 1, 0, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.98480775, 0.17364818, 0, -0.17101007, 0.96984631, 0.17364818),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_any_orientation_becomes_canonical(name: str, tmp_path: Path) -> None:
    plan = Plan(orientation=ORIENTATIONS[name])
    volume = read_volume(save(make_series(plan), tmp_path / "series"))
    assert_exact(volume, plan)


def test_all_48_axis_codes_give_the_same_canonical_array(tmp_path: Path) -> None:
    axes = [np.array(axis) for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    for row in [sign * axis for axis in axes for sign in (1, -1)]:
        for column in [sign * axis for axis in axes for sign in (1, -1) if abs(axis @ row) < 0.5]:
            plan = Plan(5, 6, 7, orientation=(*map(float, row), *map(float, column)))
            code = "".join(f"{int(v):+d}" for v in (*row, *column))
            for order in (1, -1):
                series = make_series(plan)[::order]
                volume = read_volume(save(series, tmp_path / f"{code}{order}"))
                assert_exact(volume, plan)


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_small_series_are_read(slices: int, tmp_path: Path) -> None:
    volume = read_volume(save(make_series(Plan(slices=slices)), tmp_path))
    assert volume.hu_zyx.shape == (slices, 40, 48)
    assert misplaced(volume) == 0
    assert volume.spacing_mm_zyx == pytest.approx((2.5, 0.9, 0.7))


def test_a_single_file_is_read_by_its_own_path(tmp_path: Path) -> None:
    folder = save(make_series(PLAN), tmp_path)
    volume = read_volume(sorted(folder.iterdir())[3])
    assert volume.hu_zyx.shape == (1, 40, 48)
    assert volume.affine_lps[2, 3] == pytest.approx(PLAN.origin[2] + 3 * PLAN.step_mm)


def test_each_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    for number, ds in enumerate(shuffled(make_series(PLAN))):
        save([ds], tmp_path / f"{number:06d}.dcm")
    assert_exact(read_volume(tmp_path))


def test_junk_beside_the_series_is_listed(tmp_path: Path) -> None:
    folder = save(make_series(PLAN), tmp_path)
    (folder / "empty").write_bytes(b"")
    (folder / "DICOMDIR").write_bytes(b"\0" * 400)
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 300)
    (folder / "notes.txt").write_text("not a scan")
    volume = read_volume(folder)
    assert_exact(volume)
    listed = {"left out: empty file (2)", "left out: file that is no image (2)"}
    assert listed <= set(volume.warnings)


def test_files_without_preamble_are_read(tmp_path: Path) -> None:
    folder = save(make_series(PLAN), tmp_path)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    assert_exact(read_volume(folder))


@pytest.mark.parametrize("implicit", [True, False])
def test_bare_data_sets_are_read(implicit: bool, tmp_path: Path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    for number, ds in enumerate(make_series(PLAN)):
        del ds.file_meta
        ds.save_as(folder / f"{number}", implicit_vr=implicit, little_endian=True)
    assert_exact(read_volume(folder))


def test_files_that_are_links_are_read(tmp_path: Path) -> None:
    for path in save(make_series(PLAN), tmp_path / "real").iterdir():
        (tmp_path / "links").mkdir(exist_ok=True)
        (tmp_path / "links" / path.name).symlink_to(path)
    assert_exact(read_volume(tmp_path / "links"))


@pytest.mark.parametrize("value", [-2000, -3000, -32768])
@pytest.mark.parametrize("tagged", [True, False])
def test_padding_is_minus_1024(value: int, tagged: bool, tmp_path: Path) -> None:
    series = make_series(Plan(signed=True, intercept=-100))
    yy, xx = np.indices((40, 48))
    outside = (yy - 19.5) ** 2 + (xx - 23.5) ** 2 > 324
    for ds in series:
        stored = stored_of(ds)
        stored[outside] = value
        set_stored(ds, stored)
        if tagged:
            ds.PixelPaddingValue = value
            ds["PixelPaddingValue"].VR = "SS"
    volume = read_volume(save(series, tmp_path))
    assert (volume.hu_zyx[:, outside] == -1024).all()
    assert (volume.hu_zyx[:, ~outside] > -1024).all()
    assert misplaced(volume) == 0


def test_a_padding_range_is_honoured(tmp_path: Path) -> None:
    series = make_series(Plan(intercept=-1024))
    for ds in series:
        stored = stored_of(ds)
        stored[0], stored[1] = 64000, 64500
        set_stored(ds, stored)
        ds.PixelPaddingValue, ds.PixelPaddingRangeLimit = 64000, 65000
        ds["PixelPaddingValue"].VR = ds["PixelPaddingRangeLimit"].VR = "US"
    volume = read_volume(save(series, tmp_path))
    assert (volume.hu_zyx[:, :2] == -1024).all()
    assert misplaced(volume) == 0


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return read_volume(save(make_series(Plan(orientation=(1, 0, 0, 0, 0, -1))), tmp_path))


def test_a_voxel_leads_back_to_its_slice(volume: Volume, tmp_path: Path) -> None:
    import pydicom

    place = (volume.affine_lps @ np.array([3, 5, 7, 1]))[:3]
    index = {0: 7, 1: 5, 2: 3}[volume.source.instance_axis]
    uid = volume.source.instance_uids[index]
    ds = next(d for d in map(pydicom.dcmread, tmp_path.iterdir()) if uid == d.SOPInstanceUID)
    normal = np.cross(ds.ImageOrientationPatient[:3], ds.ImageOrientationPatient[3:])
    assert abs((place - np.array(ds.ImagePositionPatient, float)) @ normal) < 1e-6


def test_the_source_is_told_and_its_identities_are_not_printed(volume: Volume) -> None:
    source = volume.source
    assert (source.patient_id, source.accession, source.date) == ("P-000123", "A-77", "20200102")
    assert (source.sex, source.age_years, source.vendor, source.kernel) == (
        "F", 64, "siemens", "B30f",
    )  # fmt: skip
    assert source.contrast is None
    assert not source.synthetic
    assert source.shape == (16, 40, 48)
    for canary in ("P-000123", "A-77", "20200102", volume.series_uid, *source.instance_uids):
        assert canary not in repr(volume)


@settings(max_examples=25, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_random_valid_series_are_exact(
    dice: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("series")
    assert random_series.outcome_of_valid(dice, folder) is random_series.Outcome.RIGHT
