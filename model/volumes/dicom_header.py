"""What a DICOM file's header says, as plain numbers: no tag value is trusted, none printed."""

from dataclasses import dataclass, field
from pathlib import Path

from model.volumes.volume import VolumeReason

BIG_ENDIAN = "1.2.840.10008.1.2.2"
CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
)


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How stored values lie in the file (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    sign_stated: bool
    transfer_syntax: str
    offset: int
    """Where the value of the pixel data starts in the (inflated) file."""
    length: int
    encoded: bool
    overlay_bits: bool = False
    """Whether overlays lie in the bits above those stored."""

    @property
    def native_bytes(self) -> int:
        """What the values take unencoded; 0 when they are encoded."""
        if self.encoded:
            return 0
        return self.frames * self.rows * self.columns * self.samples * self.bits_allocated // 8


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an image is, in the archive's own words; empty where a header does not say."""

    study_uid: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)


NOBODY = Owner()


@dataclass(frozen=True, slots=True, eq=False)
class FileHeader:
    """One file: what it is of, and whose. `identity` holds digests, so it can be compared only."""

    path: Path
    pixels: PixelFormat
    sop_class: str
    modality: str
    photometric: str
    derivation: str = field(repr=False)
    """Descriptions and codes that may say how an image was derived, free text included."""
    lookup_table: bool
    """Whether a table, not slope and intercept, makes HU of stored values."""
    image_type: tuple[str, ...]
    frame_of_reference: str
    identity: tuple[bytes, ...] = field(repr=False)
    series_uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    instance_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    accession: str = field(repr=False)
    date: str = field(repr=False)
    time: str = field(repr=False)
    sex: str
    age_years: int | None
    vendor: str
    contrast: bool | None
    synthetic: bool

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(self.study_uid, self.patient_id, self.accession)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One image plane: a file, or a frame of one. What is missing or not a number is None."""

    file: FileHeader
    frame: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    thickness: float | None
    stated_step: float | None
    """SpacingBetweenSlices."""
    field_mm: float | None
    """ReconstructionDiameter."""
    slope: float | None
    intercept: float | None
    rescale_type: str
    padding: tuple[int, int] | None
    kernel: str
    acquisition: tuple[str, ...]
    """What may tell phases and energies apart, see `dicom_reading`."""
    seconds: float | None
    """Acquisition time of day."""
    image_type: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that is DICOM but not whole; the series is empty where it could not be read."""

    path: Path
    series_uid: str = field(repr=False)
    message: str
    reason: VolumeReason = VolumeReason.TRUNCATED
    owner: Owner = NOBODY
