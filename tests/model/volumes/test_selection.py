"""Of several series the best for a chest is read, the choice is told, and `series` overrules it."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from model.volumes import Candidate, VolumeError, VolumeReason, find_volumes, read_volume
from tests.model.volumes.dicom_phantom import Plan, make_series, save

STUDY = generate_uid()


def series(plan: Plan, **values: object) -> list[Dataset]:
    made = make_series(plan)
    for ds in made:
        ds.StudyInstanceUID = STUDY
        for name, value in values.items():
            setattr(ds, name, value)
    return made


THIN_SOFT = Plan(slices=40, step_mm=1)
THIN_SHARP = {"ConvolutionKernel": "B70f"}
REFORMAT = {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("best", "other"),
    [
        (series(THIN_SOFT), series(Plan(slices=8, step_mm=5))),
        (series(THIN_SOFT), series(THIN_SOFT, **THIN_SHARP)),
        (series(Plan(slices=8, step_mm=5)), series(THIN_SOFT, **REFORMAT)),
        (series(Plan(slices=8, step_mm=5)), series(Plan(slices=40, orientation=CORONAL))),
        (series(Plan(slices=20, step_mm=5)), series(THIN_SOFT)),
        (series(THIN_SOFT, **THIN_SHARP), series(Plan(slices=20, step_mm=2))),
        (series(Plan(slices=40, step_mm=1)), series(Plan(slices=160, step_mm=0.25))),
    ],
    ids=["thin", "soft", "original", "axial", "long", "thin before soft", "not too thin"],
)
def test_the_rule(best: list[Dataset], other: list[Dataset], tmp_path: Path) -> None:
    save(best, tmp_path / "b")
    save(other, tmp_path / "a")
    volume = read_volume(tmp_path)
    assert volume.series_uid == best[0].SeriesInstanceUID
    assert any("chosen from 2" in warning for warning in volume.warnings)
    asked = read_volume(tmp_path, series=other[0].SeriesInstanceUID)
    assert asked.series_uid == other[0].SeriesInstanceUID


def test_a_refused_series_beside_a_good_one_is_told(tmp_path: Path) -> None:
    good, short = series(THIN_SOFT), series(Plan())
    del short[7]
    save(good, tmp_path / "good")
    save(short, tmp_path / "short")
    volume = read_volume(tmp_path)
    assert volume.series_uid == good[0].SeriesInstanceUID
    assert any("refused: GAP" in warning for warning in volume.warnings)
    with pytest.raises(VolumeError) as caught:
        read_volume(tmp_path, series=short[0].SeriesInstanceUID)
    assert caught.value.reason is VolumeReason.GAP


def test_everything_below_a_folder_is_found(tmp_path: Path) -> None:
    short = series(Plan())
    del short[7]
    for name, made in (("a", series(THIN_SOFT)), ("b/c", series(Plan())), ("d", short)):
        save(made, tmp_path / name)
    found = find_volumes(tmp_path)
    readable = [item for item in found if isinstance(item, Candidate)]
    assert len(found) == 3
    assert sorted(item.read().hu_zyx.shape[0] for item in readable) == [16, 40]
    for item in readable:
        assert item.fingerprint() == item.read().source.sha256
    assert not any(str(STUDY) in repr(item) for item in found)


def test_a_series_of_cut_files_alone_is_refused_not_forgotten(tmp_path: Path) -> None:
    cut = save(series(Plan(slices=3)), tmp_path)
    for path in cut.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    save(series(THIN_SOFT), tmp_path, prefix="good")
    volume = read_volume(tmp_path)
    assert any("refused: TRUNCATED" in warning for warning in volume.warnings)
