"""Write a synthetic scan as a DICOM CT series (CT Image Storage, PS3.3 A.3), one file a slice."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from configs.contracts import SYNTHETIC_NOTICE
from pipelines.synthetic.case import Case
from pipelines.synthetic.hospital import deterministic_uid
from pipelines.synthetic.kernels import kernel_name, stores_signed

_IMPLEMENTATION_UID = UID("2.25.173462946401731950224138150423866437212")
_UNSIGNED_INTERCEPT = -1024


def write(
    case: Case, hu_zyx: NDArray[np.int16], affine_lps: NDArray[np.float64], folder: Path
) -> list[Path]:
    """Write one file a slice into `folder` (made if need be) and return their paths.

    hu_zyx: int16 HU in canonical axes; affine_lps: 4x4, (column, row, slice) to LPS mm. A
    head-first scan numbers its slices from the head down, a feet-first one from the feet up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared = _shared(case, hu_zyx.shape, affine_lps)
    paths = []
    for number, index in enumerate(_slice_order(case, len(hu_zyx)), start=1):
        path = folder / f"IM{number:04d}.dcm"
        _set_slice(shared, case, number, affine_lps @ np.array([0, 0, index, 1]))
        _set_pixels(shared, hu_zyx[index], case)
        dcmwrite(path, shared, enforce_file_format=True)
        paths.append(path)
    return paths


def _slice_order(case: Case, slices: int) -> Iterator[int]:
    upwards = case.acquisition.patient_position == "FFS"
    return iter(range(slices)) if upwards else iter(range(slices - 1, -1, -1))


def _shared(case: Case, shape: tuple[int, ...], affine_lps: NDArray[np.float64]) -> Dataset:
    """What all slices of the series have alike, module by module."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.ImplementationClassUID = _IMPLEMENTATION_UID
    image.file_meta.ImplementationVersionName = "CHESTCT"
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SOPClassUID = CTImageStorage
    _set_patient_and_study(image, case)
    _set_series(image, case)
    _set_geometry(image, case, shape, affine_lps)
    return image


def _set_patient_and_study(image: Dataset, case: Case) -> None:
    patient = case.patient
    image.PatientName = f"SYNTHETIC^{patient.patient_id}"
    image.PatientID = patient.patient_id
    image.PatientBirthDate = ""
    image.PatientSex = patient.sex
    image.PatientAge = f"{patient.age_years:03d}Y"
    image.PatientSize = round(1.70 * patient.size_scale**0.4, 2)
    image.PatientWeight = round(75 * patient.size_scale**3, 1)
    image.PatientComments = SYNTHETIC_NOTICE
    image.PatientIdentityRemoved = "YES"
    image.DeidentificationMethod = "SYNTHETIC: no patient"
    image.StudyInstanceUID = case.study_uid
    image.StudyDate = case.date
    image.StudyTime = f"{8 + case.seed % 10:02d}{case.seed % 60:02d}00"
    image.StudyID = case.accession[-6:]
    image.AccessionNumber = case.accession
    image.ReferringPhysicianName = ""
    image.StudyDescription = "SYNTHETIC CHEST CT"


def _set_series(image: Dataset, case: Case) -> None:
    scan = case.acquisition
    image.Modality = "CT"
    image.SeriesInstanceUID = deterministic_uid(case.seed, case.study_uid, "series")
    image.SeriesNumber = 2
    image.SeriesDate = case.date
    image.SeriesTime = image.StudyTime
    image.SeriesDescription = f"SYNTHETIC CHEST {scan.slice_mm:g} {scan.kernel}"
    image.ProtocolName = "SYNTHETIC CHEST"
    image.BodyPartExamined = "CHEST"
    image.PatientPosition = scan.patient_position
    image.FrameOfReferenceUID = deterministic_uid(case.seed, case.study_uid, "frame")
    image.PositionReferenceIndicator = ""
    image.Manufacturer = scan.vendor
    image.ManufacturerModelName = "SYNTHETIC SCANNER"
    image.InstitutionName = "SYNTHETIC HOSPITAL"
    image.SoftwareVersions = "chestct"
    image.ScanOptions = "HELICAL MODE"
    image.KVP = 120
    image.XRayTubeCurrent = int(9000 / scan.noise_hu)
    image.ExposureTime = 500
    image.GantryDetectorTilt = 0
    image.ConvolutionKernel = kernel_name(scan)
    if scan.contrast:
        image.ContrastBolusAgent = "SYNTHETIC IODINATED AGENT"
    image.AcquisitionNumber = 1
    image.AcquisitionDate = case.date
    image.AcquisitionTime = image.StudyTime
    image.ContentDate = case.date
    image.ContentTime = image.StudyTime
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.ImageComments = SYNTHETIC_NOTICE
    image.LossyImageCompression = "00"
    image.BurnedInAnnotation = "NO"


def _set_geometry(
    image: Dataset, case: Case, shape: tuple[int, ...], affine_lps: NDArray[np.float64]
) -> None:
    scan = case.acquisition
    image.Rows, image.Columns = shape[1], shape[2]
    image.PixelSpacing = [scan.pixel_mm, scan.pixel_mm]
    image.ReconstructionDiameter = round(scan.pixel_mm * scan.matrix, 1)
    image.SliceThickness = scan.slice_mm
    image.SpacingBetweenSlices = scan.slice_mm
    columns, rows = affine_lps[:3, 0] / scan.pixel_mm, affine_lps[:3, 1] / scan.pixel_mm
    image.ImageOrientationPatient = [float(value) for value in (*columns, *rows)]
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    signed = stores_signed(scan)
    image.BitsAllocated = 16
    image.BitsStored = 16 if signed else 12
    image.HighBit = image.BitsStored - 1
    image.PixelRepresentation = int(signed)
    image.RescaleIntercept = 0 if signed else _UNSIGNED_INTERCEPT
    image.RescaleSlope = 1
    image.RescaleType = "HU"
    image.WindowCenter = [-600, 40]
    image.WindowWidth = [1500, 400]


def _set_slice(image: Dataset, case: Case, number: int, position: NDArray[np.float64]) -> None:
    uid = UID(deterministic_uid(case.seed, case.study_uid, f"slice {number}"))
    image.SOPInstanceUID = uid
    image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.file_meta.MediaStorageSOPInstanceUID = uid
    image.InstanceNumber = number
    image.ImagePositionPatient = [round(float(value), 4) for value in position[:3]]
    image.SliceLocation = image.ImagePositionPatient[2]


def _set_pixels(image: Dataset, hu_yx: NDArray[np.int16], case: Case) -> None:
    if stores_signed(case.acquisition):
        stored = hu_yx.astype("<i2")
    else:
        stored = (np.clip(hu_yx, -1024, 3071) - _UNSIGNED_INTERCEPT).astype("<u2")
    image.PixelData = stored.tobytes()
    image["PixelData"].VR = "OW"
