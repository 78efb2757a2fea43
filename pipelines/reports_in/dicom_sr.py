"""DICOM Structured Reports to text: text, codes and numbers in reading order (PS3.3 A.35, C.17.3).

Containers become heads. Observation context (who observed, for whom, in which language) is left
out: it is not what the report says, and it names people.
"""

import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from configs.contracts import RecordReason
from model.volumes.content import inflate_dicom
from pipelines.reports_in.headings import head_of, under
from pipelines.reports_in.markup import plain
from pipelines.reports_in.rows import Report, unreadable
from pipelines.reports_in.status import Status, seconds_of
from pipelines.running.run import Rejected

_SR = "1.2.840.10008.5.1.4.1.1.88."
_REPORTS = frozenset(f"{_SR}{number}" for number in (1, 2, 3, 4, 11, 22, 33, 34, 35))
"""Text, Enhanced, Comprehensive, Comprehensive 3D, Extensible; not dose, CAD or key objects."""
_CONTEXT = frozenset({"HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD"})
_DOSE_TITLES = frozenset({"113701", "121316", "113921"})  # dose reports written as Enhanced SR
_SELF_EVIDENT = frozenset(
    {"finding", "text", "report text", "description", "comment", "observation", "narrative"}
)
_MAX_BYTES = 64_000_000
_MAX_DEPTH = 32
_MAX_CHARS = 4_000_000
_MOJIBAKE = re.compile("[\x1b\x80-\x9f\ufffd]")
_LATIN_LETTERS = re.compile("[À-ÖØ-öø-ÿ]")
_ASIAN = frozenset({"", "ISO_IR 6", *(f"ISO 2022 IR {n}" for n in (6, 13, 58, 87, 149, 159))})
"""Character sets without accented Latin letters."""
_GB2312 = "\x1b$)A"  # pydicom leaves this escape in the text


