"""What workstations, anonymisers, archives and copying make of a DICOM series.

Faults with the reason they must be refused for, and series that look odd and are right.
"""

from copy import deepcopy

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from model.volumes import VolumeReason
from tests.model.volumes.dicom_faults import Change, at, doubled, on, text
from tests.model.volumes.dicom_phantom import plane_hu, set_hu, set_stored, stored_of
from tests.model.volumes.dicom_variants import big_endian, each

R = VolumeReason


def image_type(*values: str, **others: object) -> Change:
    return on(None, ImageType=list(values), **others)


def item(**values: object) -> Sequence:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return Sequence([made])


def derived_by_code(ds: Dataset) -> None:
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    ds.DerivationCodeSequence = item(CodeValue="113078", CodingSchemeDesignator="DCM")


def lookup_table(ds: Dataset) -> None:
    ds.ModalityLUTSequence = item(LUTDescriptor=[4096, 0, 16], ModalityLUTType="HU")


def signed_values_called_unsigned(ds: Dataset) -> None:
    hu = plane_hu(ds)
    hu[:, :20] = -1000
    ds.RescaleIntercept = 0
    set_hu(ds, hu)


def thirteen_bits_in_twelve(ds: Dataset) -> None:
    hu = plane_hu(ds)
    hu[5:15, 5:15] = 3200
    set_hu(ds, hu)
    ds.BitsStored, ds.HighBit = 12, 11


def a_tenth_higher(ds: Dataset) -> None:
    ds.ImagePositionPatient[2] += 0.1
    set_hu(ds, plane_hu(ds) + 20)


def swapped(series: list[Dataset]) -> None:
    a, b = series[4], series[11]
    a.ImagePositionPatient, b.ImagePositionPatient = b.ImagePositionPatient, a.ImagePositionPatient


def brighter_by(hu: int, numbers: slice) -> Change:
    def apply(series: list[Dataset]) -> None:
        for ds in series[numbers]:
            set_hu(ds, plane_hu(ds) + hu)

    return apply


def phases(**tells: tuple[object, object]) -> Change:
    """A second phase 30 HU brighter, half a step higher, told apart by the attributes named."""

    def apply(series: list[Dataset]) -> None:
        for ds in list(series):
            copy = deepcopy(ds)
            copy.SOPInstanceUID = generate_uid()
            copy.ImagePositionPatient[2] += 1.25
            set_hu(copy, plane_hu(copy) + 30)
            for name, (first, second) in tells.items():
                setattr(ds, name, first)
                setattr(copy, name, second)
            series.append(copy)

    return apply


