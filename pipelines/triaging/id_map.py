"""The way back from a worklist's hashes, kept only when asked for, and never beside the list."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from configs import files
from configs.contracts import InputError
from pipelines.labelled.tables import spreadsheet_cell

_COLUMNS = ("series", "study", "series_uid", "study_uid", "patient_id", "accession", "path")
"""The list's own two names of a scan, then the archive's, and where it lay below SCANS."""
_SCHEMA = pa.schema([(name, pa.string()) for name in _COLUMNS])

Entry = dict[str, str]


def check_id_map(path: Path, out: Path) -> None:
    """Raise InputError where the map would lie beside the list, or is another file."""
    if path.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{path}: lies in the list's folder; name a file elsewhere")
    if path.exists():
        read_id_map(path)


def read_id_map(path: Path) -> list[Entry]:
    """The rows of a map: CSV by its ending, else Parquet. Raises InputError for another file."""
    names, rows = _from_csv(path) if path.suffix.lower() == ".csv" else _from_table(path)
    if names != _COLUMNS:
        raise InputError(f"{path}: is not a worklist's map of identifiers; name another file")
    for number, row in enumerate(rows, start=1):
        if row.keys() != set(_COLUMNS) or None in row.values():
            raise InputError(f"{path}: row {number} is cut or too long; mend it, or name another")
    return rows


def _from_csv(path: Path) -> tuple[tuple[str, ...], list[Entry]]:
    try:
        with path.open(newline="", encoding="utf-8") as text:
            reader = csv.DictReader(text)
            return tuple(reader.fieldnames or ()), list(reader)
    except OSError:
        raise InputError(f"{path}: cannot be read as a file; name another file") from None
    except (UnicodeError, csv.Error):
        raise InputError(f"{path}: is no CSV in UTF-8; name another file") from None


def _from_table(path: Path) -> tuple[tuple[str, ...], list[Entry]]:
    table = files.read_table(path)
    return tuple(table.schema.names), table.to_pylist()


def write_id_map(path: Path, entries: Iterable[Entry]) -> None:
    """Write a row a scan, beside the rows of earlier runs; mode 0600."""
    as_csv = path.suffix.lower() == ".csv"
    rows = {
        (row["series"], row["path"]): row
        for row in (
            *(read_id_map(path) if path.exists() else ()),
            *(_written(entry, as_csv=as_csv) for entry in entries),
        )
    }
    with files.atomic_path(path) as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if as_csv:
            temporary.write_text(_csv(rows.values()), encoding="utf-8")
        else:
            pq.write_table(pa.Table.from_pylist(list(rows.values()), schema=_SCHEMA), temporary)


def _written(entry: Entry, *, as_csv: bool) -> Entry:
    """Identifiers and file names need not be text, nor may a spreadsheet take them for formulas.

    So a CSV sets an apostrophe before one that begins as a formula does; Parquet is exact.
    """
    plain = {name: entry[name].encode("utf-8", "backslashreplace").decode() for name in _COLUMNS}
    return {name: str(spreadsheet_cell(text)) for name, text in plain.items()} if as_csv else plain


def _csv(rows: Iterable[Entry]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
