"""A made scan and an untrained bundle, for tests of the verbs that read scans."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from configs.profile import load_profile
from model import bundle as bundles
from model.calibration import UNCALIBRATED, Calibration, CalibrationState
from model.card import ModelCard
from model.networks import build_network
from model.networks.sizes import SIZES
from tests.model.volumes.phantom import chest

IDENTITIES = {
    "PatientName": "Canary^Name",
    "PatientID": "CANARY-ID",
    "AccessionNumber": "CANARY-ACC",
    "PatientBirthDate": "19410203",
    "StudyDate": "20191230",
    "InstitutionName": "Canary Hospital",
    "ReferringPhysicianName": "Canary^Referrer",
    "StudyDescription": "Canary study",
    "SeriesDescription": "Canary series",
}
STUDY, SERIES = generate_uid(entropy_srcs=["study"]), generate_uid(entropy_srcs=["series"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an untrained network: real arithmetic, meaningless numbers."""
    profile, labels = load_profile("tiny"), ("ct_rate:Lung nodule", "ct_rate:Pleural effusion")
    card = ModelCard(
        training_data="synthetic",
        counts={},
        metrics={},
        label_source="ct_rate",
        train_config={},
        seconds=0.0,
        versions={},
    )
    fitted = Calibration(CalibrationState.FITTED, 1.0, 0.0, 0.3, 20, 30)
    network = build_network("additive", profile, len(labels), SIZES["tiny"])
    path = tmp_path_factory.mktemp("bundle")
    bundle = bundles.Bundle(
        profile, "additive", SIZES["tiny"], labels, (fitted, UNCALIBRATED), card, network
    )
    bundles.save(path, bundle)
    return path


def write_series(
    folder: Path,
    hu_zyx: np.ndarray,
    spacing_mm: float = 5.0,
    fill: Callable[[Dataset], None] = lambda image: None,
) -> Path:
    """A CT series of axial slices, feet first; `fill` may add to each header."""
    folder.mkdir(parents=True)
    for index, hu_yx in enumerate(hu_zyx):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        uid = generate_uid(entropy_srcs=[str(index)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid
        for tag, value in IDENTITIES.items():
            setattr(image, tag, value)
        image.Modality = "CT"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, SERIES
        image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
        image.InstanceNumber = index + 1
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-200.0, -200.0, index * spacing_mm]
        image.PixelSpacing, image.SliceThickness = [spacing_mm, spacing_mm], spacing_mm
        image.Rows, image.Columns = hu_yx.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "HU"
        image.PixelData = hu_yx.astype("<i2").tobytes()
        fill(image)
        pydicom.dcmwrite(folder / f"{index:03}.dcm", image, enforce_file_format=True)
    return folder


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("archive") / "scan", chest())


TEXTS = (  # text of every value representation that holds text, PS3.5 6.2
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientNames", "PatientBirthName",
    "PatientMotherBirthName", "PatientAddress", "PatientTelephoneNumbers",
    "PatientReligiousPreference",
    "PatientComments", "Occupation", "EthnicGroup", "MilitaryRank", "CountryOfResidence",
    "RegionOfResidence", "AdditionalPatientHistory", "MedicalAlerts", "Allergies", "PatientState",
    "AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription", "ProtocolName",
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName",
    "ReferringPhysicianName", "ReferringPhysicianAddress", "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy", "OperatorsName", "PhysiciansOfRecord", "RequestingPhysician",
    "RequestedProcedureDescription", "RequestedProcedureID", "AdmissionID",
    "CurrentPatientLocation",
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
    "ConvolutionKernel", "ContrastBolusAgent", "ImageComments", "BodyPartExamined", "FilterType",
    "AcquisitionComments", "DerivationDescription",
)  # fmt: skip
SEQUENCES = {
    "OtherPatientIDsSequence": "PatientID",
    "RequestAttributesSequence": "RequestedProcedureID",
    "ReferringPhysicianIdentificationSequence": "InstitutionName",
    "ProcedureCodeSequence": "CodeMeaning",
    "ContributingEquipmentSequence": "StationName",
}


def plant(image: Dataset) -> None:
    """Sixty identities: in text of every kind, in dates and ages, in sequences, in private tags."""
    for number, keyword in enumerate(TEXTS):
        setattr(image, keyword, f"CANARY{number:02}")
    for number, (sequence, keyword) in enumerate(SEQUENCES.items()):
        item = Dataset()
        setattr(item, keyword, f"CANARYQ{number}")
        setattr(image, sequence, [item])
    block = image.private_block(0x0029, "CANARYOWNER", create=True)
    for number in range(5):
        block.add_new(number, "LO", f"CANARYP{number}")
    image.PatientBirthDate, image.StudyDate, image.SeriesDate = "19410203", "19871229", "19871230"
    image.StudyTime, image.PatientAge, image.PatientSex = "091807", "047Y", "O"
