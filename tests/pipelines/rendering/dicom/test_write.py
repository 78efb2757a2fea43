"""The DICOM objects of a report: they say what it says, where it says it, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

from highdicom.seg import segread
from highdicom.sr import srread
from pydicom.sr.coding import Code

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING, InputError
from model.volumes import Volume
from pipelines.rendering.content import Decision, Finding
from pipelines.rendering.dicom import codes
from pipelines.rendering.dicom.write import write_dicom
from pipelines.rendering.reading import Reading
from tests.pipelines.rendering.dicom.made import (
    COPIED,
    LEFT_BEHIND,
    ORIENTATIONS,
    make_series,
    read_made,
    write_series,
)


@pytest.fixture(scope="module")
def scan(volume: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("archive") / "scan", volume)


@pytest.fixture(scope="module")
def reading(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Reading:
    return read_made(scan, tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def written(reading: Reading, scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "dicom"
    paths = write_dicom(reading, scan, folder)
    assert [path.name for path in paths] == ["seg-01.dcm", "seg-02.dcm", "sr.dcm", "kos.dcm"]
    return folder


def items(dataset: Dataset) -> Iterator[Dataset]:
    """A data set and everything in its sequences."""
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from items(item)


def findings(reading: Reading, *decisions: Decision) -> list[Finding]:
    return [f for f in reading.content.findings if f.decision in decisions]


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


def test_the_report_states_the_numbers_of_its_content(reading: Reading, written: Path) -> None:
    groups = srread(written / "sr.dcm").content.get_image_measurement_groups()
    assert len(groups) == len(reading.content.findings)
    for group, finding in zip(groups, reading.content.findings, strict=True):
        assert group.tracking_identifier == finding.label
        assert group.finding_type == codes.finding_code(finding)
        said = {m.name: m.value for m in group.get_measurements() if m.name != codes.SHARE}
        assert said == {
            codes.PROBABILITY: pytest.approx(finding.probability, abs=1e-6),
            codes.THRESHOLD: pytest.approx(finding.threshold, abs=1e-6),
            codes.LOGIT: pytest.approx(finding.logit, abs=1e-6),
        }
        judged = {e.name: e.value for e in group.get_qualitative_evaluations()}
        assert judged[codes.DECISION] == codes.DECISIONS[finding.decision]
        assert judged[codes.CALIBRATION] == codes.CALIBRATIONS[finding.calibration]
        places = [focus.in_body for focus in finding.foci[:1]]
        assert [judged[codes.STRONGEST] for _ in places] == [codes.IN_BODY[p] for p in places]
    assert groups[2].finding_type == Code("60046008", "SCT", "Pleural effusion")
    assert groups[0].finding_type.scheme_designator == codes.SCHEME


def test_each_focus_names_its_place_its_slice_and_its_share(
    reading: Reading, written: Path
) -> None:
    sr = pydicom.dcmread(written / "sr.dcm")
    told = [
        (
            float(item.MeasuredValueSequence[0].FloatingPointValue),
            next(child.GraphicData for child in item.ContentSequence if "GraphicData" in child),
            next(
                child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
                for child in item.ContentSequence
                if "ReferencedSOPSequence" in child
            ),
        )
        for item in items(sr)
        if "MeasuredValueSequence" in item
        and any("GraphicData" in child for child in item.get("ContentSequence", []))
    ]
    foci = [
        focus
        for finding in findings(reading, Decision.PRESENT, Decision.INDETERMINATE)
        for focus in finding.foci
    ]
    assert len(told) == len(foci) == 4
    for (share, place, uid), focus in zip(told, foci, strict=True):
        assert share == pytest.approx(focus.share, abs=1e-6)
        assert place == pytest.approx(focus.peak_xyz_mm, abs=0.01)
        assert uid == focus.best_instance_uid
    frame = next(item for item in items(sr) if "GraphicData" in item)
    assert (
        frame.ReferencedFrameOfReferenceUID
        == pydicom.dcmread(written / "seg-01.dcm").FrameOfReferenceUID
    )


def test_every_reference_leads_to_an_object(reading: Reading, scan: Path, written: Path) -> None:
    there = {pydicom.dcmread(path).SOPInstanceUID for path in (*scan.iterdir(), *written.iterdir())}
    for path in written.iterdir():
        for item in items(pydicom.dcmread(path)):
            if "ReferencedSOPInstanceUID" in item:
                assert item.ReferencedSOPInstanceUID in there
    segments = srread(written / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert len(segments) == 3
    made = segread(written / "seg-01.dcm")
    nodule = codes.finding_code(reading.content.findings[0])
    for segment, description in zip(segments[:2], made.SegmentSequence, strict=True):
        assert segment.finding_type == codes.EVIDENCE  # no viewer lists it as the finding
        assert {e.name: e.value for e in segment.get_qualitative_evaluations()}[
            codes.EVIDENCE_FOR
        ] == nodule
        assert segment.tracking_uid == description.TrackingUID
        assert segment.tracking_identifier == description.TrackingID


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_segment_is_its_focus_on_the_source_s_own_grid(
    volume: Volume, orientation: str, tmp_path: Path
) -> None:
    scan = write_series(tmp_path / "scan", volume, orientation)
    reading = read_made(scan, tmp_path / "bundle")
    write_dicom(reading, scan, tmp_path / "out")
    shown = reading.content.having(Decision.PRESENT)
    assert len(shown) == 2
    for number, finding in enumerate(shown, start=1):
        made = segread(tmp_path / "out" / f"seg-{number:02}.dcm")
        assert made.number_of_segments == len(finding.foci)
        for segment, focus in enumerate(finding.foci, start=1):
            assert finding.name in made.get_segment_description(segment).segment_label
            places = marked_places(made, segment)
            low, high = places.min(axis=0), places.max(axis=0)
            voxel_mm = np.array(volume.spacing_mm_zyx[::-1])
            box = np.array([focus.box_lps.low_xyz_mm, focus.box_lps.high_xyz_mm])
            inset = np.array([low - box[0], box[1] - high])
            assert np.all(inset > -0.1)
            assert np.all(inset < voxel_mm)


def marked_places(made: Dataset, segment: int) -> np.ndarray:
    """LPS mm of a segment's pixels, by nothing but the header of the object."""
    groups = made.SharedFunctionalGroupsSequence[0]
    orientation = np.array(groups.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    down, across = (float(mm) for mm in groups.PixelMeasuresSequence[0].PixelSpacing)
    places = []
    frames = np.reshape(made.pixel_array, (-1, made.Rows, made.Columns))
    for pixels, frame in zip(frames, made.PerFrameFunctionalGroupsSequence, strict=True):
        holder = frame if "SegmentIdentificationSequence" in frame else groups
        if holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment:
            corner = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
            rows, columns = np.nonzero(pixels)
            places.append(
                corner
                + columns[:, None] * across * orientation[:3]
                + rows[:, None] * down * orientation[3:]
            )
    return np.concatenate(places)


def test_key_objects_are_the_best_slices_of_what_is_present(
    reading: Reading, written: Path
) -> None:
    selection = pydicom.dcmread(written / "kos.dcm")
    chosen = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in selection.ContentSequence
        if item.ValueType == "IMAGE"
    }
    expected = {
        f.best_instance_uid for one in findings(reading, Decision.PRESENT) for f in one.foci
    }
    assert chosen == expected
    assert INTENDED_USE in next(i.TextValue for i in selection.ContentSequence if "TextValue" in i)


