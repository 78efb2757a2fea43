"""Files that look whole and are not what they seem: each is refused, split, or warned of."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import openjpeg
import pytest
import SimpleITK as sitk  # noqa: N813 (the field's usual name)
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, generate_uid

from model.volumes import Volume, VolumeError, VolumeReason, read_volume
from tests.model.volumes.dicom_phantom import (
    Plan,
    make_series,
    misplaced,
    plane_hu,
    save,
    set_hu,
    set_stored,
    stored_of,
)
from tests.model.volumes.phantom import affine_of, position_coded
from tests.model.volumes.plain_files import placed

R = VolumeReason


def refused(path: Path) -> VolumeReason:
    with pytest.raises(VolumeError) as caught:
        read_volume(path)
    return caught.value.reason


def read(series: list[Dataset], folder: Path) -> Volume:
    return read_volume(save(series, folder))


def half_a_step_apart(**differing: object) -> list[Dataset]:
    """Two acquisitions of one series whose slices lie between each other's."""
    first = make_series(Plan(step_mm=5.0))
    second = deepcopy(first)
    for ds in second:
        ds.SOPInstanceUID = generate_uid()
        ds.ImagePositionPatient[2] += 2.5
        set_hu(ds, plane_hu(ds) + 60)
        for name, value in differing.items():
            setattr(ds, name, value)
    return first + second


@pytest.mark.parametrize(
    "differing",
    [
        {"AcquisitionNumber": 2},
        {"KVP": 140},
        {"TemporalPositionIdentifier": 2},
        {"SliceThickness": 1.25},
        {"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]},
    ],
    ids=str,
)
def test_two_phases_half_a_step_apart_are_not_one_stack(
    differing: dict[str, object], tmp_path: Path
) -> None:
    volume = read(half_a_step_apart(**differing), tmp_path)
    assert volume.spacing_mm_zyx[0] == pytest.approx(5)
    bright = volume.hu_zyx - 60
    assert min(misplaced(volume), misplaced(_with(volume, bright))) == 0
    assert any("2 reconstructions or phases" in text for text in volume.warnings)


def test_two_phases_that_only_the_time_tells_apart_are_not_one_stack(tmp_path: Path) -> None:
    series = half_a_step_apart()
    for number, ds in enumerate(series):
        ds.AcquisitionTime = f"1010{number % 16 + 30 * (number >= 16):02d}.5"
    volume = read(series, tmp_path)
    assert volume.spacing_mm_zyx[0] == pytest.approx(5)
    assert any("2 reconstructions or phases" in text for text in volume.warnings)


def test_a_breath_between_two_table_positions_splits_nothing(tmp_path: Path) -> None:
    series = make_series(Plan())
    for number, ds in enumerate(series):
        ds.AcquisitionTime = f"1010{number + 30 * (number >= 8):02d}.5"
    assert read(series, tmp_path).hu_zyx.shape[0] == 16


def _with(volume: Volume, hu_zyx: np.ndarray) -> Volume:
    return Volume(hu_zyx, volume.affine_lps, "", volume.source)


def test_rotations_that_follow_each_other_are_one_stack(tmp_path: Path) -> None:
    series = make_series(Plan())
    for number, ds in enumerate(series):
        ds.AcquisitionNumber = number // 4
    volume = read(series, tmp_path)
    assert volume.hu_zyx.shape[0] == 16
    assert misplaced(volume) == 0


@pytest.mark.parametrize("name", ["PixelRepresentation", "BitsStored"])
def test_a_header_silent_on_signs_or_bits_is_refused(name: str, tmp_path: Path) -> None:
    series = make_series(Plan())
    delattr(series[4], name)
    save(series, tmp_path)
    assert refused(tmp_path) is R.PIXEL_FORMAT


def test_more_pixels_than_promised_are_refused(tmp_path: Path) -> None:
    series = make_series(Plan())
    series[4].PixelData += series[4].PixelData
    save(series, tmp_path)
    assert refused(tmp_path) is R.SIZE


@pytest.mark.parametrize(
    ("value", "limit"), [(1024, None), (1100, None), (0, 1500)], ids=["water", "tissue", "lung"]
)
def test_a_padding_value_that_names_tissue_takes_nothing_away(
    value: int, limit: int | None, tmp_path: Path
) -> None:
    series = make_series(Plan())
    for ds in series:
        ds.add_new("PixelPaddingValue", "US", value)
        if limit is not None:
            ds.add_new("PixelPaddingRangeLimit", "US", limit)
    volume = read(series, tmp_path)
    assert misplaced(volume) == 0
    assert (volume.hu_zyx > -1024).all()
    assert any("PixelPaddingValue" in text for text in volume.warnings)


def jpeg_2000(bits: int) -> list[Dataset]:
    """A series whose streams hold unsigned numbers of so many bits."""
    series = make_series(Plan())
    for ds in series:
        packed = encode_array(stored_of(ds).astype(np.uint16), bits_stored=bits)
        ds.PixelData = encapsulate([packed])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return series


def test_an_encoded_image_without_the_sign_that_the_header_claims_is_refused(
    tmp_path: Path,
) -> None:
    series = jpeg_2000(12)
    for ds in series:
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 1
    save(series, tmp_path)
    assert refused(tmp_path) is R.CODEC


def test_encoded_values_that_bits_stored_cannot_hold_are_refused(tmp_path: Path) -> None:
    series = jpeg_2000(16)
    for ds in series:
        ds.BitsStored, ds.HighBit = 10, 9  # the values reach 1350
    save(series, tmp_path)
    assert refused(tmp_path) is R.PIXEL_FORMAT


@pytest.mark.parametrize("number", [0, 7, 15])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.7])
def test_a_slice_whose_copy_broke_off_is_refused(number: int, share: float, tmp_path: Path) -> None:
    series = make_series(Plan())
    pixels = bytearray(series[number].PixelData)
    start = int(share * len(pixels))
    pixels[start:] = bytes(len(pixels) - start)
    series[number].PixelData = bytes(pixels)
    save(series, tmp_path)
    assert refused(tmp_path) is R.TRUNCATED


