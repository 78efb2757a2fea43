"""The structured report: the numbers, foci and references of its content."""

import dataclasses
from pathlib import Path

import pydicom
import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

from highdicom.seg import segread
from highdicom.sr import srread
from pydicom.sr.coding import Code

from pipelines.rendering import wording
from pipelines.rendering.content import Decision
from pipelines.rendering.dicom import codes
from pipelines.rendering.reading import Reading
from tests.pipelines.rendering.dicom.made import (
    findings,
    items,
)


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


def test_what_a_worklist_flags_and_the_report_does_not_is_told_with_both_thresholds(
    reading: Reading, scan: Path, tmp_path: Path
) -> None:
    from pipelines.rendering.dicom.write import write_dicom

    flagged = tuple(
        finding
        if finding.decision is Decision.PRESENT
        else finding.model_copy(update={"flagged_from": finding.probability / 2})
        for finding in reading.content.findings
    )
    content = reading.content.model_copy(update={"findings": flagged})
    (told,) = wording.two_verdicts(content)
    write_dicom(dataclasses.replace(reading, content=content), scan, tmp_path)
    said = items(pydicom.dcmread(tmp_path / "sr.dcm"))
    assert told in [item.TextValue for item in said if "TextValue" in item]


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