class _RefusedError(Exception):
    def __init__(self, reason: RecordReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_sr(path: Path, place: str) -> Report | Rejected | None:
    """The report in a DICOM file, the reason why it gives none, or None for another object."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote the values
            document = _document(path)
            return None if document is None else _report(document, place)
    except _RefusedError as error:
        return unreadable(place, error.reason, str(error))
    except Exception:  # a parser of foreign bytes; what it stumbles over is not to be told
        return unreadable(place, RecordReason.UNREADABLE, "not a DICOM file that can be read")


def _document(path: Path) -> Dataset | None:
    """The file's data set if it is a report; of other objects only the file's head is read."""
    try:
        sop_class = str(read_file_meta_info(path).get("MediaStorageSOPClassUID", ""))
    except InvalidDicomError:
        sop_class = ""  # without preamble and meta header
    if sop_class and sop_class not in _REPORTS:
        return None
    if path.stat().st_size > _MAX_BYTES:
        raise _RefusedError(RecordReason.TOO_LONG, "a file of more than 64 MB")
    packed = path.read_bytes()
    inflated = inflate_dicom(packed, max_bytes=_MAX_BYTES)
    content = io.BytesIO(packed if inflated is None else inflated)
    document = pydicom.dcmread(content, stop_before_pixels=True, force=True)
    titles = document.get("ConceptNameCodeSequence") or ()
    is_dose = any(str(title.get("CodeValue", "")) in _DOSE_TITLES for title in titles)
    sop_class = str(document["SOPClassUID"].value)
    return document if sop_class in _REPORTS and not is_dose else None


def _report(document: Dataset, place: str) -> Report:
    reader = _ContentReader(_charsets(document))
    report_id = reader.string(document, "AccessionNumber") or _requested(reader, document)
    exam = [reader.string(document, "StudyDescription"), reader.name(document)]
    for sequence in ("ProcedureCodeSequence", "PerformedProcedureCodeSequence"):
        for code in document.get(sequence) or ():
            exam += [reader.string(code, "CodeValue"), reader.string(code, "CodeMeaning")]
    reader.read(document.get("ContentSequence") or (), None, 1)
    return Report(
        report_id or str(document.get("StudyInstanceUID", "")),
        reader.text(),
        place,
        " ".join(filter(None, exam)),
        _status(document, reader),
        _time(document),
    )


def _requested(reader: "_ContentReader", document: Dataset) -> str:
    requests = document.get("ReferencedRequestSequence") or ()
    numbers = {reader.string(request, "AccessionNumber") for request in requests} - {""}
    return numbers.pop() if len(numbers) == 1 else ""


def _status(document: Dataset, reader: "_ContentReader") -> Status:
    """PS3.3 C.17.2; a document with predecessors replaces them."""
    unfinished = (
        document.get("PreliminaryFlag") == "PRELIMINARY",
        document.get("CompletionFlag") == "PARTIAL",
        document.get("VerificationFlag") == "UNVERIFIED"
        and document.get("PreliminaryFlag") != "FINAL",
    )
    if any(unfinished):
        return Status.PRELIMINARY
    if reader.head(document) == "ADDENDUM":
        return Status.ADDENDUM
    replaces = document.get("PredecessorDocumentsSequence")
    return Status.CORRECTED if replaces else Status.FINAL


def _time(document: Dataset) -> float | None:
    verified = [
        str(observer.get("VerificationDateTime", ""))
        for observer in document.get("VerifyingObserverSequence") or ()
    ]
    written = f"{document.get('ContentDate', '')}{document.get('ContentTime', '')}"
    known = [time for text in verified if (time := seconds_of(text)) is not None]
    return max(known) if known else seconds_of(written)


def _charsets(document: Dataset) -> frozenset[str]:
    """The declared character sets. Raises for one that nobody knows."""
    element = document.get("SpecificCharacterSet") or ""
    names = [element] if isinstance(element, str) else list(element)
    for name in names:
        if str(name).replace("ISO IR", "ISO_IR") not in python_encoding:
            raise _RefusedError(RecordReason.CHARSET, "a character set that is not known")
    return frozenset(map(str, names))


class _ContentReader:
    """Collects the lines of a content tree."""

    def __init__(self, charsets: frozenset[str]) -> None:
        self._has_more_than_ascii = any(charsets)
        self._has_latin_letters = not charsets <= _ASIAN
        self._lines: list[str] = []
        self._chars = 0

    def text(self) -> str:
        return "\n".join(self._lines).strip()

    def string(self, item: Dataset, keyword: str) -> str:
        """An element's text. Raises where its bytes do not fit the declared character set."""
        text = str(item.get(keyword) or "").replace(_GB2312, "").strip()
        if text.isascii() and "\x1b" not in text:
            return text
        is_wrong = (
            not self._has_more_than_ascii
            or _MOJIBAKE.search(text)
            or (_LATIN_LETTERS.search(text) and not self._has_latin_letters)
            or _is_utf8_as_latin(text)
        )
        if is_wrong:
            detail = "bytes that are not of its character set (SpecificCharacterSet)"
            raise _RefusedError(RecordReason.CHARSET, detail)
        return text

    def name(self, item: Dataset) -> str:
        concepts = item.get("ConceptNameCodeSequence") or ()
        return self.string(concepts[0], "CodeMeaning") if concepts else ""

    def head(self, item: Dataset) -> str | None:
        concepts = item.get("ConceptNameCodeSequence") or ()
        code = str(concepts[0].get("CodeValue", "")) if concepts else ""
        return head_of(code, self.name(item))

    def read(self, items: Iterable[Dataset], head: str | None, depth: int) -> None:
        """Add the lines of content items that stand under a head."""
        if depth > _MAX_DEPTH:
            raise _RefusedError(RecordReason.UNREADABLE, f"content nested deeper than {_MAX_DEPTH}")
        for item in items:
            if item.get("RelationshipType") in _CONTEXT:
                continue
            kind, children = item.get("ValueType"), item.get("ContentSequence") or ()
            if kind == "CONTAINER":
                self._container(item, children, head, depth)
            elif kind == "TEXT":
                self._add(self._titled(item, plain(self.string(item, "TextValue")), head))
                self.read(children, head, depth + 1)
            elif kind in ("CODE", "NUM"):
                self._statement(item, children, head, depth)

    def _container(
        self, item: Dataset, children: Iterable[Dataset], head: str | None, depth: int
    ) -> None:
        own = self.head(item)
        title = own or self.name(item).upper()
        before = len(self._lines)
        if title:
            self._add(f"\n{title}:")
        self.read(children, own or head, depth + 1)
        if title and len(self._lines) == before + 1:
            self._lines.pop()  # nothing stands under it

    def _statement(
        self, item: Dataset, children: Iterable[Dataset], head: str | None, depth: int
    ) -> None:
        """A code or number with its coded properties, as one sentence."""
        children = list(children)
        short = [child for child in children if child.get("ValueType") in ("CODE", "NUM")]
        stated = self._titled(item, self._value(item), head)
        properties = [
            f"{self.name(child).lower()} {self._value(child)}"
            for child in short
            if child.get("RelationshipType") not in _CONTEXT and self._value(child)
        ]
        if stated:
            self._add(", ".join([stated, *properties]) + ".")
        self.read([child for child in children if child not in short], head, depth + 1)
        for child in short:
            self.read(child.get("ContentSequence") or (), head, depth + 2)

    def _titled(self, item: Dataset, value: str, head: str | None) -> str:
        """The value under or after its concept's name, where that adds something."""
        name, own = self.name(item), self.head(item)
        if not value or not name or (name.lower() in _SELF_EVIDENT and head):
            return value
        if own is not None:
            return value if head else under(own, value)
        return value if value.lower().startswith(name.lower()) else f"{name}: {value}"

    def _value(self, item: Dataset) -> str:
        if item.get("ValueType") == "CODE":
            concepts = item.get("ConceptCodeSequence") or ()
            return self.string(concepts[0], "CodeMeaning") if concepts else ""
        measured = item.get("MeasuredValueSequence") or ()
        if not measured or measured[0].get("NumericValue") is None:
            return ""
        units = measured[0].get("MeasurementUnitsCodeSequence") or ()
        unit = self.string(units[0], "CodeValue") if units else ""
        if not unit.isalpha() and units:
            unit = {"1": "", "%": "%"}.get(unit, self.string(units[0], "CodeMeaning"))
        return f"{measured[0].NumericValue} {unit}".strip()

    def _add(self, line: str) -> None:
        if not line.strip():
            return
        self._chars += len(line)
        if self._chars > _MAX_CHARS:
            raise _RefusedError(RecordReason.TOO_LONG, f"more than {_MAX_CHARS:,} characters")
        self._lines.append(line)


def _is_utf8_as_latin(text: str) -> bool:
    try:
        return text.encode("latin-1").decode("utf-8") != text
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