def test_a_blank_slice_of_a_volume_file_is_refused(tmp_path: Path) -> None:
    hu = position_coded((7, 40, 11), affine_of())
    hu[3, 25:] = -1024
    for rows in (slice(None), slice(None, None, -1)):
        sitk.WriteImage(placed(hu[:, rows]), str(tmp_path / "x.mha"))
        assert refused(tmp_path / "x.mha") is R.TRUNCATED


def test_room_air_that_all_slices_end_in_is_no_fault(tmp_path: Path) -> None:
    hu = position_coded((7, 40, 11), affine_of())
    hu[:, 20:] = -1024
    hu[3, 15:] = -1024  # a shoulder ends earlier here
    hu[2:5, 12:] = np.where(hu[2:5, 12:] > -1024, -900, -1024)
    sitk.WriteImage(placed(hu), str(tmp_path / "x.mha"))
    assert read_volume(tmp_path / "x.mha").hu_zyx.shape == (7, 40, 11)


def test_an_image_stored_twice_at_two_places_is_told(tmp_path: Path) -> None:
    series = make_series(Plan())
    set_stored(series[9], stored_of(series[8]))
    volume = read(series, tmp_path)
    assert any("1 slices repeat" in text for text in volume.warnings)


@pytest.mark.parametrize("spacing", [[0.0009, 0.0007], [90, 70]], ids=["metres", "micrometres"])
def test_pixel_spacing_in_another_unit_is_refused(spacing: list[float], tmp_path: Path) -> None:
    series = make_series(Plan())
    for ds in series:
        ds.PixelSpacing = spacing
    save(series, tmp_path)
    assert refused(tmp_path) is R.SPACING


@pytest.mark.parametrize(
    ("attributes", "doubt"),
    [
        ({"ReconstructionDiameter": 72}, "ReconstructionDiameter"),
        ({"SpacingBetweenSlices": 5}, "SpacingBetweenSlices"),
        ({"SliceThickness": 25}, "10 times as thick"),
        ({"ReconstructionDiameter": 36, "SpacingBetweenSlices": 2.5, "SliceThickness": 5}, ""),
        ({"ReconstructionDiameter": "", "SpacingBetweenSlices": -2.5}, ""),
    ],
)
def test_what_does_not_fit_the_positions_is_told(
    attributes: dict[str, object], doubt: str, tmp_path: Path
) -> None:
    series = make_series(Plan())
    for ds in series:
        for name, value in attributes.items():
            setattr(ds, name, value)
    warnings = read(series, tmp_path).warnings
    assert [doubt in text for text in warnings] == [True] * bool(doubt)


def test_positions_in_another_unit_are_refused(tmp_path: Path) -> None:
    series = make_series(Plan(step_mm=25.0))
    save(series, tmp_path)
    assert refused(tmp_path) is R.SPACING


def test_a_negative_slope_is_refused(tmp_path: Path) -> None:
    series = make_series(Plan())
    for ds in series:
        ds.RescaleSlope = -1
    save(series, tmp_path)
    assert refused(tmp_path) is R.HU_UNKNOWN


def nifti(folder: Path, offset: int, values: np.ndarray) -> Path:
    """A NIfTI with a qform alone and some header bytes overwritten."""
    image = placed(position_coded((7, 9, 11), affine_of()))
    path = folder / "x.nii"
    sitk.WriteImage(image, str(path))
    content = bytearray(path.read_bytes())
    content[252:256] = np.array([1, 0], "<i2").tobytes()
    content[offset : offset + values.nbytes] = values.tobytes()
    path.write_bytes(content)
    return path


