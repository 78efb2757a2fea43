"""Which objects a report gives, how they are marked, and when they are the same or none."""

from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")


from configs.contracts import INTENDED_USE, PROBABILITY_MEANING, InputError
from model.volumes import Volume
from pipelines.rendering.dicom import codes
from pipelines.rendering.dicom.write import write_dicom
from pipelines.rendering.reading import Reading
from tests.pipelines.rendering.dicom.made import items, make_series, read_made


def test_every_object_is_marked_as_research_and_stays_unverified(written: Path) -> None:
    series = set()
    for path in written.iterdir():
        made = pydicom.dcmread(path)
        assert made.SeriesDescription == "RESEARCH - NOT FOR DIAGNOSIS"
        assert made.ContentQualification == "RESEARCH"
        scheme = made.CodingSchemeIdentificationSequence[0]
        assert scheme.CodingSchemeDesignator == codes.SCHEME
        series.add(made.SeriesInstanceUID)
    assert len(series) == 3
    sr = pydicom.dcmread(written / "sr.dcm")
    assert (sr.CompletionFlag, sr.VerificationFlag, sr.PreliminaryFlag) == (
        "PARTIAL",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    texts = [item.TextValue for item in items(sr) if "TextValue" in item]
    assert INTENDED_USE in texts
    assert PROBABILITY_MEANING in texts
    assert any("Trained on synthetic scans only" in text for text in texts)
    assert f"model {'44136fa355b3'}" in texts  # SHA-256 of the bundle's {}


def test_the_same_report_is_the_same_objects(
    reading: Reading, scan: Path, written: Path, tmp_path: Path
) -> None:
    later = reading.content.model_copy(update={"created": "2031-01-01T00:00:00+00:00"})
    again = write_dicom(replace(reading, content=later), scan, tmp_path / "again")
    changed = reading.content.model_copy(
        update={"findings": (reading.content.findings[0].model_copy(update={"probability": 0.998}),
                             *reading.content.findings[1:])}
    )  # fmt: skip
    other = write_dicom(replace(reading, content=changed), scan, tmp_path / "other")
    for path, changed_path in zip(again, other, strict=True):
        first, second = pydicom.dcmread(written / path.name), pydicom.dcmread(path)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
            assert first[keyword] == second[keyword]
            assert first[keyword] != pydicom.dcmread(changed_path)[keyword]
        assert first.get("PixelData") == second.get("PixelData")


def test_a_refused_scan_gets_no_object(reading: Reading, scan: Path, tmp_path: Path) -> None:
    assert write_dicom(Reading(reading.content), scan, tmp_path / "out") == ()
    assert not (tmp_path / "out").exists()


def test_a_source_without_a_study_is_named(reading: Reading, scan: Path, tmp_path: Path) -> None:
    assert reading.volume is not None
    plain = replace(reading.volume, source=replace(reading.volume.source, format="nifti"))
    with pytest.raises(InputError, match="not DICOM"):
        write_dicom(replace(reading, volume=plain), scan, tmp_path)


def test_a_source_without_a_frame_of_reference_is_named(volume: Volume, tmp_path: Path) -> None:
    scan = tmp_path / "scan"
    scan.mkdir()
    for number, image in enumerate(make_series(volume)):
        del image.FrameOfReferenceUID
        pydicom.dcmwrite(scan / f"{number}.dcm", image, enforce_file_format=True)
    with pytest.raises(InputError, match="FrameOfReferenceUID"):
        write_dicom(read_made(scan, tmp_path / "bundle"), scan, tmp_path / "out")


def test_a_network_without_evidence_gives_a_report_alone(scan: Path, tmp_path: Path) -> None:
    reading = read_made(scan, tmp_path / "bundle", maps=False)
    assert [path.name for path in write_dicom(reading, scan, tmp_path / "out")] == ["sr.dcm"]
