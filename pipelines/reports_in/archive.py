"""A report archive of any kind as one stream of reports and rejects."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.body_parts import chest_only, is_combined
from pipelines.reports_in.documents import DICOM, HL7, TEXT, Documents, is_dicom_file, is_document
from pipelines.reports_in.exam import ExamFilter, exam_in_text
from pipelines.reports_in.joining import joined
from pipelines.reports_in.language import is_english
from pipelines.reports_in.options import PLAIN, ReadNotes, ReadOptions
from pipelines.reports_in.repeated import told_apart
from pipelines.reports_in.rows import MAX_TEXT_CHARS, Report, unreadable
from pipelines.reports_in.status import Status
from pipelines.reports_in.tables import DELIMITED, JSON, Tables, open_table, suffix_of
from pipelines.reports_in.text_file import undecoded
from pipelines.running.run import Rejected

_KINDS = "CSV, TSV, JSON lines, Parquet, HL7 v2, DICOM SR or .txt, .rtf and .html files"
_ABOUT = {"readme", "license", "licence", "changelog", "copyright", "notice"}
_Fault = tuple[RecordReason, str]
_UNDECODED = (
    RecordReason.ENCODING,
    "bytes that are not of the file's encoding (UTF-8, or that of --encoding), or a NUL",
)
_Records = Iterator[Report | Rejected]


class _Source(Protocol):
    """An archive's messages, as they stand there."""

    versioned: bool
    """Whether they have a status, so that several may make one report."""

    def read(self) -> _Records:
        """Start a pass over them."""
        ...

    def ids(self) -> Iterator[str]:
        """Their identifiers, where they have no versions."""
        ...


def read_reports(
    path: Path, options: ReadOptions = PLAIN, notes: ReadNotes | None = None
) -> _Records:
    """Every record of an archive, in order, as a Report or as the reason why it is none.

    `path` is a CSV or TSV file (also compressed), JSON lines, Parquet, HL7 v2 messages, DICOM
    structured reports, a text, or a folder of files of one of these kinds. RTF, HTML and escapes
    inside become plain text. Several text columns become one text, each under its name as a head
    ("IMPRESSION: ..."). `notes` takes what people should be told beside the records. Raises
    InputError at once when the archive cannot be read, a column is missing or the options do not
    fit it.
    """
    source = _source(path, options, notes or ReadNotes())
    exams = ExamFilter(options.exam)

    def messages() -> _Records:
        return _checked(source.read(), exams)

    if source.versioned:
        records = joined(messages, preliminary=options.preliminary)
    else:
        records = told_apart(source.ids(), messages)
    return _accepted(records, options)


def _source(path: Path, options: ReadOptions, notes: ReadNotes) -> _Source:
    files = _files(path, notes)
    if _is_table(files[0]):
        return Tables([open_table(file, options.encoding) for file in files], options, notes)
    return Documents(path, files, options)


def _is_table(path: Path) -> bool:
    """Whether a file, or a folder of Parquet parts, is a table; so is a text by an unknown name."""
    suffix = suffix_of(path)
    if path.is_dir() or suffix in (".parquet", *JSON, *DELIMITED):
        return True
    return suffix not in (*TEXT, *HL7, *DICOM) and not is_document(path)


