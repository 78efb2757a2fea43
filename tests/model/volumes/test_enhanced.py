"""Enhanced multi-frame CT: frames in any order, with their own rescale, and one that is missing."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from model.volumes import VolumeError, VolumeReason, find_volumes, read_volume
from tests.model.volumes.dicom_phantom import Plan, make_series, misplaced, plane_hu, save, set_hu
from tests.model.volumes.dicom_variants import assert_exact

highdicom = pytest.importorskip("highdicom", reason="highdicom makes the enhanced objects")

PLAN = Plan(slices=10)


def enhanced(series: list[Dataset]) -> Dataset:
    """The Legacy Converted Enhanced CT object of a series (PS3.3 A.70)."""
    for ds in series:
        ds.StudyTime = ds.ContentTime = ds.AcquisitionTime = "100000"
        ds.ContentDate = ds.AcquisitionDate = "20200102"
        ds.SeriesNumber, ds.StudyID, ds.ReferringPhysicianName = 1, "1", ""
        ds.PatientOrientation, ds.PositionReferenceIndicator = ["L", "P"], ""
        ds.BurnedInAnnotation = "NO"
    return highdicom.legacy.LegacyConvertedEnhancedCTImage(
        series, generate_uid(), 2, generate_uid(), 1
    )


def rearranged(ds: Dataset, order: list[int]) -> Dataset:
    frames = np.frombuffer(ds.PixelData, np.uint8).reshape(ds.NumberOfFrames, -1)
    groups = list(ds.PerFrameFunctionalGroupsSequence)
    ds.PixelData = frames[order].tobytes()
    ds.PerFrameFunctionalGroupsSequence = [groups[number] for number in order]
    ds.NumberOfFrames = len(order)
    return ds


@pytest.mark.parametrize("order", [list(range(10)), [3, 1, 4, 9, 5, 2, 6, 8, 7, 0]])
def test_frames_in_any_order_are_exact(order: list[int], tmp_path: Path) -> None:
    ds = rearranged(enhanced(make_series(PLAN)), order)
    assert_exact(read_volume(save([ds], tmp_path)), PLAN)


def test_each_frame_has_its_own_rescale(tmp_path: Path) -> None:
    series = make_series(PLAN)
    for number, ds in enumerate(series):
        ds.RescaleIntercept = -1000 - 7 * number
        set_hu(ds, plane_hu(ds))
    assert_exact(read_volume(save([enhanced(series)], tmp_path)), PLAN)


def test_a_frame_s_bad_rescale_is_not_replaced_by_another(tmp_path: Path) -> None:
    series = make_series(PLAN)
    for number, one in enumerate(series):
        one.RescaleIntercept = -1000 - 7 * number
    ds = enhanced(series)
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0  # at the top level they mean nothing
    groups = ds.PerFrameFunctionalGroupsSequence
    del groups[3].PixelValueTransformationSequence[0].RescaleSlope
    groups[3].PixelValueTransformationSequence[0].add_new(0x00281053, "LO", "one")
    with pytest.raises(VolumeError) as caught:
        read_volume(save([ds], tmp_path))
    assert caught.value.reason is VolumeReason.HU_UNKNOWN


def test_a_missing_frame_is_a_gap(tmp_path: Path) -> None:
    ds = rearranged(enhanced(make_series(PLAN)), [0, 1, 2, 3, 5, 6, 7, 8, 9])
    with pytest.raises(VolumeError) as caught:
        read_volume(save([ds], tmp_path))
    assert caught.value.reason is VolumeReason.GAP


@pytest.mark.parametrize("higher_mm", [0.0, 1.25])
def test_two_stacks_of_one_object_are_told_apart(higher_mm: float, tmp_path: Path) -> None:
    series = make_series(PLAN)
    other = deepcopy(series)
    for ds in other:
        ds.SOPInstanceUID = generate_uid()
        ds.ImagePositionPatient[2] += higher_mm
        set_hu(ds, plane_hu(ds) + 60)
    one, two = enhanced(series), enhanced(other)
    for stack, ds in (("1", one), ("2", two)):
        for group in ds.PerFrameFunctionalGroupsSequence:
            group.FrameContentSequence[0].StackID = stack
    one.PerFrameFunctionalGroupsSequence = [
        *one.PerFrameFunctionalGroupsSequence, *two.PerFrameFunctionalGroupsSequence
    ]  # fmt: skip
    one.PixelData, one.NumberOfFrames = one.PixelData + two.PixelData, 20
    volume = read_volume(save([one], tmp_path))
    assert volume.hu_zyx.shape[0] == 10
    assert "the series holds 2 reconstructions or phases" in volume.warnings


def test_fewer_frames_than_promised_is_truncated(tmp_path: Path) -> None:
    ds = enhanced(make_series(PLAN))
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    with pytest.raises(VolumeError) as caught:
        read_volume(save([ds], tmp_path))
    assert caught.value.reason is VolumeReason.TRUNCATED


def test_more_frames_than_groups_is_refused(tmp_path: Path) -> None:
    ds = enhanced(make_series(PLAN))
    ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:-1]
    with pytest.raises(VolumeError):
        read_volume(save([ds], tmp_path))


def test_several_enhanced_objects_of_one_series_are_one_volume(tmp_path: Path) -> None:
    series = make_series(PLAN)
    uid = generate_uid()
    parts = [enhanced(series[:5]), enhanced(series[5:])]
    for part in parts:
        part.SeriesInstanceUID = uid
    volume = read_volume(save(parts, tmp_path))
    assert_exact(volume, PLAN)
    assert len(find_volumes(tmp_path)) == 1
    assert misplaced(volume) == 0
