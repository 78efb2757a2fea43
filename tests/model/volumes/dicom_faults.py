"""Faults of DICOM series, each with the reason it must be refused for."""

from collections.abc import Callable
from copy import deepcopy

from pydicom.dataset import Dataset
from pydicom.uid import UID, JPEGLSLossless, RLELossless, generate_uid

from model.volumes import VolumeReason
from tests.model.volumes.dicom_phantom import plane_hu, set_hu, set_stored, stored_of

R = VolumeReason
Change = Callable[[list[Dataset]], list[Dataset] | None]


def drop(*numbers: int) -> Change:
    return lambda series: [ds for number, ds in enumerate(series) if number not in numbers]


def on(number: int | None, **values: object) -> Change:
    """Set attributes on one slice, or on all when no number is given; ... deletes one."""

    def apply(series: list[Dataset]) -> None:
        for ds in series if number is None else [series[number]]:
            for name, value in values.items():
                if value is ...:
                    delattr(ds, name)
                else:
                    setattr(ds, name, value)

    return apply


def text(number: int | None, name: str, value: str) -> Change:
    """Write any text as an element's value, past the library's own checks."""

    def apply(series: list[Dataset]) -> None:
        for ds in series if number is None else [series[number]]:
            element = ds[name]
            ds.__delattr__(name)
            ds.add_new(element.tag, "LO", value)

    return apply


def at(heights: Callable[[int], float]) -> Change:
    """Put slice k at a height, with the HU that belong there."""

    def apply(series: list[Dataset]) -> None:
        for number, ds in enumerate(series):
            ds.ImagePositionPatient[2] = f"{heights(number):.6f}"
            set_hu(ds, plane_hu(ds))

    return apply


def doubled(change: Callable[[Dataset], object], numbers: range = range(16)) -> Change:
    """Add a changed copy of some slices."""

    def apply(series: list[Dataset]) -> None:
        for number in numbers:
            copy = deepcopy(series[number])
            copy.SOPInstanceUID = generate_uid()
            change(copy)
            series.append(copy)

    return apply


def brighter(ds: Dataset) -> None:
    set_stored(ds, stored_of(ds) + 40)


