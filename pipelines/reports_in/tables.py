"""Tables of reports: a row a message, its fields in columns."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.columns import ReportColumns, choose_columns
from pipelines.reports_in.delimited import DelimitedFile
from pipelines.reports_in.json_lines import JsonLinesFile
from pipelines.reports_in.markup import plain
from pipelines.reports_in.options import ReadNotes, ReadOptions
from pipelines.reports_in.parquet import ParquetTable
from pipelines.reports_in.rows import Report, Row, Table, unreadable
from pipelines.reports_in.status import (
    Status,
    known_time_format,
    own_statuses,
    seconds_of,
    shape_of,
    status_of,
)
from pipelines.reports_in.text_file import undecoded
from pipelines.running.run import Rejected

JSON = (".jsonl", ".ndjson")
DELIMITED = (".csv", ".tsv", ".tab", ".psv")
_COMPRESSIONS = (".gz", ".bz2", ".zst")


def suffix_of(path: Path) -> str:
    """A file's ending in small letters, that of its compression aside."""
    name = Path(path.stem) if path.suffix.lower() in _COMPRESSIONS else path
    return name.suffix.lower()


def open_table(path: Path, encoding: str | None = None) -> Table:
    """A file, or a folder of Parquet parts, as a table; raises InputError when it is none.

    `encoding` is that of a text file without a BOM, else UTF-8.
    """
    if path.is_dir() or suffix_of(path) == ".parquet":
        if encoding is not None:
            raise InputError(f"{path}: Parquet holds UTF-8; leave out --encoding")
        return ParquetTable(path)
    if suffix_of(path) in (*JSON, ".json"):
        return JsonLinesFile(path, encoding)
    return DelimitedFile(path, encoding)


def decoded_rows(table: Table, wanted: Sequence[str]) -> Iterator[Row | Rejected]:
    """The rows of a table; one that has a wanted value in another encoding comes as a reject."""
    for row in table.rows(wanted):
        if isinstance(row, Row) and any(undecoded(value or "") for value in row.values):
            yield unreadable(row.place, RecordReason.ENCODING, "not UTF-8; save the file as UTF-8")
        else:
            yield row


class Tables:
    """One or several tables. Raises InputError when a column is missing in one of them."""

    def __init__(self, tables: Sequence[Table], options: ReadOptions, notes: ReadNotes) -> None:
        _check_meanings(options)
        self._tables = [(t, choose_columns(t.columns, t.name, options)) for t in tables]
        self._statuses = own_statuses(options.status)
        self._time_format = known_time_format(options.time_format)
        self._notes = notes
        self.versioned = options.status_column is not None or options.time_column is not None

    def ids(self) -> Iterator[str]:
        """Every row's identifier, without reading more than that."""
        for table, columns in self._tables:
            for record in table.rows((columns.id,)):
                if not isinstance(record, Rejected):
                    yield record.values[0] or ""

    def read(self) -> Iterator[Report | Rejected]:
        """Every row as a report; rows are counted within their file."""
        self._notes.unread_times.clear()
        for number, (table, columns) in enumerate(self._tables, start=1):
            of_file = f" of file {number}" if len(self._tables) > 1 else ""
            for record in table.rows(columns.wanted):
                if isinstance(record, Rejected):
                    yield _in_file(record, of_file)
                else:
                    fields = dict(zip(columns.wanted, record.values, strict=True))
                    time = self._time(fields, columns)
                    place = record.place + of_file
                    yield _report(fields, columns, place, self._statuses, time)

    def _time(self, fields: Mapping[str, str | None], columns: ReportColumns) -> float | None:
        text = (fields[columns.time] or "").strip() if columns.time is not None else ""
        time = seconds_of(text, self._time_format) if text else None
        if text and time is None:
            self._notes.unread_times[shape_of(text)] += 1
        return time


def _check_meanings(options: ReadOptions) -> None:
    for flag, given, column, needed in (
        ("--time-format", options.time_format, options.time_column, "--time-column"),
        ("--status", options.status, options.status_column, "--status-column"),
    ):
        if given and column is None:
            raise InputError(f"{flag}: says how a column is read; name it with {needed}")


def _in_file(rejected: Rejected, of_file: str) -> Rejected:
    place, _, detail = rejected.detail.partition(": ")
    return unreadable(place + of_file, RecordReason(rejected.reason), detail, rejected.id)


def _report(
    fields: Mapping[str, str | None],
    columns: ReportColumns,
    place: str,
    statuses: Mapping[str, Status],
    time: float | None,
) -> Report | Rejected:
    report_id = fields[columns.id] or ""
    status = (
        Status.FINAL
        if columns.status is None
        else status_of(fields[columns.status] or "", statuses)
    )
    try:
        texts = {name: plain(fields[name] or "") for name in columns.texts}
    except ValueError as error:
        if status is not Status.WITHDRAWN:
            return unreadable(place, RecordReason.UNREADABLE, str(error), report_id)
        texts = {"": ""}
    text = next(iter(texts.values())) if len(texts) == 1 else _under_heads(texts)
    exam = fields[columns.exam] or "" if columns.exam is not None else ""
    return Report(report_id, text, place, exam, status, time)


def _under_heads(texts: dict[str, str]) -> str:
    return "\n\n".join(
        f"{_head(name)}: {text.strip()}" for name, text in texts.items() if text.strip()
    )


def _head(column: str) -> str:
    """A column's name as a section head.

    >>> _head("Impressions_EN")
    'IMPRESSION'
    """
    name = column.removesuffix("_EN").replace("_", " ").upper()
    return "IMPRESSION" if name == "IMPRESSIONS" else name


def refuse_columns(source: str, options: ReadOptions) -> None:
    """Raise InputError where options name columns and the archive has none."""
    named = {
        "--text-column": bool(options.text_columns),
        "--exam-column": options.exam_column is not None,
        "--status-column": options.status_column is not None,
        "--time-column": options.time_column is not None,
        "--time-format": options.time_format is not None,
        "--status": bool(options.status),
    }
    for flag, is_given in named.items():
        if is_given:
            raise InputError(f"{source}: has no columns; leave out {flag}")
