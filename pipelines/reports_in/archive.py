"""A report archive of any kind as one stream of reports and rejects."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.columns import ReportColumns, choose_columns
from pipelines.reports_in.delimited import DelimitedFile
from pipelines.reports_in.json_lines import JsonLinesFile
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.parquet import ParquetTable
from pipelines.reports_in.repeated import Repeated
from pipelines.reports_in.rows import Report, Row, Table, unreadable
from pipelines.reports_in.text_file import open_text, undecoded
from pipelines.running.run import Rejected

MAX_TEXT_CHARS = 1_000_000
_COMPRESSIONS = (".gz", ".bz2", ".zst")
_JSON = (".jsonl", ".ndjson")
_DELIMITED = (".csv", ".tsv", ".tab", ".psv")
_KINDS = "CSV, TSV, JSON lines, Parquet or a folder of .txt files"


def read_reports(path: Path, options: ReadOptions = PLAIN) -> Iterator[Report | Rejected]:
    """Every record of an archive, in order, as a Report or as the reason why it is none.

    `path` is a CSV or TSV file (also compressed), JSON lines, Parquet, one .txt file, or a folder
    of files of one of these kinds. Several text columns become one text, each under its name as
    a head ("IMPRESSION: ..."). Raises InputError at once when the archive cannot be read or a
    column is missing.
    """
    files = _files(path)
    if _suffix(files[0]) == ".txt":
        records = _text_files(path, files)
    else:
        tables = [open_table(file) for file in files]
        columns = [
            choose_columns(t.columns, t.name, options.id_column, options.text_columns)
            for t in tables
        ]
        records = (
            record if isinstance(record, Rejected) else _joined(record, chosen)
            for table, chosen in zip(tables, columns, strict=True)
            for record in table.rows((chosen.id, *chosen.texts))
        )
    return _checked(records)


def _files(path: Path) -> list[Path]:
    """The files of an archive, all of one kind; a Parquet folder counts as one file."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file():
        return [path]
    kinds: dict[str, list[Path]] = {"parquet": [], "delimited": [], "json": [], "text": []}
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")):
        suffix = _suffix(file)
        if suffix == ".parquet":
            kinds["parquet"] = [path]
        elif suffix in _DELIMITED:
            kinds["delimited"].append(file)
        elif suffix in _JSON:
            kinds["json"].append(file)
        elif suffix == ".txt":
            kinds["text"].append(file)
    tables = [kind for kind in ("parquet", "delimited", "json") if kinds[kind]]
    if len(tables) > 1:
        raise InputError(f"{path}: holds {' and '.join(tables)} files; give one kind, or one file")
    files = kinds[tables[0]] if tables else kinds["text"]
    if not files:
        raise InputError(f"{path}: no reports in this folder; expected {_KINDS}")
    return files


def _suffix(path: Path) -> str:
    name = Path(path.stem) if path.suffix.lower() in _COMPRESSIONS else path
    return name.suffix.lower()


def open_table(path: Path) -> Table:
    """A file, or a folder of Parquet parts, as a table; raises InputError when it is none."""
    if path.is_dir() or _suffix(path) == ".parquet":
        return ParquetTable(path)
    if _suffix(path) in _JSON:
        return JsonLinesFile(path)
    return DelimitedFile(path)


def _text_files(root: Path, files: Sequence[Path]) -> Iterator[Row | Rejected]:
    """One report a file; its identifier is the file's path in the folder, without the ending."""
    for number, file in enumerate(files, start=1):
        place = f"file {number}"
        name = file.stem if root == file else file.relative_to(root).with_suffix("").as_posix()
        try:
            with open_text(file) as handle:
                yield Row(place, (name, handle.read(MAX_TEXT_CHARS + 1)))
        except InputError:
            empty = file.stat().st_size == 0
            reason = RecordReason.EMPTY if empty else RecordReason.ENCODING
            yield unreadable(place, reason, "empty" if empty else "not a text file", name)


def _joined(row: Row, columns: ReportColumns) -> Row:
    """The row as identifier and one text."""
    report_id, *texts = row.values
    if len(texts) == 1:
        return row
    parts = [
        f"{_head(name)}: {text.strip()}"
        for name, text in zip(columns.texts, texts, strict=True)
        if text and not text.isspace()
    ]
    return Row(row.place, (report_id, "\n\n".join(parts)))


def _head(column: str) -> str:
    """A column's name as a section head.

    >>> _head("Impressions_EN")
    'IMPRESSION'
    """
    name = column.removesuffix("_EN").replace("_", " ").upper()
    return "IMPRESSION" if name == "IMPRESSIONS" else name


def _checked(records: Iterator[Row | Rejected]) -> Iterator[Report | Rejected]:
    seen = Repeated()
    for record in records:
        if isinstance(record, Rejected):
            yield record
            continue
        report_id, text = record.values
        report = Report(report_id or "", text or "", record.place)
        fault = _fault(report) or seen.fault(report)
        yield unreadable(report.place, *fault, _shown_id(report.id)) if fault else report


def _fault(report: Report) -> tuple[RecordReason, str] | None:
    if not report.id.strip():
        return RecordReason.NO_ID, "no identifier"
    if not report.text.strip():
        return RecordReason.EMPTY, "no text"
    if len(report.text) > MAX_TEXT_CHARS:
        return RecordReason.TOO_LONG, f"more than {MAX_TEXT_CHARS:,} characters"
    if undecoded(report.id + report.text):
        return RecordReason.ENCODING, "not valid UTF-8 (or a NUL inside); save the file as UTF-8"
    return None


def _shown_id(report_id: str) -> str:
    return report_id.encode("utf-8", "replace").decode()
