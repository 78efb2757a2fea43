"""Key objects point at the best slices, and at frames where the source has several in a file."""

from pathlib import Path

import pydicom
import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

from highdicom.seg import segread

from configs.contracts import INTENDED_USE
from model.volumes import Volume
from pipelines.rendering.content import Decision
from pipelines.rendering.dicom.write import write_dicom
from pipelines.rendering.reading import Reading
from tests.pipelines.rendering.dicom.made import (
    findings,
    make_series,
    read_made,
)


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
