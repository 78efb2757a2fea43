"""The series that a report is about, as its DICOM objects refer to it: identity and planes.

Only the attributes that the standard demands of a patient and a study (types 1 and 2 of PS3.3
C.7.1.1 and C.7.2.1) are read, so nothing else of the source can reach an object.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import DSfloat

from configs.contracts import InputError
from model.volumes import Volume
from model.volumes.dicom_header import CT_CLASSES, Slice
from model.volumes.find import survey_folder

_TEXTS = ("PatientID", "AccessionNumber", "StudyID")
_NAMES = ("PatientName", "ReferringPhysicianName")
_PATTERNS = {
    "PatientBirthDate": r"\d{8}",
    "StudyDate": r"\d{8}",
    "StudyTime": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?",
    "PatientSex": r"[MFO]",
}


@dataclass(frozen=True, slots=True, eq=False)
class SourceSeries:
    """The planes of one series in rising order along their normal, and whose they are."""

    identity: Dataset = field(repr=False)
    """Patient, study and frame of reference."""
    planes: tuple[Slice, ...] = field(repr=False)
    _described: dict[int, Dataset] = field(default_factory=dict, repr=False)

    @property
    def series_uid(self) -> str:
        """The series instance UID."""
        return self.planes[0].file.series_uid

    @property
    def frame_of_reference(self) -> str:
        """The UID of the coordinate system that all positions are in."""
        return self.planes[0].file.frame_of_reference

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns."""
        pixels = self.planes[0].file.pixels
        return pixels.rows, pixels.columns

    @property
    def multiframe(self) -> bool:
        """Whether all planes are frames of one instance, as in Enhanced CT."""
        return self.planes[0].file.sop_class != CT_CLASSES[0]

    def affine_lps(self, plane: int) -> NDArray[np.float64]:
        """4x4: (column, row, 0) indices of one plane to LPS mm; its third axis is the normal."""
        first = self.planes[0]
        assert first.orientation is not None
        assert first.pixel_spacing is not None
        along_row, along_column = np.reshape(first.orientation, (2, 3))
        affine = np.eye(4)
        affine[:3, 0] = along_row * first.pixel_spacing[1]
        affine[:3, 1] = along_column * first.pixel_spacing[0]
        affine[:3, 2] = np.cross(along_row, along_column)
        affine[:3, 3] = self.planes[plane].position
        return affine

    def nearest(self, place_xyz_mm: Sequence[float]) -> int:
        """The index of the plane nearest to a place."""
        positions = np.array([plane.position for plane in self.planes])
        normal = self.affine_lps(0)[:3, 2]
        return int(np.abs((np.asarray(place_xyz_mm) - positions) @ normal).argmin())

    def frame_number(self, plane: int) -> list[int] | None:
        """The frame that a reference must name; None for an instance of one frame."""
        return [self.planes[plane].frame + 1] if self.multiframe else None

    def instances(self, planes: Sequence[int] | None = None) -> list[Dataset]:
        """What a reference to an instance needs, without pixels, for these planes (default all).

        A multi-frame source is one instance with all its frames, whatever the planes.
        """
        if self.multiframe:
            return [self._multiframe()]
        wanted = range(len(self.planes)) if planes is None else planes
        for plane in wanted:
            if plane not in self._described:  # every object refers to the same slices
                self._described[plane] = self._single(plane)
        return [self._described[plane] for plane in wanted]

    def _instance(self, plane: Slice) -> Dataset:
        instance = Dataset()
        instance.update(self.identity)
        instance.SOPClassUID = plane.file.sop_class
        instance.SOPInstanceUID = plane.file.instance_uid
        instance.SeriesInstanceUID = self.series_uid
        instance.Modality = "CT"
        instance.Rows, instance.Columns = self.shape_yx
        return instance

    def _single(self, number: int) -> Dataset:
        plane = self.planes[number]
        instance = self._instance(plane)
        instance.ImagePositionPatient = _decimals(plane.position)
        instance.ImageOrientationPatient = _decimals(self.planes[0].orientation)
        instance.update(_measures(self.planes[0]))
        return instance

    def _multiframe(self) -> Dataset:
        instance = self._instance(self.planes[0])
        instance.NumberOfFrames = self.planes[0].file.pixels.frames
        shared, orientation = Dataset(), Dataset()
        orientation.ImageOrientationPatient = _decimals(self.planes[0].orientation)
        shared.PlaneOrientationSequence = [orientation]
        shared.PixelMeasuresSequence = [_measures(self.planes[0])]
        instance.SharedFunctionalGroupsSequence = [shared]
        positions = {plane.frame: plane.position for plane in self.planes}
        frames = []
        for number in range(instance.NumberOfFrames):
            frame, position = Dataset(), Dataset()
            # A frame that is no part of the volume stands where no plane can match it.
            position.ImagePositionPatient = _decimals(
                positions.get(number, (0.0, 0.0, 1e6 + number))
            )
            frame.PlanePositionSequence = [position]
            frames.append(frame)
        instance.PerFrameFunctionalGroupsSequence = frames
        return instance


