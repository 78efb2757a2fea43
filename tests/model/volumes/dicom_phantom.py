"""A CT series whose HU is linear in world position, to be spoilt by tests before it is saved."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from model.volumes.volume import HuArray, Volume
from tests.model.volumes.phantom import grid_places, hu_at

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Plan:
    """How a series is laid out; rows x columns = 40 x 48 pixels of 0.9 x 0.7 mm by default."""

    slices: int = 16
    rows: int = 40
    columns: int = 48
    step_mm: float = 2.5
    row_spacing_mm: float = 0.9
    column_spacing_mm: float = 0.7
    orientation: tuple[float, ...] = AXIAL
    origin: tuple[float, float, float] = (-16.0, -18.0, -20.0)
    slope: float = 1.0
    intercept: float = -1024.0
    signed: bool = False
    position: str = "HFS"

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        return row, column, np.cross(row, column)


def make_series(plan: Plan | None = None, hu_kji: HuArray | None = None) -> list[Dataset]:
    """The data sets of a series in rising order along its normal, HU by position or as given."""
    plan = plan or Plan()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    return [
        _plane(plan, number, study, series, frame, None if hu_kji is None else hu_kji[number])
        for number in range(plan.slices)
    ]


def _plane(
    plan: Plan, number: int, study: str, series: str, frame: str, hu: np.ndarray | None
) -> Dataset:
    position = np.array(plan.origin) + number * plan.step_mm * plan.axes[2]
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
    ds.PatientID, ds.PatientName, ds.PatientBirthDate = "P-000123", "Canary^Name", "19500101"
    ds.PatientSex, ds.PatientAge, ds.AccessionNumber = "F", "064Y", "A-77"
    ds.StudyDate, ds.Modality, ds.Manufacturer = "20200102", "CT", "SIEMENS"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ConvolutionKernel, ds.PatientPosition = "B30f", plan.position
    ds.AcquisitionNumber, ds.InstanceNumber = 1, number + 1
    ds.SliceThickness = plan.step_mm
    ds.ImagePositionPatient = [f"{value:.9g}" for value in position]
    ds.ImageOrientationPatient = [f"{value:.9g}" for value in plan.orientation]
    ds.PixelSpacing = [plan.row_spacing_mm, plan.column_spacing_mm]
    ds.RescaleSlope, ds.RescaleIntercept = plan.slope, plan.intercept
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = plan.rows, plan.columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = int(plan.signed)
    set_hu(ds, hu if hu is not None else plane_hu(ds))
    return ds


def plane_hu(ds: Dataset) -> np.ndarray:
    """The HU that belong to a plane's pixels by where its header puts them."""
    affine = np.eye(4)
    row, column = np.array(ds.ImageOrientationPatient[:3]), np.array(ds.ImageOrientationPatient[3:])
    affine[:3, 0] = row.astype(float) * float(ds.PixelSpacing[1])
    affine[:3, 1] = column.astype(float) * float(ds.PixelSpacing[0])
    affine[:3, 3] = np.array(ds.ImagePositionPatient, float)
    return np.rint(hu_at(grid_places((1, ds.Rows, ds.Columns), affine)[0]))


def set_hu(ds: Dataset, hu: np.ndarray) -> None:
    """Store HU as the header's slope, intercept and sign say."""
    stored = np.rint((hu - float(ds.RescaleIntercept)) / float(ds.RescaleSlope))
    set_stored(ds, stored.astype(np.int64))


def set_stored(ds: Dataset, stored: np.ndarray) -> None:
    """Store raw values."""
    ds.PixelData = (stored.astype(np.int64) & 0xFFFF).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"


def stored_of(ds: Dataset) -> np.ndarray:
    """The raw unsigned 16-bit values."""
    return np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns).astype(np.int64)


def save(series: list[Dataset], folder: Path, *, prefix: str = "im") -> Path:
    """Write a series as files numbered in list order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, ds in enumerate(series):
        ds.file_meta.setdefault("MediaStorageSOPClassUID", CTImageStorage)
        ds.file_meta.setdefault("MediaStorageSOPInstanceUID", generate_uid())
        ds.save_as(folder / f"{prefix}{number:04d}", enforce_file_format=True)
    return folder


def misplaced(volume: Volume, tolerance_hu: float = 0.51) -> float:
    """The share of voxels (padding aside) whose HU does not belong where they are said to be."""
    expected = hu_at(grid_places(volume.hu_zyx.shape, volume.affine_lps))
    real = volume.hu_zyx > -1024
    wrong = np.abs(volume.hu_zyx - expected) > tolerance_hu
    return float(wrong[real].mean()) if real.any() else 1.0
