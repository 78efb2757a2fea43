"""A made CT series on disk, if need be with an identity in every corner, and a made reading."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from model.calibration import Calibration, CalibrationState
from model.prediction import Prediction
from model.volumes import Assessment, Volume, read_volume
from model.volumes.anatomy import find_anatomy
from pipelines.rendering import assemble
from pipelines.rendering.content import Decision, Finding
from pipelines.rendering.reading import Reading

LABELS = tuple(
    f"ct_rate:{name}" for name in ("Lung nodule", "Consolidation", "Pleural effusion", "Emphysema")
)
PROBABILITIES = np.array([0.9991234, 0.8, 0.5, 0.002], np.float32)

COPIED = {
    "PatientName": "Canary^Näme",
    "PatientID": "CANARY-ID",
    "PatientBirthDate": "19410203",
    "PatientSex": "F",
    "AccessionNumber": "CANARY-ACC",
    "StudyID": "CANARY-STUDY",
    "StudyDate": "20191230",
    "StudyTime": "101112",
    "ReferringPhysicianName": "Canary^Referrer",
}
"""What an object must say of patient and study."""

_LEFT_BEHIND = """
    AdditionalPatientHistory AdmissionID Allergies BodyPartExamined BranchOfService
    ContentCreatorName CountryOfResidence CurrentPatientLocation DerivationDescription
    DeviceSerialNumber EthnicGroup FillerOrderNumberImagingServiceRequest HumanPerformerName
    HumanPerformerOrganization ImageComments InsurancePlanIdentification InstitutionAddress
    InstitutionalDepartmentName InstitutionName InterpretationRecorder IssuerOfPatientID
    MedicalAlerts MedicalRecordLocator MilitaryRank NameOfPhysiciansReadingStudy Occupation
    OperatorsName OrderCallbackPhoneNumber OrderEnteredBy OtherPatientIDs OtherPatientNames
    PatientAddress PatientBirthName PatientComments PatientInstitutionResidence
    PatientMotherBirthName PatientReligiousPreference PatientTelephoneNumbers
    PerformedProcedureStepDescription PerformedProcedureStepID PerformingPhysicianName
    PersonAddress PersonTelephoneNumbers PhysiciansOfRecord PlacerOrderNumberImagingServiceRequest
    ProtocolName ReasonForStudy ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
    RegionOfResidence RequestedProcedureComments RequestedProcedureDescription RequestingPhysician
    RequestingService ResponsiblePerson ReviewerName ScheduledPerformingPhysicianName
    SeriesDescription StationName StudyComments StudyDescription TextComments
"""
LEFT_BEHIND = {word: f"SECRET_{number:02}" for number, word in enumerate(_LEFT_BEHIND.split())}
"""What no object may say: 61 planted strings, short enough for any text."""

_AXES = {  # the stack's axis in (x, y, z), then those along columns and rows; signs are directions
    "axial": ((2, 1), (0, 1), (1, 1)),
    "axial, feet first and prone": ((2, -1), (0, -1), (1, -1)),
    "coronal": ((1, 1), (0, 1), (2, -1)),
}
ORIENTATIONS = tuple(_AXES)


def write_series(folder: Path, volume: Volume, orientation: str = "axial", **changed: Any) -> Path:
    """Store a volume's voxels as single-frame CT images; `changed` attributes are set in each."""
    folder.mkdir(parents=True)
    for number, image in enumerate(make_series(volume, orientation, **changed)):
        dcmwrite(folder / f"IM{number:03}", image, enforce_file_format=True)
    return folder


