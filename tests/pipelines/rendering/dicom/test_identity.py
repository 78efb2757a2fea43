"""Objects carry patient and study, nothing else of the source, and no message names anybody."""

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")


from configs.contracts import InputError
from model.volumes import Volume
from pipelines.rendering.dicom.write import write_dicom
from tests.pipelines.rendering.dicom.made import COPIED, LEFT_BEHIND, items, read_made, write_series

Overheard = Callable[[Path], tuple[list[Path], str]]


@pytest.fixture
def overheard(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> Overheard:
    """Writes a scan's objects: their paths, and all that was said meanwhile."""

    def write(scan: Path) -> tuple[list[Path], str]:
        reading = read_made(scan, tmp_path / "bundle")
        caplog.clear()
        recwarn.clear()
        paths = write_dicom(reading, scan, tmp_path / "out")
        out, err = capfd.readouterr()
        warned = " ".join(str(warning.message) for warning in recwarn)
        return list(paths), out + err + caplog.text + warned

    return write


def test_objects_carry_patient_and_study_and_nothing_else_of_the_source(
    volume: Volume, tmp_path: Path, overheard: Overheard
) -> None:
    assert len(LEFT_BEHIND) >= 60
    scan = write_series(tmp_path / "scan", volume, **LEFT_BEHIND)
    paths, said = overheard(scan)
    assert "anary" not in said
    assert "CANARY" not in said
    assert any(b"SECRET" in path.read_bytes() for path in scan.iterdir())
    for path in paths:
        made = pydicom.dcmread(path)
        for keyword, value in COPIED.items():
            assert str(made[keyword].value) == value
        assert b"SECRET" not in path.read_bytes()
        assert all(not element.tag.is_private for item in items(made) for element in item)


def test_a_header_that_breaks_the_rules_is_neither_quoted_nor_copied(
    volume: Volume, tmp_path: Path, overheard: Overheard
) -> None:
    scan = write_series(
        tmp_path / "scan",
        volume,
        PatientName="CANARY NAME=OF=FOUR=PARTS" + "x" * 80,
        PatientID="CANARY" + "9" * 80,
        PatientBirthDate="CANARYDAY",
        PatientSex="CANARY",
        StudyTime="CANARY",
    )
    paths, said = overheard(scan)
    assert "CANARY" not in said
    for path in paths:
        made = pydicom.dcmread(path)
        assert (made.PatientSex, made.PatientBirthDate, made.StudyTime) == ("", "", "")
        assert made.PatientID == "CANARY" + "9" * 80  # an archive finds its patient by it


def test_who_may_not_be_named_gets_no_object(scan: Path, tmp_path: Path) -> None:
    reading = read_made(scan, tmp_path / "bundle", identified=False)
    with pytest.raises(InputError, match="--identified"):
        write_dicom(reading, scan, tmp_path / "out")
    assert not (tmp_path / "out").exists()
