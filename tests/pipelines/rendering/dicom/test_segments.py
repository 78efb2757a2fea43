"""Segments are the foci of the report, on the source's own slices."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

from highdicom.seg import segread

from model.volumes import Volume
from pipelines.rendering.content import Decision
from pipelines.rendering.dicom.write import write_dicom
from tests.pipelines.rendering.dicom.made import (
    ORIENTATIONS,
    read_made,
    write_series,
)


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
