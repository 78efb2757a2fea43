"""Reading a DICOM file's header: everything but the pixels, from any encoding, whole or Broken."""

import warnings
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

import pydicom
from pydicom.dataset import Dataset, FileDataset

from configs.contracts import SYNTHETIC_NOTICE
from model.volumes.content import DEFLATED, inflate_dicom
from model.volumes.dicom_elements import (
    Elements,
    age_years_of,
    contrast_of,
    date_of,
    seconds_of,
    time_of,
    vendor_of,
)
from model.volumes.dicom_header import (
    BIG_ENDIAN,
    CT_CLASSES,
    Broken,
    FileHeader,
    Owner,
    PixelFormat,
    Slice,
)
from model.volumes.volume import VolumeError, VolumeReason

_PIXEL_DATA = 0x7FE00010  # not the float variants: no CT object has them
_UNDEFINED_LENGTH = 0xFFFFFFFF


def read_header(path: Path) -> tuple[Slice, ...] | Broken | None:
    """The image planes of a DICOM file, none for an object without an image.

    None when it is not DICOM at all; Broken when it is and ends too early.
    """
    with warnings.catch_warnings():
        # The library's warnings quote the value they complain of, which may be an identity.
        warnings.simplefilter("ignore")
        try:
            return _read_header(path)
        except VolumeError as error:
            return Broken(path, "", str(error).removeprefix(f"{error.reason}: "), error.reason)
        except OSError:
            reason = VolumeReason.UNREADABLE
            return Broken(path, "", "a file or folder cannot be opened or read", reason)
        except Exception:
            # Whatever a parser meets in a hostile or cut file, that file is not readable.
            return Broken(path, "", "a DICOM file cannot be parsed")


def _read_header(path: Path) -> tuple[Slice, ...] | Broken | None:
    with path.open("rb") as handle:
        start = handle.read(1024)
        if start[128:132] != b"DICM" and not _looks_bare(start):
            return None
        handle.seek(0)
        size = path.stat().st_size
        content: BinaryIO = handle
        if DEFLATED in start and (inflated := inflate_dicom(handle.read())) is not None:
            content, size = BytesIO(inflated), len(inflated)
        dataset = pydicom.dcmread(content, stop_before_pixels=True, force=True)
        elements = Elements(dataset)
        if start[128:132] != b"DICM" and not elements.text(0x0020000E):
            return None
        offset, length = _find_pixels(content, dataset)
    series_uid = elements.text(0x0020000E)
    broken = partial(Broken, path, series_uid, owner=_owner(elements))
    if length is None:
        whole = not _claims_image(elements, dataset)
        return () if whole else broken("a DICOM file ends before its pixel data")
    if length != _UNDEFINED_LENGTH and offset + length > size:
        return broken("a DICOM file ends within its pixel data")
    header = _file_header(path, elements, dataset, offset, length)
    if planes := _frames(header, elements):
        if len(planes) != header.pixels.frames:
            return broken("frames and their positions differ in number")
        return planes
    if header.pixels.frames > 1:
        if not _claims_image(elements, dataset):
            return ()  # a secondary capture
        message = "an image of several frames that do not say where they lie"
        return broken(message, VolumeReason.POSITION)
    return (_slice(header, 0, [elements]),)


def _find_pixels(handle: BinaryIO, dataset: FileDataset) -> tuple[int, int | None]:
    """Where the pixels' value starts and its length (None: there is none)."""
    order: Literal["big", "little"] = "big" if _syntax(dataset) == BIG_ENDIAN else "little"
    head = handle.read(8)
    if len(head) < 8:
        return 0, None
    group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
    if (group << 16) + element != _PIXEL_DATA:
        return 0, None
    # Explicit: two bytes of VR, two reserved, then the length. As an implicit length the VR's
    # letters would be odd, which no length is; what the meta header says may be wrong.
    explicit = head[4:6] in (b"OW", b"OB", b"UN")
    length = int.from_bytes(handle.read(4) if explicit else head[4:8], order)
    return handle.tell(), length


def _claims_image(elements: Elements, dataset: FileDataset) -> bool:
    """True when an object without pixels ought to have some: it was cut."""
    meta = Elements(dataset.file_meta) if hasattr(dataset, "file_meta") else Elements(Dataset())
    sop_class = elements.text(0x00080016) or meta.text(0x00020002)
    return sop_class in {"", *CT_CLASSES}


def _looks_bare(start: bytes) -> bool:
    """A data set without preamble begins with an element of group 2 or 8."""
    return len(start) >= 8 and start[:2] in (b"\x02\x00", b"\x08\x00") and start[3] == 0


def _syntax(dataset: FileDataset) -> str:
    meta = Elements(dataset.file_meta) if hasattr(dataset, "file_meta") else None
    if meta and (syntax := meta.text(0x00020010)):
        return syntax
    implicit, little = dataset.original_encoding
    if not little:
        return BIG_ENDIAN
    return "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1"


def _owner(elements: Elements) -> Owner:
    return Owner(*map(elements.text, (0x0020000D, 0x00100020, 0x00080050)))