def make_series(volume: Volume, orientation: str = "axial", **changed: Any) -> list[Dataset]:
    """The images of `write_series`."""
    axes = _AXES[orientation]
    hu_xyz = volume.hu_zyx.transpose(2, 1, 0)
    stack, columns, rows = (axis for axis, _ in axes)
    hu = hu_xyz.transpose(stack, rows, columns)
    affine = volume.affine_lps
    origin, steps = affine[:3, 3].copy(), {}
    for place, (axis, sign) in enumerate(axes):
        along = affine[:3, axis]
        if sign < 0:
            origin = origin + along * (hu_xyz.shape[axis] - 1)
            hu = np.flip(hu, (0, 2, 1)[place])
        steps[place] = along * sign
    images = []
    for index, hu_yx in enumerate(hu):
        image = _header(index, changed)
        image.ImagePositionPatient = [round(float(mm), 4) for mm in origin + index * steps[0]]
        size_mm = {place: float(np.linalg.norm(step)) for place, step in steps.items()}
        directions = [*(steps[1] / size_mm[1]), *(steps[2] / size_mm[2])]
        image.ImageOrientationPatient = [float(value) for value in directions]
        image.PixelSpacing, image.SliceThickness = [size_mm[2], size_mm[1]], size_mm[0]
        image.Rows, image.Columns = hu_yx.shape
        image.PixelData = np.ascontiguousarray(hu_yx, "<i2").tobytes()
        images.append(image)
    return images


def _header(index: int, changed: dict[str, Any]) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SpecificCharacterSet = "ISO_IR 100"
    for keyword, value in (COPIED | changed).items():
        image.add_new(keyword, dictionary_VR(keyword), value)
    block = image.private_block(0x0009, "CANARY PRIVATE", create=True)
    block.add_new(1, "LO", "SECRET_PRIVATE")
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = generate_uid(entropy_srcs=["instance", str(index)])
    image.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 2, index + 1, 1
    image.Manufacturer, image.KVP = "SECRET_MAKER", 120
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 1
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "HU"
    return image


def made_prediction(volume: Volume, *, maps: bool = True) -> Prediction:
    """Four labels on a 9 x 8 x 8 map over the volume: two foci, a broad one, one, none."""
    if not maps:
        logits = np.log(PROBABILITIES / (1 - PROBABILITIES))
        return Prediction(LABELS, logits, PROBABILITIES)
    cells = np.full((4, 9, 8, 8), -0.001, np.float32)
    cells[0, 2, 4, 5] = 2.0
    cells[0, 6, 4, 1] = 1.5
    cells[1, 2:4, 3:6, 5:7] = 0.3
    cells[2, 1, 6, 2] = 0.4
    per_cell = np.array(volume.hu_zyx.shape[::-1]) / (8, 8, 9)
    to_volume = np.diag([*per_cell, 1.0])
    to_volume[:3, 3] = (per_cell - 1) / 2
    bias = np.full(4, -1.0, np.float32)
    logits = bias + cells.sum(axis=(1, 2, 3))
    return Prediction(LABELS, logits, PROBABILITIES, cells, volume.affine_lps @ to_volume, bias)


def read_made(scan: Path, folder: Path, *, identified: bool = True, maps: bool = True) -> Reading:
    """A scan as read by a bundle that says the same of every scan and lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle.json").write_text("{}")
    volume = read_volume(scan)
    fitted = Calibration(CalibrationState.FITTED, 1.0, 0.0, 0.5, 40, 60)
    few = Calibration(CalibrationState.FEW_CASES, 1.0, 0.0, 0.4, 3, 60)
    bundle: Any = SimpleNamespace(
        labels=LABELS,
        calibrations=(fitted, fitted, fitted, few),
        network_name="additive",
        profile=SimpleNamespace(name="tiny"),
        card=SimpleNamespace(
            training_data="synthetic",
            counts={"train": SimpleNamespace(patients=120, scans=160)},
            metrics={"macro_auroc": 0.78},
            label_source="ct_rate",
        ),
    )
    prediction = made_prediction(volume, maps=maps)
    content = assemble.read(
        volume,
        Assessment(True, ("THICK_SLICES",), {"lungs_ml": 4000.0}),
        find_anatomy(volume),
        bundle,
        prediction,
        folder,
        identified=identified,
    )
    return Reading(content, volume, prediction)


def items(dataset: Dataset) -> Iterator[Dataset]:
    """A data set and everything in its sequences."""
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from items(item)


def findings(reading: Reading, *decisions: Decision) -> list[Finding]:
    return [f for f in reading.content.findings if f.decision in decisions]
