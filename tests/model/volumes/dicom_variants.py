"""DICOM series that look unusual and are right, and what it means to read one exactly."""

import random
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import openjpeg
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from model.volumes import Volume
from tests.model.volumes.dicom_phantom import (
    Plan,
    misplaced,
    plane_hu,
    set_hu,
    set_stored,
    stored_of,
)

PLAN = Plan()
Change = Callable[[list[Dataset]], list[Dataset] | None]


def corners_of(volume: Volume) -> np.ndarray:
    ends = [(0, size - 1) for size in volume.hu_zyx.shape[::-1]]
    index = np.array([[i, j, k, 1] for i in ends[0] for j in ends[1] for k in ends[2]])
    corners = (index @ volume.affine_lps.T)[:, :3]
    return np.asarray(corners[np.lexsort(np.round(corners, 3).T)])


def planned_corners(plan: Plan) -> np.ndarray:
    row, column, normal = plan.axes
    corners = np.array(
        [
            np.array(plan.origin)
            + i * plan.column_spacing_mm * row
            + j * plan.row_spacing_mm * column
            + k * plan.step_mm * normal
            for i in (0, plan.columns - 1)
            for j in (0, plan.rows - 1)
            for k in (0, plan.slices - 1)
        ]
    )
    return np.asarray(corners[np.lexsort(np.round(corners, 3).T)])


def assert_exact(volume: Volume, plan: Plan = PLAN) -> None:
    assert misplaced(volume) == 0
    assert np.abs(corners_of(volume) - planned_corners(plan)).max() < 0.01
    directions = volume.affine_lps[:3, :3] / np.linalg.norm(volume.affine_lps[:3, :3], axis=0)
    assert (np.diag(directions) > 0.57).all(), "axes nearest to +x, +y, +z"
    assert (volume.hu_zyx > -1024).all()


def each(change: Callable[[Dataset], object]) -> Change:
    def on_all(series: list[Dataset]) -> None:
        for ds in series:
            change(ds)

    return on_all


def shuffled(series: list[Dataset]) -> list[Dataset]:
    return random.Random(1).sample(series, len(series))