def _file_header(
    path: Path, elements: Elements, dataset: FileDataset, offset: int, length: int
) -> FileHeader:
    allocated = elements.integer(0x00280100) or 0
    stored = elements.integer(0x00280101) or 0
    pixels = PixelFormat(
        rows=elements.integer(0x00280010) or 0,
        columns=elements.integer(0x00280011) or 0,
        frames=max(1, int(elements.number(0x00280008) or 1)),
        samples=elements.integer(0x00280002) or 1,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=_or(elements.integer(0x00280102), stored - 1),
        signed=elements.integer(0x00280103) == 1,
        sign_stated=elements.integer(0x00280103) in (0, 1),
        transfer_syntax=_syntax(dataset),
        offset=offset,
        length=length,
        encoded=length == _UNDEFINED_LENGTH,
        overlay_bits=any((elements.integer(tag) or 0) > 0 for tag in _OVERLAY_BIT_POSITIONS),
    )
    # Archives write one person's name with and without trailing carets, and in either case.
    person = " ".join(elements.text(0x00100010).casefold().replace("^", " ").split())
    identity = tuple(
        sha256(text.encode("utf-8", "surrogateescape")).digest()[:8]
        for text in (person, *map(elements.text, (0x00100020, 0x00100030, 0x0020000D)))
    )
    notices = (0x00081030, 0x0008103E, 0x00204000, 0x00104000)
    agent = elements.texts(0x00180010)
    return FileHeader(
        path=path,
        pixels=pixels,
        sop_class=elements.text(0x00080016),
        modality=elements.text(0x00080060).upper(),
        photometric=elements.text(0x00280004).upper(),
        derivation=_derivation(elements),
        lookup_table=0x00283000 in elements,
        image_type=tuple(part.upper() for part in elements.texts(0x00080008)),
        frame_of_reference=elements.text(0x00200052),
        identity=identity,
        series_uid=elements.text(0x0020000E),
        study_uid=elements.text(0x0020000D),
        instance_uid=elements.text(0x00080018),
        patient_id=elements.text(0x00100020),
        accession=elements.text(0x00080050),
        date=date_of(elements.text(0x00080020)),
        time=time_of(elements.text(0x00080030)),
        sex=elements.text(0x00100040)[:1].upper().replace("O", ""),
        age_years=age_years_of(elements.text(0x00101010)),
        vendor=vendor_of(elements.text(0x00080070)),
        contrast=contrast_of(agent),
        synthetic=elements.text(0x0008001C) == "YES"
        or any(SYNTHETIC_NOTICE in elements.text(tag) for tag in notices),
    )


_OVERLAY_BIT_POSITIONS = range(0x60000102, 0x60200102, 0x00020000)


def _derivation(elements: Elements) -> str:
    """SeriesDescription, DerivationDescription, and the codes of DerivationCodeSequence."""
    codes = [item.text(0x00080100) for item in elements.items(0x00089215)]
    return " ".join((elements.text(0x0008103E), elements.text(0x00082111), *codes)).upper()


def _frames(header: FileHeader, elements: Elements) -> tuple[Slice, ...]:
    """The planes of an enhanced multi-frame object (PS3.3 A.38, C.7.6.16)."""
    shared = [group for item in elements.items(0x52009229) for group in _groups(item)]
    return tuple(
        _slice(header, frame, [*_groups(item), *shared, elements])
        for frame, item in enumerate(elements.items(0x52009230))
    )


_GROUPS = (
    0x00209113,  # plane position
    0x00209116,  # plane orientation
    0x00289110,  # pixel measures
    0x00289145,  # pixel value transformation
    0x00189329,  # CT image frame type
    0x00209111,  # frame content
    0x00189314,  # CT reconstruction
    0x00189118,  # cardiac synchronization
)


_ACQUISITION = (
    0x00200012,  # acquisition number
    0x00209156,  # frame acquisition number
    0x00200100,  # temporal position identifier
    0x00209128,  # temporal position index
    0x00209056,  # stack
    0x00181060,  # trigger time
    0x00209241,  # nominal percentage of cardiac phase
    0x00209153,  # nominal trigger delay
    0x00180060,  # kVp
)


def _groups(item: Elements) -> list[Elements]:
    return [group for tag in _GROUPS for group in item.items(tag)[:1]]


def _slice(header: FileHeader, frame: int, places: list[Elements]) -> Slice:
    """A plane whose attributes stand in the first of `places` that has them."""

    def holder(tag: int) -> Elements:
        return next((place for place in places if tag in place), places[-1])

    def numbers(tag: int, count: int) -> tuple[float, ...] | None:
        return holder(tag).numbers(tag, count)

    def text(tag: int) -> str:
        return holder(tag).text(tag)

    def single(tag: int) -> float | None:
        found = numbers(tag, 1)
        return found[0] if found else None

    signed = header.pixels.signed
    low = places[-1].integer(0x00280120, signed=signed)
    limit = places[-1].integer(0x00280121, signed=signed)
    padding = None if low is None else (min(low, _or(limit, low)), max(low, _or(limit, low)))
    # How a volume was sampled is said beside the frame type, or in place of it.
    image_type = [text(0x00089007) or "\\".join(header.image_type), text(0x00089207)]
    return Slice(
        file=header,
        frame=frame,
        position=numbers(0x00200032, 3),
        orientation=numbers(0x00200037, 6),
        pixel_spacing=numbers(0x00280030, 2),
        thickness=single(0x00180050),
        stated_step=single(0x00180088),
        field_mm=single(0x00181100),
        slope=single(0x00281053),
        intercept=single(0x00281052),
        rescale_type=text(0x00281054).upper(),
        padding=padding,
        kernel=text(0x00181210),
        acquisition=tuple(_written(holder(tag), tag) for tag in _ACQUISITION),
        seconds=seconds_of(text(0x00080032)),
        image_type=tuple(
            word for part in "\\".join(image_type).split("\\") if (word := part.strip().upper())
        ),
    )


def _written(elements: Elements, tag: int) -> str:
    """A value as text, numbers in one form: 120 and 120.0 are no two energies."""
    number = elements.number(tag)
    return elements.text(tag) if number is None else f"{number:g}"


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