def source_series(scan: Path, volume: Volume) -> SourceSeries:
    """Find the files that a volume was read from.

    Raises InputError, in words that hold no value of the header, where the source is not DICOM or
    lacks what an object must refer to.
    """
    if volume.source.format != "dicom":
        raise InputError("the source is not DICOM: there is no study to belong to")
    used = set(volume.source.instance_uids)
    found = [
        candidate.part.planes
        for candidate in survey_folder(scan).candidates
        if candidate.part is not None
        and candidate.series_uid == volume.series_uid
        and used <= {plane.file.instance_uid for plane in candidate.part.planes}
    ]
    if len(found) != 1:
        raise InputError("the files that were read cannot be told from others of the series")
    planes = found[0]
    for name, uids in {
        "StudyInstanceUID (0020,000D)": [planes[0].file.study_uid],
        "SeriesInstanceUID (0020,000E)": [planes[0].file.series_uid],
        "SOPInstanceUID (0008,0018)": [plane.file.instance_uid for plane in planes],
        "FrameOfReferenceUID (0020,0052)": [planes[0].file.frame_of_reference],
    }.items():
        if not all(UID(uid).is_valid and len(uid) <= 64 for uid in uids):
            raise InputError(f"the source's {name} is missing or not valid")
    source = SourceSeries(_identity(planes[0]), planes)
    if source.multiframe and len({plane.file.instance_uid for plane in planes}) > 1:
        raise InputError("the source's frames lie in several multi-frame files")
    return source


def _identity(plane: Slice) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's warnings quote values
        header = pydicom.dcmread(
            plane.file.path,
            stop_before_pixels=True,
            force=True,
            specific_tags=["SpecificCharacterSet", *_TEXTS, *_NAMES, *_PATTERNS],
        )
        header.decode()
        identity = Dataset()
        identity.SpecificCharacterSet = "ISO_IR 192"
        for keyword in _TEXTS:
            setattr(identity, keyword, _first(header, keyword))
        for keyword in _NAMES:
            setattr(identity, keyword, _first(header, keyword))
        for keyword, pattern in _PATTERNS.items():
            value = _first(header, keyword)
            setattr(identity, keyword, value if re.fullmatch(pattern, value, re.ASCII) else "")
    identity.StudyInstanceUID = plane.file.study_uid
    identity.FrameOfReferenceUID = plane.file.frame_of_reference
    identity.PositionReferenceIndicator = ""
    return identity


def _first(header: Dataset, keyword: str) -> str:
    """The value as text, the first of several; empty where it is missing."""
    value = header.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return "" if value is None else str(value)


def _measures(plane: Slice) -> Dataset:
    measures = Dataset()
    measures.PixelSpacing = _decimals(plane.pixel_spacing)
    if plane.thickness:
        measures.SliceThickness = DSfloat(plane.thickness, auto_format=True)
    return measures


def _decimals(values: Sequence[float] | None) -> list[DSfloat]:
    return [DSfloat(value, auto_format=True) for value in values or ()]