def numbered_backwards(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.InstanceNumber = len(series) - number


def per_slice_rescale(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.RescaleSlope, ds.RescaleIntercept = (1, 0.5, 0.25)[number % 3], -1000 - 8 * number
        set_hu(ds, plane_hu(ds))


def garbage_above_stored_bits(ds: Dataset) -> None:
    ds.BitsStored, ds.HighBit = 12, 11
    set_stored(ds, stored_of(ds) & 0xFFF | 0xA000)


def signed_12_in_16(ds: Dataset) -> None:
    ds.RescaleIntercept, ds.PixelRepresentation = 0, 1
    ds.BitsStored, ds.HighBit = 12, 11
    set_stored(ds, np.rint(plane_hu(ds)).astype(np.int64) & 0xFFF)


def left_aligned_bits(ds: Dataset) -> None:
    ds.BitsStored, ds.HighBit = 12, 15
    set_stored(ds, stored_of(ds) << 4)


def with_scout(series: list[Dataset]) -> None:
    scout = deepcopy(series[0])
    scout.SOPInstanceUID = generate_uid()
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    series.append(scout)


def with_unmarked_coronal(series: list[Dataset]) -> None:
    with_scout(series)
    series[-1].ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]


def with_dose_page(series: list[Dataset]) -> None:
    page = deepcopy(series[0])
    page.SOPInstanceUID, page.SOPClassUID = generate_uid(), "1.2.840.10008.5.1.4.1.1.7"
    page.ImageType = ["DERIVED", "SECONDARY", "DOSE_INFO"]
    del page.ImagePositionPatient, page.ImageOrientationPatient
    series.append(page)


def with_copies(series: list[Dataset]) -> None:
    for ds in series[3:5]:
        copy = deepcopy(ds)
        copy.SOPInstanceUID = generate_uid()
        series.append(copy)


def with_reformat(series: list[Dataset]) -> None:
    for ds in series[:8]:
        copy = deepcopy(ds)
        copy.SOPInstanceUID = generate_uid()
        copy.ImageType = ["DERIVED", "SECONDARY", "MPR"]
        copy.ImagePositionPatient[2] += 1
        set_hu(copy, plane_hu(copy) + 50)
        series.append(copy)


def second_kernel(series: list[Dataset]) -> None:
    for ds in list(series):
        copy = deepcopy(ds)
        copy.SOPInstanceUID, copy.ConvolutionKernel = generate_uid(), "B70f"
        set_hu(copy, plane_hu(copy) + 50)
        series.append(copy)


def second_phase(series: list[Dataset]) -> None:
    for ds in list(series):
        copy = deepcopy(ds)
        copy.SOPInstanceUID, copy.AcquisitionNumber = generate_uid(), 2
        series.append(copy)
        set_hu(copy, plane_hu(copy) * 1.0)
        copy.PixelData = copy.PixelData[:-2] + b"\x00\x01"


def two_times(series: list[Dataset]) -> None:
    second_phase(series)
    for number, ds in enumerate(series):
        ds.AcquisitionNumber = 1
        ds.AcquisitionTime = f"1000{number + 20 * (number >= 16):02d}.25"


def slightly_long_cosines(ds: Dataset) -> None:
    ds.ImageOrientationPatient = [1.004, 0, 0, 0, 0.997, 0]


def in_ten_steps(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.AcquisitionNumber = number + 1


def rounded_positions(ds: Dataset) -> None:
    ds.ImagePositionPatient = [f"{float(value):.6f}" for value in ds.ImagePositionPatient]


def compress(ds: Dataset, syntax: UID) -> None:
    if syntax != JPEG2000Lossless:
        ds.compress(syntax, generate_instance_uid=False)
        return
    packed = openjpeg.encode(stored_of(ds).astype(np.uint16), codec_format=0)
    ds.PixelData = encapsulate([packed])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = syntax


def compressed(syntax: UID) -> Change:
    return each(lambda ds: compress(ds, syntax))


def mixed_syntaxes(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        syntax = (None, RLELossless, JPEG2000Lossless, JPEGLSLossless)[number % 4]
        if syntax:
            compress(ds, syntax)


def big_endian(ds: Dataset) -> None:
    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def set_all(**values: object) -> Change:
    def apply(ds: Dataset) -> None:
        for name, value in values.items():
            setattr(ds, name, value)

    return each(apply)


def without(*names: str) -> Change:
    def apply(ds: Dataset) -> None:
        for name in names:
            delattr(ds, name)

    return each(apply)


VALID: dict[str, Change] = {
    "as it is": lambda series: None,
    "files in another order": shuffled,
    "numbered backwards": numbered_backwards,
    "no instance numbers": without("InstanceNumber"),
    "no patient tags": without("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    "no SOP class": without("SOPClassUID"),
    "no frame of reference": without("FrameOfReferenceUID"),
    "no slice thickness": without("SliceThickness"),
    "thickness that lies": set_all(SliceThickness=5),
    "implicit little endian": each(
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", ImplicitVRLittleEndian)
    ),
    "explicit big endian": each(big_endian),
    "deflated": each(
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian)
    ),
    "RLE": compressed(RLELossless),
    "JPEG 2000 lossless": compressed(JPEG2000Lossless),
    "JPEG-LS lossless": compressed(JPEGLSLossless),
    "several syntaxes in one series": mixed_syntaxes,
    "slope and intercept of each slice": per_slice_rescale,
    "garbage above the stored bits": each(garbage_above_stored_bits),
    "signed 12 bits in 16": each(signed_12_in_16),
    "bits aligned to the left": each(left_aligned_bits),
    "MONOCHROME1": set_all(PhotometricInterpretation="MONOCHROME1"),
    "a scout in the series": with_scout,
    "an unmarked coronal in the series": with_unmarked_coronal,
    "a dose page in the series": with_dose_page,
    "a reformat in the series": with_reformat,
    "identical copies": with_copies,
    "two kernels in the series": second_kernel,
    "two phases in the series": second_phase,
    "two phases told apart by time": two_times,
    "cosines a little off unit length": each(slightly_long_cosines),
    "an acquisition a slice": in_ten_steps,
    "positions to a micrometre": each(rounded_positions),
    "rescale type HU": set_all(RescaleType="HU"),
    "derived but axial": set_all(ImageType=["DERIVED", "SECONDARY", "AXIAL"]),
    "a padding value that is not there": set_all(PixelPaddingValue=63536),
}