def turning(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        c, s = np.cos(np.deg2rad(number / 2)), np.sin(np.deg2rad(number / 2))
        ds.ImageOrientationPatient = [f"{value:.8f}" for value in (c, s, 0, -s, c, 0)]


def creeping(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.PixelSpacing = [round(0.9 + 0.002 * number, 3), 0.7]


def half_turned(series: list[Dataset]) -> None:
    for ds in series[8:]:
        set_stored(ds, stored_of(ds)[::-1, ::-1])


def two_turned(series: list[Dataset]) -> None:
    for ds in series[6:8]:
        set_stored(ds, stored_of(ds)[:, ::-1])


EXPORT_FAULTS: dict[str, tuple[Change, VolumeReason]] = {
    # computed images
    "multi-energy: one energy": (image_type("DERIVED", "PRIMARY", "AXIAL", "VMI"), R.DERIVED),
    "multi-energy: one energy in a word": (
        image_type("DERIVED", "PRIMARY", "AXIAL", "MONOE70KEV"), R.DERIVED,
    ),
    "multi-energy: a material": (
        image_type("DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"), R.DERIVED,
    ),
    "multi-energy: without a material": (
        image_type("DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"), R.DERIVED,
    ),
    "multi-energy: electron density": (
        image_type("DERIVED", "PRIMARY", "AXIAL", "ELECTRON_DENSITY"), R.DERIVED,
    ),
    "a contrast of frames": (image_type("DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"), R.DERIVED),
    "cinematic rendering": (image_type("DERIVED", "SECONDARY", "CINEMATIC"), R.DERIVED),
    "bones removed, by its description": (
        image_type("DERIVED", "SECONDARY", "AXIAL", SeriesDescription="CTA Bone Removed"),
        R.DERIVED,
    ),
    "iodine, by its description": (
        image_type("DERIVED", "PRIMARY", "AXIAL", SeriesDescription="Thorax DE Iodine 1.0"),
        R.DERIVED,
    ),
    "projection, by its description": (
        image_type("DERIVED", "SECONDARY", "AXIAL", SeriesDescription="AX MIP 8x2"), R.DERIVED,
    ),
    "one energy, by its description": (
        image_type("DERIVED", "PRIMARY", "AXIAL", SeriesDescription="MonoE 50keV"), R.DERIVED,
    ),
    "segmented, by its description": (
        image_type("DERIVED", "SECONDARY", "AXIAL", SeriesDescription="Lung Segmentation"),
        R.DERIVED,
    ),
    "projection, by its derivation": (
        image_type(
            "DERIVED", "SECONDARY", "AXIAL", DerivationDescription="Maximum Intensity Projection"
        ),
        R.DERIVED,
    ),
    "projection, by a code": (each(derived_by_code), R.DERIVED),
    "projection, by its calculation": (
        image_type("DERIVED", "PRIMARY", "AXIAL", VolumeBasedCalculationTechnique="MAX_IP"),
        R.DERIVED,
    ),
    **{
        f"computed, by its description: {said}": (
            image_type("DERIVED", "PRIMARY", "AXIAL", SeriesDescription=said), R.DERIVED,
        )
        for said in (
            "CTPA MIPS 10mm", "AX MaxIP", "LUNG MIP10", "MinIPs", "AVE IP 5mm",
            "Virtual non contrast", "Iodine(Water)", "Mean intensity 10",
        )
    },
    "palette": (on(None, PhotometricInterpretation="PALETTE COLOR"), R.DERIVED),
    # HU
    "modified HU": (on(None, RescaleType="HU_MOD"), R.NOT_HU),
    "a lookup table beside slope and intercept": (each(lookup_table), R.HU_UNKNOWN),
    "intercept -8192 over 12-bit values": (on(None, RescaleIntercept=-8192), R.NOT_HU),
    "signed values called unsigned": (each(signed_values_called_unsigned), R.NOT_HU),
    "slope a thousandfold": (on(None, RescaleSlope=1000), R.NOT_HU),
    "slope a thousandth": (on(None, RescaleSlope=0.001), R.NOT_HU),
    "slope with a decimal comma": (text(None, "RescaleSlope", "1,0"), R.HU_UNKNOWN),
    "two intercepts": (text(None, "RescaleIntercept", "-1024\\-1024"), R.HU_UNKNOWN),
    "intercept lost in one slice": (on(7, RescaleIntercept=0), R.FOREIGN_SLICE),
    "intercept lost in the last slice": (on(15, RescaleIntercept=0), R.FOREIGN_SLICE),
    "one half 800 HU brighter": (brighter_by(800, slice(8, 16)), R.FOREIGN_SLICE),
    "two phases by turns, nothing tells": (brighter_by(150, slice(0, 16, 2)), R.FOREIGN_SLICE),
    # geometry
    "two slices swapped": (swapped, R.FOREIGN_SLICE),
    "position with a decimal comma": (
        text(None, "ImagePositionPatient", "-16,0\\-18,0\\1,25"), R.POSITION,
    ),
    "position with an empty value": (text(4, "ImagePositionPatient", "-16\\\\1.25"), R.POSITION),
    "pixel spacing with a decimal comma": (text(None, "PixelSpacing", "0,9\\0,7"), R.SPACING),
    "pixel spacing of three numbers": (text(None, "PixelSpacing", "0.9\\0.7\\2.5"), R.SPACING),
    "detector spacing instead": (
        on(None, ImagerPixelSpacing=[0.9, 0.7], PixelSpacing=...), R.SPACING,
    ),
    "axes that turn by half a degree a slice": (turning, R.ORIENTATION),
    "a pixel spacing that creeps": (creeping, R.SPACING),
    "the second half turned by half a turn": (half_turned, R.FOREIGN_SLICE),
    "two slices amid turned side to side": (two_turned, R.FOREIGN_SLICE),
    "positions gone, heights left": (
        on(None, ImagePositionPatient=[0, 0, 0], SliceLocation=1), R.DUPLICATE_POSITION,
    ),
    "a second pass a tenth of a millimetre on, nothing tells": (
        doubled(a_tenth_higher),
        R.UNEVEN_STEP,
    ),
    "one slice says two frames": (on(15, NumberOfFrames=2), R.POSITION),
    # pixels
    "13 bits in 12": (each(thirteen_bits_in_twelve), R.PIXEL_FORMAT),
    # identity
    "patient id lost in some slices": (on(3, PatientID=""), R.IDENTITY),
}  # fmt: skip


def colour_page(series: list[Dataset]) -> None:
    page = deepcopy(series[0])
    page.SOPInstanceUID, page.ImageType = generate_uid(), ["DERIVED", "SECONDARY"]
    page.SamplesPerPixel, page.PhotometricInterpretation, page.PlanarConfiguration = 3, "RGB", 0
    page.BitsAllocated, page.BitsStored, page.HighBit = 8, 8, 7
    page.PixelData = b"\0" * (page.Rows * page.Columns * 3)
    series.append(page)


def slab(series: list[Dataset]) -> None:
    series.append(deepcopy(series[0]))
    series[-1].SOPInstanceUID, series[-1].ImageType = generate_uid(), ["DERIVED", "PRIMARY", "MIP"]
    set_hu(series[-1], plane_hu(series[-1]) + 300)


def by_turns(name: str, *values: object) -> Change:
    def apply(series: list[Dataset]) -> None:
        for number, ds in enumerate(series):
            setattr(ds, name, values[number % len(values)])

    return apply


def overlay_in_bit_12(ds: Dataset) -> None:
    stored = stored_of(ds) & 0xFFF
    stored[5:9, 5:9] |= 0x1000
    set_stored(ds, stored)
    ds.BitsStored, ds.HighBit = 12, 11
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 12)


def with_icon(ds: Dataset) -> None:
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    icon.add_new(0x7FE00010, "OB", bytes(64))
    ds.IconImageSequence = Sequence([icon])


def mixed_encodings(series: list[Dataset]) -> None:
    for number, ds in enumerate(series):
        ds.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian,
            ExplicitVRLittleEndian,
            DeflatedExplicitVRLittleEndian,
        )[number % 3]
    big_endian(series[7])


