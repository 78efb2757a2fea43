"""A volume that can be trusted, where it came from, and the refusal when there is none."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from configs.contracts import InputError

PADDING_HU = -1024
"""What stands where the scanner measured nothing, and beyond the edge of a volume."""

_PLAUSIBLE_SPACING_MM = (0.05, 20.0)

HuArray = NDArray[np.int16]
Affine = NDArray[np.float64]


class VolumeReason(StrEnum):
    """Why a scan was refused. Public and versioned: add, never rename (docs/volumes.md)."""

    NO_IMAGES = "NO_IMAGES"  # nothing that could be a volume
    UNREADABLE = "UNREADABLE"  # the format cannot be parsed
    TRUNCATED = "TRUNCATED"  # fewer bytes than the header promises
    SIZE = "SIZE"  # more bytes than the header promises
    CHECKSUM = "CHECKSUM"  # compressed data fail their own check sum
    CODEC = "CODEC"  # pixel data cannot be decoded
    DECODER_DIED = "DECODER_DIED"  # the decoder crashed, hung, or passed its memory limit
    TOO_LARGE = "TOO_LARGE"  # claims more than the file or the limits allow
    EXTERNAL_DATA = "EXTERNAL_DATA"  # pixel data would lie outside the folder
    AMBIGUOUS = "AMBIGUOUS"  # several patients, studies or files where one scan was asked for
    SERIES_NOT_FOUND = "SERIES_NOT_FOUND"  # the series asked for is not there
    MODALITY = "MODALITY"  # not computed tomography
    DERIVED = "DERIVED"  # projections, perfusion maps, virtual images, secondary captures
    NOT_HU = "NOT_HU"  # the header says that values are something other than HU
    HU_UNKNOWN = "HU_UNKNOWN"  # nothing says how stored values become HU
    PIXEL_FORMAT = "PIXEL_FORMAT"  # colour, vectors, or more than three dimensions
    MATRIX = "MATRIX"  # rows or columns differ between slices
    SPACING = "SPACING"  # pixel spacing or slice step missing, invalid, or differing
    ORIENTATION = "ORIENTATION"  # axes missing, contradictory, not orthogonal, or differing
    POSITION = "POSITION"  # slice positions missing or invalid
    GAP = "GAP"  # slices are missing inside
    UNEVEN_STEP = "UNEVEN_STEP"  # the slice step changes
    TILT = "TILT"  # slices shear beyond what can be corrected
    SHIFT = "SHIFT"  # a slice lies off the straight stack
    DUPLICATE_POSITION = "DUPLICATE_POSITION"  # different images at one position
    FOREIGN_SLICE = "FOREIGN_SLICE"  # slices that do not belong between their neighbours
    IDENTITY = "IDENTITY"  # more than one patient or study under one series
    FRAME_OF_REFERENCE = "FRAME_OF_REFERENCE"  # more than one coordinate system


class VolumeError(InputError):
    """A scan that cannot become a trusted volume; `reason` is stable, the message is for people.

    The message never holds a tag's value or the name of a file that the user did not name.
    """

    def __init__(self, reason: VolumeReason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason

    def __reduce__(self) -> tuple[type["VolumeError"], tuple[VolumeReason, str]]:
        """Survive the way between processes."""
        return type(self), (self.reason, str(self).removeprefix(f"{self.reason}: "))


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a volume was read from. Identities are for linking only: never print or store them."""

    format: str
    """"dicom", "nifti", ..."""
    shape: tuple[int, int, int]
    """Slices, rows, columns as stored (slices as resampled, where their steps changed)."""
    affine_lps: Affine
    """4x4, from the source's (column, row, slice) indices to LPS mm."""
    sha256: str
    """Of the bytes of the files used, whatever their names and order."""
    patient_id: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    study_uid: str = field(default="", repr=False)
    instance_uids: tuple[str, ...] = field(default=(), repr=False)
    """A UID per slice, in rising index along `instance_axis` of the canonical array."""
    instance_axis: int = 0
    """The axis of `hu_zyx` along which the source's slices are stacked."""
    date: str = field(default="", repr=False)
    """YYYYMMDD or empty."""
    time: str = field(default="", repr=False)
    """HHMMSS at which the study began, or empty."""
    sex: str = ""
    """"M", "F" or empty."""
    age_years: int | None = None
    vendor: str = ""
    kernel: str = field(default="", repr=False)
    contrast: bool | None = None
    synthetic: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """One reconstruction in HU on canonical axes: +x left, +y posterior, +z head (LPS).

    `hu_zyx` is read-only int16 with padding at -1024. `affine_lps` (4x4) maps (column, row, slice)
    indices to LPS mm; its columns are within 45 degrees of +x, +y, +z and orthogonal.
    """

    hu_zyx: HuArray = field(repr=False)
    affine_lps: Affine
    series_uid: str = field(repr=False)
    source: Source
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.hu_zyx.dtype == np.int16
        assert self.hu_zyx.ndim == 3
        assert self.affine_lps.shape == (4, 4)
        self.hu_zyx.flags.writeable = False

    @property
    def spacing_mm_zyx(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along z, y and x."""
        return spacing_of(self.affine_lps)


def plausible(spacing_mm: Iterable[float]) -> bool:
    """Whether a CT may have such pixels and steps: 0.05 to 20 mm."""
    low, high = _PLAUSIBLE_SPACING_MM
    return all(low <= millimetres <= high for millimetres in spacing_mm)


def spacing_of(affine_lps: Affine) -> tuple[float, float, float]:
    """The spacing along z, y, x that an affine states.

    >>> spacing_of(np.diag([0.7, 0.8, 5.0, 1.0]))
    (5.0, 0.8, 0.7)
    """
    x, y, z = np.linalg.norm(affine_lps[:3, :3], axis=0).tolist()
    return (z, y, x)
