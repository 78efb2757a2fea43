"""Series that must not become a volume: each is refused with its reason, never read wrongly."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.volumes import VolumeError, VolumeReason, read_volume
from tests.model.volumes import random_series
from tests.model.volumes.dicom_exports import EXPORT_FAULTS
from tests.model.volumes.dicom_faults import FAULTS
from tests.model.volumes.dicom_phantom import Plan, make_series, save

ALL_FAULTS = FAULTS | EXPORT_FAULTS


@pytest.mark.parametrize("name", ALL_FAULTS)
def test_a_fault_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    change, reason = ALL_FAULTS[name]
    series = make_series(Plan())
    series = change(series) or series
    folder = save(series, tmp_path / "series")
    with pytest.raises(VolumeError) as caught:
        read_volume(folder)
    assert caught.value.reason is reason
    message = str(caught.value)
    for canary in ("P-000123", "P-9", "Canary", "Other", "A-77", "1950", series[0].StudyDate):
        assert canary not in message
    assert "\n" not in message


@pytest.mark.parametrize("share", np.linspace(0.02, 0.99, 20))
def test_a_cut_file_is_refused_wherever_it_is_cut(share: float, tmp_path: Path) -> None:
    folder = save(make_series(Plan()), tmp_path)
    for number in (0, 7, 15):  # an end slice leaves no gap
        path = sorted(folder.iterdir())[number]
        whole = path.read_bytes()
        path.write_bytes(whole[: max(132, int(share * len(whole)))])
        with pytest.raises(VolumeError) as caught:
            read_volume(folder)
        assert caught.value.reason is VolumeReason.TRUNCATED
        path.write_bytes(whole)


def test_a_cut_file_in_a_folder_of_its_own_is_refused_too(tmp_path: Path) -> None:
    for number, ds in enumerate(make_series(Plan())):
        save([ds], tmp_path / f"{number}")
    path = tmp_path / "15" / "im0000"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(VolumeError, match="TRUNCATED"):
        read_volume(tmp_path)


def test_several_patients_or_studies_in_a_folder_are_ambiguous(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save(make_series(Plan()), tmp_path / name)
    with pytest.raises(VolumeError) as caught:
        read_volume(tmp_path)
    assert caught.value.reason is VolumeReason.AMBIGUOUS


def test_a_scout_is_not_taken_for_a_refused_scan(tmp_path: Path) -> None:
    scan = make_series(Plan())
    del scan[8]
    few = make_series(Plan(slices=3))
    for ds in few:
        ds.StudyInstanceUID = scan[0].StudyInstanceUID
    save(scan, tmp_path / "scan")
    save(few, tmp_path / "few")
    with pytest.raises(VolumeError) as caught:
        read_volume(tmp_path)
    assert caught.value.reason is VolumeReason.GAP


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\0" * 500])
def test_nothing_to_read_is_no_images(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "file.txt").write_bytes(content)
    for path in (tmp_path, tmp_path / "file.txt", tmp_path / "nowhere"):
        with pytest.raises(VolumeError) as caught:
            read_volume(path)
        assert caught.value.reason is VolumeReason.NO_IMAGES


def test_an_unknown_series_is_named_as_such(tmp_path: Path) -> None:
    series = make_series(Plan())
    save(series, tmp_path)
    assert read_volume(tmp_path, series=series[0].SeriesInstanceUID).hu_zyx.shape[0] == 16
    with pytest.raises(VolumeError) as caught:
        read_volume(tmp_path, series="1.2.3")
    assert caught.value.reason is VolumeReason.SERIES_NOT_FOUND


@settings(max_examples=40, deadline=None)
@given(dice=st.randoms(use_true_random=False))
def test_random_faults_never_give_a_wrong_volume(
    dice: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("series")
    assert random_series.outcome_of_faults(dice, folder) is not random_series.Outcome.WRONG