def _files(path: Path, notes: ReadNotes) -> list[Path]:
    """The files of an archive, all of one kind; a Parquet folder counts as one file."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file():
        return [path]
    if (path / "store.json").is_file():
        raise InputError(f"{path}: this is a store of scans; name the reports")
    kinds: dict[str, list[Path]] = {}
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
        kind = _kind(file)
        if kind == "Parquet":
            kinds[kind] = [path]
        elif kind:
            kinds.setdefault(kind, []).append(file)
        else:
            notes.left_out[suffix_of(file) or "without ending"] += 1
    _leave_out_readme(kinds, notes)
    texts = kinds.pop("text", [])
    if texts and "DICOM or HL7" in kinds:  # messages may be in .txt
        kinds["DICOM or HL7"] += texts
    elif texts:
        kinds["text"] = texts
    if len(kinds) > 1:
        raise InputError(f"{path}: holds {' and '.join(kinds)} files; give one kind, or one file")
    for files in kinds.values():
        return sorted(files)
    found = ", ".join(f"{count:,} {ending}" for ending, count in notes.left_out.items())
    raise InputError(
        f"{path}: no reports in this folder{found and f' (found {found})'}; expected {_KINDS}"
    )


def _leave_out_readme(kinds: dict[str, list[Path]], notes: ReadNotes) -> None:
    """What describes the tables beside it is no report."""
    texts = kinds.get("text", [])
    about = [file for file in texts if file.stem.lower() in _ABOUT]
    if len(kinds) > 1 and about:
        notes.left_out["README"] += len(about)
        kinds["text"] = [file for file in texts if file not in about]
        if not kinds["text"]:
            del kinds["text"]


def _kind(path: Path) -> str | None:
    suffix = suffix_of(path)
    if suffix == ".parquet":
        return "Parquet"
    if suffix in DELIMITED:
        return "delimited"
    if suffix in JSON:
        return "JSON"
    if suffix in TEXT:
        return "text"
    if suffix in HL7 or suffix in DICOM or is_dicom_file(path):
        return "DICOM or HL7"
    return None


def _checked(records: _Records, exams: ExamFilter) -> _Records:
    """The messages that can be read and are of wanted examinations."""
    for record in records:
        if isinstance(record, Rejected):
            yield record
            continue
        fault = _fault(record)
        if fault is None and exams:
            fault, record = _of_chest(record, exams)
        yield unreadable(record.place, *fault, _shown_id(record.id)) if fault else record


def _fault(report: Report) -> _Fault | None:
    if not report.id.strip():
        return RecordReason.NO_ID, "no identifier"
    if undecoded(report.id):
        return _UNDECODED
    if report.status is Status.UNKNOWN:
        return RecordReason.STATUS, "a status that is not known"
    if report.status is Status.WITHDRAWN:
        return None  # it needs no text to say which report no longer holds
    if not report.text.strip():
        return RecordReason.EMPTY, "no text"
    if len(report.text) > MAX_TEXT_CHARS:
        return RecordReason.TOO_LONG, f"more than {MAX_TEXT_CHARS:,} characters"
    return _UNDECODED if undecoded(report.text) else None


def _of_chest(report: Report, exams: ExamFilter) -> tuple[_Fault | None, Report]:
    """The report as far as it is of the chest, or why its examination is not read."""
    name = report.exam.strip() or exam_in_text(report.text)
    is_withdrawn = report.status is Status.WITHDRAWN
    if not name and is_withdrawn:
        return None, report
    if not name:
        return (RecordReason.EXAM, "nothing says which examination it is"), report
    if not exams.keeps(name):
        return (RecordReason.EXAM, "another examination"), report
    if is_withdrawn or not is_combined(name):
        return None, report
    text = chest_only(report.text)
    if not text.strip():
        return (RecordReason.EXAM, "nothing in it is of the chest"), report
    return None, replace(report, text=text)


def _accepted(records: _Records, options: ReadOptions) -> _Records:
    """The reports in English."""
    for record in records:
        if isinstance(record, Rejected):
            yield record
            continue
        fault: _Fault | None = None
        if not options.any_language and not is_english(record.text):
            fault = RecordReason.LANGUAGE, "not in English, or not wholly"
        if fault is None and len(record.text) > MAX_TEXT_CHARS:
            fault = (
                RecordReason.TOO_LONG,
                f"with its addenda more than {MAX_TEXT_CHARS:,} characters",
            )
        yield unreadable(record.place, *fault, _shown_id(record.id)) if fault else record


def _shown_id(report_id: str) -> str:
    return report_id.encode("utf-8", "replace").decode()