def test_a_qform_that_is_no_rotation_or_has_no_size_is_refused(tmp_path: Path) -> None:
    assert read_volume(nifti(tmp_path, 252, np.array([1, 0], "<i2"))).hu_zyx.shape == (7, 9, 11)
    longer = np.array([0, 0, 1.05], "<f4")
    assert refused(nifti(tmp_path, 256, longer)) is R.ORIENTATION
    for sizes in ([-1, 1, 1], [1, 1, 0]):
        assert refused(nifti(tmp_path, 80, np.array(sizes, "<f4"))) is R.SPACING


def test_what_a_nifti_header_says_of_itself_is_believed(tmp_path: Path) -> None:
    label, slope = np.array([1002], "<i2"), np.array([-1, 0], "<f4")
    assert refused(nifti(tmp_path, 68, label)) is R.DERIVED
    assert refused(nifti(tmp_path, 112, slope)) is R.HU_UNKNOWN
    for offset in (352.5, np.nan, 1e30, -352):
        assert refused(nifti(tmp_path, 108, np.array([offset], "<f4"))) is R.UNREADABLE


@pytest.mark.parametrize("value", [-3000, -1024])
def test_nothing_but_padding_is_no_volume(value: int, tmp_path: Path) -> None:
    image = placed(np.full((7, 9, 11), value, np.int16))
    sitk.WriteImage(image, str(tmp_path / "x.mha"))
    assert refused(tmp_path / "x.mha") is R.NOT_HU


def test_the_geometry_of_a_program_that_knows_none_is_refused(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(position_coded((7, 9, 11), affine_of()))
    for name in ("x.mha", "x.nrrd", "x.nii.gz", "x.gipl"):
        sitk.WriteImage(image, str(tmp_path / name))
        assert refused(tmp_path / name) is R.ORIENTATION


def test_an_image_of_8_bits_among_16_is_refused(tmp_path: Path) -> None:
    series = make_series(Plan())
    set_stored(series[7], stored_of(series[7]) // 16)
    for number, ds in enumerate(series):
        kind = np.uint8 if number == 7 else np.uint16
        ds.PixelData = encapsulate([openjpeg.encode(stored_of(ds).astype(kind), codec_format=0)])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    save(series, tmp_path)
    assert refused(tmp_path) is R.PIXEL_FORMAT


@pytest.mark.parametrize(
    ("suffix", "old", "new", "reason"),
    [
        ("nrrd", b"kinds:", b'space units: "cm" "cm" "cm"\nkinds:', R.SPACING),
        ("nrrd", b"kinds:", b"space units: cm cm cm\nkinds:", R.SPACING),
        ("nrrd", b"kinds:", b'units: "cm" "cm" "cm"\nkinds:', R.SPACING),
        ("nrrd", b"kinds:", b"old min: -1024\nold max: 3071\nkinds:", R.HU_UNKNOWN),
        ("nrrd", b"kinds:", b'sample units: "mg/ml"\nkinds:', R.NOT_HU),
        ("nrrd", b"kinds: domain", b"kinds: vector", R.PIXEL_FORMAT),
        ("nrrd", b"dimension: 3", b"dimension: 2", R.PIXEL_FORMAT),
        ("nrrd", b"kinds:", b"space origin: (1,2,3)\nkinds:", R.UNREADABLE),
        ("mha", b"ElementType", b"Offset = 1 2 3\nElementType", R.UNREADABLE),
        ("mha", b"ElementType", b"ElementByteOrderMSB = True\nElementType", R.UNREADABLE),
        ("mha", b"ElementType", b"Modality = MET_MOD_MR\nElementType", R.MODALITY),
        ("mha", b"ObjectType = Image", b"ObjectType = Tube", R.UNREADABLE),
        ("mha", b"ElementType", b"DistanceUnits = um\nElementType", R.SPACING),
        ("mha", b"ElementType", b"ElementToIntensityFunctionOffset = -1024\nElementType",
         R.HU_UNKNOWN),
        ("mha", b"ElementType", b"ElementToIntensityFunctionSlope = 2\nElementType", R.HU_UNKNOWN),
    ],
)  # fmt: skip
def test_units_and_scales_that_readers_pass_over_are_refused(
    suffix: str, old: bytes, new: bytes, reason: VolumeReason, tmp_path: Path
) -> None:
    path = tmp_path / f"x.{suffix}"
    sitk.WriteImage(placed(np.zeros((3, 4, 5), np.int16)), str(path))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    assert refused(path) is reason