def single_floats(ds: Dataset) -> None:
    for name in ("RescaleSlope", "RescaleIntercept"):
        value, tag = float(ds[name].value), ds[name].tag
        del ds[tag]
        ds.add_new(tag, "FL", value)


def wide_range(ds: Dataset) -> None:
    ds.RescaleIntercept = -8192
    set_hu(ds, plane_hu(ds))


def lowest_intercept(ds: Dataset) -> None:
    ds.RescaleIntercept = -32768
    set_hu(ds, plane_hu(ds))


def refers_to_another(ds: Dataset) -> None:
    ds.ReferencedStudySequence = item(PatientID="P-9", StudyInstanceUID="1.2.3")


def with_dose_report(series: list[Dataset]) -> None:
    report = deepcopy(series[0])
    report.SOPClassUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.67", "SR"
    report.SOPInstanceUID, report.SeriesInstanceUID = generate_uid(), generate_uid()
    for name in ("PixelData", "Rows", "Columns", "ImagePositionPatient", "PixelSpacing"):
        delattr(report, name)
    series.append(report)


EXPORT_VALID: dict[str, Change] = {
    "a colour page of the same class": colour_page,
    "a projection beside its originals": slab,
    "an original meant for projections": on(None, SeriesDescription="THORAX 1.0 for MIP and VRT"),
    **{
        f"derived, and no more is said: {said}": image_type(
            "DERIVED", "PRIMARY", "AXIAL", SeriesDescription=said
        )
        for said in (
            "CHEST 1.25 FOR MIP",
            "Thin for MIP/3D",
            "THORAX MAXIMUM INSPIRATION 1.0",
            "MINIMUM DOSE CHEST",
            "IODINE CONTRAST CHEST",
            "CONTRAST MATERIAL 80 ml",
            "C-SPINE FUSION CHEST",
            "TRAUMA PAN SCAN ADDITION",
        )
    },
    "compressed with loss, and its error told": image_type(
        "DERIVED",
        "PRIMARY",
        "AXIAL",
        DerivationDescription="Lossy compression; mean ratio 10:1, maximum error 4",
    ),
    "metal artefacts reduced": image_type("DERIVED", "PRIMARY", "AXIAL", "SMART_MAR"),
    "two phases half a step apart, by trigger time": phases(TriggerTime=(0, 400)),
    "two phases half a step apart, by two attributes": phases(
        TriggerTime=(0, 400), AcquisitionNumber=(1, 2)
    ),
    "thickness that jitters in its last digit": by_turns("SliceThickness", "2.5", "2.500001"),
    "tube voltage in two spellings": by_turns("KVP", "120", "120.0"),
    "image type with an empty end": by_turns(
        "ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "AXIAL", ""]
    ),
    "image type with a flag here and there": by_turns(
        "ImageType",
        *[["ORIGINAL", "PRIMARY", "AXIAL"]] * 2,
        ["ORIGINAL", "PRIMARY", "AXIAL", "STD"],
    ),
    "acquisition number here and there": by_turns("AcquisitionNumber", 1, 1, None),
    "a name with carets at its end": by_turns("PatientName", "Canary^Name", "Canary^Name^^^"),
    "a name in capitals": by_turns("PatientName", "Canary^Name", "CANARY^NAME"),
    "an overlay in the bits above": each(overlay_in_bit_12),
    "an icon with pixels of its own": each(with_icon),
    "padding after the pixels": each(lambda ds: ds.add_new(0xFFFCFFFC, "OB", bytes(1000))),
    "several encodings in one series": mixed_encodings,
    "slope and intercept as floats": each(single_floats),
    "slope with blanks and exponent": text(None, "RescaleSlope", " 1.0e0 "),
    "intercept -8192 and values to match": each(wide_range),
    "minus zeros": text(None, "ImageOrientationPatient", "1\\-0.0\\-0\\-0\\1.0\\-0.000000"),
    "all instance UIDs alike": on(None, SOPInstanceUID="1.2.3"),
    "all instance numbers alike": on(None, InstanceNumber=1),
    "no series UID": on(None, SeriesInstanceUID=...),
    "presentation turned over": on(None, PresentationLUTShape="INVERSE"),
    "references that name another patient": each(refers_to_another),
    "a report of the dose beside": with_dose_report,
    "slice locations and steps that lie": on(None, SliceLocation=7, SpacingBetweenSlices=-9.0),
    "a gantry angle without a lean": on(None, GantryDetectorTilt=10),
    "intercept -32768 in unsigned values": each(lowest_intercept),
    "the maker in other capitals once": on(4, Manufacturer="Siemens"),
    "a character set nobody knows": on(None, SpecificCharacterSet="ISO_IR 999"),
    "positions to a tenth of a millimetre": at(lambda k: round(-20 + 2.5 * k, 1)),
}
