"""Files that are documents: texts, HL7 v2 messages, DICOM structured reports; by their content."""

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.hl7 import begins_hl7
from pipelines.reports_in.markup import plain
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.oru import OruReader
from pipelines.reports_in.rows import Report, unreadable
from pipelines.reports_in.tables import refuse_columns, suffix_of
from pipelines.reports_in.text_file import MAX_RECORD_CHARS, open_text
from pipelines.running.run import Rejected

TEXT = (".txt", ".text", ".rtf", ".html", ".htm")
HL7 = (".hl7", ".oru")
DICOM = (".dcm", ".dicom")
_CHUNK = 1 << 20


def is_dicom_file(path: Path) -> bool:
    """Whether a file begins as DICOM files do (PS3.10 7.1), whatever its name."""
    return _head(path)[128:132] == b"DICM"


def is_document(path: Path) -> bool:
    """Whether a file begins as DICOM files or HL7 messages do, whatever its name."""
    return is_dicom_file(path) or _holds_hl7(path)


class Documents:
    """Documents in order; a text's identifier is its path in the folder, without the ending.

    Raises InputError where the options ask for columns, or when an only file cannot be read.
    """

    def __init__(self, root: Path, files: Sequence[Path], options: ReadOptions) -> None:
        refuse_columns(str(root), options)
        self._root, self._files, self._id_field = root, files, options.id_column
        self._encoding = options.encoding
        OruReader(options.id_column)  # refuses what names no field
        if self._is_single and not files[0].stat().st_size:
            raise InputError(f"{root}: the file is empty")
        self.versioned = any(suffix_of(file) not in TEXT or _holds_hl7(file) for file in files)

    def ids(self) -> Iterator[str]:
        """Each file's name as the identifier of a text."""
        return map(self._name, self._files)

    @property
    def _is_single(self) -> bool:
        return self._files[0] == self._root

    def read(self) -> Iterator[Report | Rejected]:
        """Every report; other DICOM objects and messages without results are told as one reject."""
        messages = OruReader(self._id_field, self._encoding)
        other_objects = 0
        for number, file in enumerate(self._files, start=1):
            place = f"file {number}"
            if not _may_be_dicom(file):
                yield from self._text(file, place, messages)
            elif (record := self._dicom(file, place)) is not None:
                yield record
            else:
                other_objects += 1
        yield from _told(other_objects, "other DICOM objects")
        yield from _told(messages.others, "HL7 messages without results")

    def _dicom(self, file: Path, place: str) -> Report | Rejected | None:
        from pipelines.reports_in.dicom_sr import read_sr  # what reads DICOM takes half a second

        record = read_sr(file, place)
        if isinstance(record, Rejected) and not record.id:
            return unreadable(place, RecordReason(record.reason), record.detail, self._name(file))
        return record

    def _text(self, file: Path, place: str, messages: OruReader) -> Iterator[Report | Rejected]:
        name = self._name(file)
        try:
            with open_text(file, self._encoding) as handle:
                start = handle.read(4096)
                if not begins_hl7(start.encode("utf-8", "surrogateescape")):
                    text = start + handle.read(MAX_RECORD_CHARS + 1 - len(start))
                    yield Report(name, plain(text), place)
                    return
                is_utf16 = (handle.encoding or "").startswith("utf-16")
                byte_place = "" if self._is_single else f"{place}, "
                chunks = _transcoded(start, handle) if is_utf16 else _bytes(file)
                codec = "utf-8" if is_utf16 else None
                for record in messages.read(chunks, byte_place, codec=codec):
                    yield self._findable(record, name)
        except InputError:
            is_empty = file.stat().st_size == 0
            reason = RecordReason.EMPTY if is_empty else RecordReason.ENCODING
            yield unreadable(place, reason, "empty" if is_empty else "not a text file", name)
        except ValueError as error:
            yield unreadable(place, RecordReason.UNREADABLE, str(error), name)

    def _findable(self, record: Report | Rejected, name: str) -> Report | Rejected:
        """Of several files, what cannot be read and has no identifier goes by its file's name."""
        if isinstance(record, Rejected) and not record.id and not self._is_single:
            return replace(record, id=name)
        return record

    def _name(self, file: Path) -> str:
        if self._is_single:
            return file.stem
        return file.relative_to(self._root).with_suffix("").as_posix()


def _may_be_dicom(path: Path) -> bool:
    suffix = suffix_of(path)
    return suffix in DICOM or (suffix not in (*TEXT, *HL7) and is_dicom_file(path))


def _told(count: int, what: str) -> Iterator[Rejected]:
    if count:
        yield unreadable("archive", RecordReason.NOT_A_REPORT, f"{count:,} {what}, skipped")


def _holds_hl7(path: Path) -> bool:
    head = _head(path).removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE)
    return begins_hl7(head.replace(b"\0", b""))  # UTF-16 too


def _head(path: Path) -> bytes:
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            return bytes(stream.read(256))
    except (OSError, pa.ArrowInvalid):
        return b""


def _bytes(path: Path) -> Iterator[bytes]:
    with pa.input_stream(str(path), compression="detect") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _transcoded(start: str, handle: TextIO) -> Iterator[bytes]:
    text = start
    while text:
        yield text.encode("utf-8", "surrogatepass")
        text = handle.read(_CHUNK)