def test_a_multi_frame_source_is_referred_to_by_frame(volume: Volume, tmp_path: Path) -> None:
    from highdicom.legacy import LegacyConvertedEnhancedCTImage

    series = make_series(volume)
    for image in series:
        image.ContentDate = image.AcquisitionDate = "20200102"
        image.ContentTime = image.AcquisitionTime = "100000"
        image.PatientOrientation, image.PositionReferenceIndicator = ["L", "P"], ""
        image.BurnedInAnnotation = "NO"
    whole = LegacyConvertedEnhancedCTImage(series, "1.2.826.7", 2, "1.2.826.8", 1)
    (tmp_path / "scan").mkdir()
    whole.save_as(tmp_path / "scan" / "enhanced.dcm", enforce_file_format=True)

    reading = read_made(tmp_path / "scan", tmp_path / "bundle")
    write_dicom(reading, tmp_path / "scan", tmp_path / "out")
    positions = [
        frame.PlanePositionSequence[0].ImagePositionPatient
        for frame in whole.PerFrameFunctionalGroupsSequence
    ]
    selection = pydicom.dcmread(tmp_path / "out" / "kos.dcm").ContentSequence[-1]
    numbers = selection.ReferencedSOPSequence[0].ReferencedFrameNumber
    present = findings(reading, Decision.PRESENT)
    peaks = sorted({focus.peak_xyz_mm[2] for finding in present for focus in finding.foci})
    chosen = sorted(float(positions[number - 1][2]) for number in numbers)
    assert chosen == pytest.approx(peaks, abs=7.1)  # half a slice
    made = segread(tmp_path / "out" / "seg-01.dcm")
    for frame in made.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert (
            positions[source.ReferencedFrameNumber - 1]
            == frame.PlanePositionSequence[0].ImagePositionPatient
        )


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


def test_objects_carry_patient_and_study_and_nothing_else_of_the_source(
    volume: Volume,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    assert len(LEFT_BEHIND) >= 60
    scan = write_series(tmp_path / "scan", volume, **LEFT_BEHIND)
    reading = read_made(scan, tmp_path / "bundle")
    caplog.clear()
    recwarn.clear()
    paths = write_dicom(reading, scan, tmp_path / "out")
    out, err = capfd.readouterr()
    said = out + err + caplog.text + " ".join(str(warning.message) for warning in recwarn)
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
    volume: Volume,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
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
    reading = read_made(scan, tmp_path / "bundle")
    caplog.clear()
    recwarn.clear()
    paths = write_dicom(reading, scan, tmp_path / "out")
    out, err = capfd.readouterr()
    said = out + err + caplog.text + " ".join(str(warning.message) for warning in recwarn)
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