def tracked(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.ImagePositionPatient, ds.AcquisitionNumber = [0, 0, 0], number
        set_stored(ds, stored_of(ds) + number)


def jump(series: list[Dataset]) -> None:
    for ds in series[8:]:
        ds.ImagePositionPatient[0] += 5
        set_hu(ds, plane_hu(ds))


def one_off(series: list[Dataset]) -> None:
    series[7].ImagePositionPatient[1] += 1.5


def interleave_patients(series: list[Dataset]) -> None:
    for ds in series[::2]:
        ds.PatientID, ds.PatientName = "P-9", "Other^Person"


def smaller(number: int, **shape: int) -> Change:
    def apply(series: list[Dataset]) -> None:
        ds = series[number]
        rows, columns = shape.get("rows", ds.Rows), shape.get("columns", ds.Columns)
        stored = stored_of(ds)[:rows, :columns]
        ds.Rows, ds.Columns = rows, columns
        set_stored(ds, stored)

    return apply


def colour(series: list[Dataset]) -> None:
    for ds in series:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit = 7
        ds.PixelData = b"\0" * (ds.Rows * ds.Columns * 3)


def spoil_code_stream(series: list[Dataset]) -> None:
    series[5].compress(JPEGLSLossless, generate_instance_uid=False)
    packed = bytearray(series[5].PixelData)
    packed[40:48] = b"\xff" * 8
    series[5].PixelData = bytes(packed)


def rle_of_another_size(series: list[Dataset]) -> list[Dataset]:
    series[5].compress(RLELossless, generate_instance_uid=False)
    series[5].Rows = series[5].Columns = 4000
    return series[5:6]


def wrong_size_in_stream(series: list[Dataset]) -> None:
    series[5].compress(JPEGLSLossless, generate_instance_uid=False)
    packed = series[5].PixelData
    place = packed.index(b"\xff\xf7")
    series[5].PixelData = packed[: place + 5] + b"\xff\xff\xff\xff" + packed[place + 9 :]


def unknown_syntax(series: list[Dataset]) -> None:
    series[5].compress(RLELossless, generate_instance_uid=False)
    series[5].file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.100")


def tilt_too_far(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.ImagePositionPatient[1] = f"{-18 + 3.0 * number}"
        set_hu(ds, plane_hu(ds))


def uneven_lean(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.ImagePositionPatient[1] = f"{-18 + 0.1 * number**1.8:.6f}"


def uneven_and_aside(series: list[Dataset]) -> None:
    at(lambda k: 4 * k if k < 8 else 7 * k - 24)(series)
    jump(series)


FAULTS: dict[str, tuple[Change, VolumeReason]] = {
    # geometry
    "one slice missing": (drop(7), R.GAP),
    "second slice missing": (drop(1), R.GAP),
    "last but one slice missing": (drop(14), R.GAP),
    "three slices missing in a row": (drop(5, 6, 7), R.GAP),
    "three slices missing here and there": (drop(3, 8, 12), R.GAP),
    "every second slice of one half missing": (drop(9, 11, 13), R.GAP),
    "two step changes and a hole between": (
        at(lambda k: 5 * k if k < 8 else 25 + 2.5 * k), R.UNEVEN_STEP,
    ),
    "step changes and a slice is missing in a run": (
        at(lambda k: 4 * k + 4 * (k > 3) if k < 8 else 7 * k - 20), R.UNEVEN_STEP,
    ),
    "step from 1 to 10 mm": (at(lambda k: k if k < 8 else 10 * k - 63), R.UNEVEN_STEP),
    "step changes and the second half lies aside": (
        uneven_and_aside,
        R.SHIFT,
    ),
    "steps that grow without end": (at(lambda k: 0.2 * k * k + k), R.UNEVEN_STEP),
    "steps by turns": (at(lambda k: 2 * k + (k % 2) * 1.2), R.UNEVEN_STEP),
    "steps at random": (
        at(lambda k: (0, 2, 5, 6, 10, 11, 14, 19, 20, 24, 25, 29, 31, 36, 38, 39)[k]),
        R.UNEVEN_STEP,
    ),
    "one slice off by 1.3 mm": (at(lambda k: 2.5 * k + 1.3 * (k == 6)), R.UNEVEN_STEP),
    "thin slices, one missing": (
        at(lambda k: 0.5 * k if k < 8 else 0.5 * k + 0.5), R.GAP,
    ),
    "thin slices, half a step lost": (
        at(lambda k: 0.5 * k if k < 8 else 0.5 * k + 0.25), R.UNEVEN_STEP,
    ),
    "all at one position": (tracked, R.DUPLICATE_POSITION),
    "two images at one position": (doubled(brighter, range(6, 7)), R.DUPLICATE_POSITION),
    "all images twice, nothing tells them apart": (doubled(brighter), R.DUPLICATE_POSITION),
    "same instance UID, other pixels": (
        doubled(lambda ds: (brighter(ds), setattr(ds, "SOPInstanceUID", "1.2.3"))),
        R.DUPLICATE_POSITION,
    ),
    "images a micrometre apart": (
        at(lambda k: 2.5 * k if k != 9 else 2.5 * 8 + 0.001), R.DUPLICATE_POSITION,
    ),
    "sideways jump half-way": (jump, R.SHIFT),
    "one slice 1.5 mm to the side": (one_off, R.SHIFT),
    "a tilt no gantry has": (tilt_too_far, R.TILT),
    "a lean that grows": (uneven_lean, R.SHIFT),
    "position missing everywhere": (on(None, ImagePositionPatient=...), R.POSITION),
    "position missing once": (on(4, ImagePositionPatient=...), R.POSITION),
    "position of two numbers": (text(4, "ImagePositionPatient", "1\\2"), R.POSITION),
    "position of words": (text(4, "ImagePositionPatient", "a\\b\\c"), R.POSITION),
    "position not a number": (text(4, "ImagePositionPatient", "nan\\1\\2"), R.POSITION),
    "position infinite": (text(4, "ImagePositionPatient", "1e999\\1\\2"), R.POSITION),
    "orientation missing everywhere": (on(None, ImageOrientationPatient=...), R.ORIENTATION),
    "orientation missing once": (on(4, ImageOrientationPatient=...), R.ORIENTATION),
    "orientation of words": (text(None, "ImageOrientationPatient", "HFS"), R.ORIENTATION),
    "orientation zero": (on(None, ImageOrientationPatient=[0] * 6), R.ORIENTATION),
    "cosines 5 % too long": (
        on(None, ImageOrientationPatient=[1.05, 0, 0, 0, 1, 0]), R.ORIENTATION,
    ),
    "cosines not orthogonal": (
        on(None, ImageOrientationPatient=[1, 0, 0, 0.1736, 0.9848, 0]), R.ORIENTATION,
    ),
    "one slice turned by 2 degrees": (
        on(4, ImageOrientationPatient=[0.99939, 0.0349, 0, -0.0349, 0.99939, 0]), R.ORIENTATION,
    ),
    "one slice turned by 90 degrees": (
        on(4, ImageOrientationPatient=[0, 1, 0, -1, 0, 0]), R.GAP,
    ),
    "pixel spacing missing everywhere": (on(None, PixelSpacing=...), R.SPACING),
    "pixel spacing missing once": (on(4, PixelSpacing=...), R.SPACING),
    "pixel spacing zero": (on(None, PixelSpacing=[0, 0]), R.SPACING),
    "pixel spacing negative": (on(None, PixelSpacing=[-0.7, 0.9]), R.SPACING),
    "pixel spacing of one number": (text(None, "PixelSpacing", "0.7"), R.SPACING),
    "pixel spacing differs once": (on(4, PixelSpacing=[0.9, 0.8]), R.SPACING),
    "rows differ once": (smaller(4, rows=30), R.MATRIX),
    "columns differ once": (smaller(4, columns=30), R.MATRIX),
    "two frames of reference": (on(4, FrameOfReferenceUID="1.2.3"), R.FRAME_OF_REFERENCE),
    # identity
    "two patients by turns": (interleave_patients, R.IDENTITY),
    "one slice of another patient": (on(4, PatientID="P-9"), R.IDENTITY),
    "one slice of another name": (on(4, PatientName="Other^Person"), R.IDENTITY),
    "one slice of another birth date": (on(4, PatientBirthDate="19770707"), R.IDENTITY),
    "one slice of another study": (on(4, StudyInstanceUID="1.2.3"), R.IDENTITY),
    # HU
    "slope and intercept missing": (
        on(None, RescaleSlope=..., RescaleIntercept=...), R.HU_UNKNOWN,
    ),
    "slope missing once": (on(4, RescaleSlope=...), R.HU_UNKNOWN),
    "intercept missing once": (on(4, RescaleIntercept=...), R.HU_UNKNOWN),
    "slope zero": (on(None, RescaleSlope=0), R.HU_UNKNOWN),
    "slope zero once": (on(4, RescaleSlope=0), R.HU_UNKNOWN),
    "slope not a number": (text(None, "RescaleSlope", "nan"), R.HU_UNKNOWN),
    "intercept infinite": (text(None, "RescaleIntercept", "inf"), R.HU_UNKNOWN),
    "slope of words": (text(4, "RescaleSlope", "one"), R.HU_UNKNOWN),
    "rescale type unspecified": (on(None, RescaleType="US"), R.NOT_HU),
    "rescale type density": (on(None, RescaleType="MGML"), R.NOT_HU),
    "rescale type other once": (on(4, RescaleType="Z_EFF"), R.NOT_HU),
    # scope
    "magnetic resonance": (on(None, Modality="MR"), R.MODALITY),
    "PET": (on(None, Modality="PT"), R.MODALITY),
    "MR storage tagged CT": (on(None, SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), R.MODALITY),
    "no modality, no class": (on(None, Modality=..., SOPClassUID=...), R.MODALITY),
    "maximum projection": (on(None, ImageType=["DERIVED", "SECONDARY", "MIP"]), R.DERIVED),
    "minimum projection": (on(None, ImageType=["DERIVED", "SECONDARY", "MINIP"]), R.DERIVED),
    "vendor's projection": (
        on(None, ImageType=["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"]), R.DERIVED,
    ),
    "iodine map": (on(None, ImageType=["DERIVED", "PRIMARY", "IODINE"]), R.DERIVED),
    "monoenergetic": (
        on(None, ImageType=["DERIVED", "PRIMARY", "MONOENERGETIC"]), R.DERIVED,
    ),
    "perfusion": (on(None, ImageType=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]), R.DERIVED),
    "colour": (colour, R.DERIVED),
    "only a scout": (on(None, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), R.NO_IMAGES),
    "only screen captures": (on(None, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), R.NO_IMAGES),
    # pixels
    "fewer pixels than rows and columns": (on(4, PixelData=b"\0" * 100), R.TRUNCATED),
    "bits stored over bits allocated": (on(None, BitsStored=17, HighBit=16), R.PIXEL_FORMAT),
    "bits stored in thousands": (on(None, BitsStored=65000, HighBit=64999), R.PIXEL_FORMAT),
    "high bit below bits stored": (on(None, HighBit=11), R.PIXEL_FORMAT),
    "bits allocated 12": (on(None, BitsAllocated=12, BitsStored=12, HighBit=11), R.PIXEL_FORMAT),
    "rows zero": (on(None, Rows=0), R.PIXEL_FORMAT),
    "code stream damaged": (spoil_code_stream, R.CODEC),
    "code stream of another size": (wrong_size_in_stream, R.CODEC),
    "run lengths of another size": (rle_of_another_size, R.TOO_LARGE),
    "video": (unknown_syntax, R.CODEC),
}  # fmt: skip
