"""`labels` and `facts` on disk: streamed to Parquet and, where asked, to CSV for a spreadsheet."""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs import tables
from configs.files import atomic_path
from labeler import Fact

_ROWS_AT_ONCE = 20_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = Sequence[Any]


class LabelTables:
    """Takes reports one by one; what is written appears whole when `open_label_tables` ends."""

    def __init__(
        self, names: Sequence[str], labels: Callable[[Row], None], facts: Callable[[Row], None]
    ) -> None:
        self._names = names
        self._add_labels = labels
        self._add_fact = facts

    def add(self, report_id: str, labels: dict[str, int | None], facts: Sequence[Fact]) -> None:
        """One report: a row of labels, and a row for each fact."""
        self._add_labels((report_id, *(labels[name] for name in self._names)))
        for fact in facts:
            self._add_fact((report_id, *fact))


@contextmanager
def open_label_tables(out: Path, names: Sequence[str], *, as_csv: bool) -> Iterator[LabelTables]:
    """Open `labels` and `facts` in a folder; on an exception nothing appears there."""
    schemas = {"labels": tables.labels_schema(names), "facts": tables.FACTS}
    with ExitStack() as stack:
        add = {
            name: stack.enter_context(_sink(out / name, schema, as_csv=as_csv))
            for name, schema in schemas.items()
        }
        yield LabelTables(names, add["labels"], add["facts"])


@contextmanager
def _sink(stem: Path, schema: pa.Schema, *, as_csv: bool) -> Iterator[Callable[[Row], None]]:
    """A function that takes rows; they end in STEM.parquet and, if asked, in STEM.csv."""
    spreadsheet = stem.with_suffix(".csv")
    rows: list[Row] = []
    with ExitStack() as stack:
        parquet = stack.enter_context(_parquet_writer(stem.with_suffix(".parquet"), schema))
        to_csv = stack.enter_context(_csv_writer(spreadsheet, schema)) if as_csv else None

        def flush() -> None:
            columns = zip(*rows, strict=True) if rows else [()] * len(schema)
            arrays = [pa.array(c, field.type) for c, field in zip(columns, schema, strict=True)]
            parquet.write_table(pa.Table.from_arrays(arrays, schema=schema))
            if to_csv is not None:
                to_csv(rows)
            rows.clear()

        def add(row: Row) -> None:
            rows.append(row)
            if len(rows) >= _ROWS_AT_ONCE:
                flush()

        yield add
        flush()
    if not as_csv:
        spreadsheet.unlink(missing_ok=True)  # an earlier run's, no longer true


@contextmanager
def _parquet_writer(path: Path, schema: pa.Schema) -> Iterator[Any]:
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        yield writer


@contextmanager
def _csv_writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[Sequence[Row]], None]]:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(schema.names)
        yield lambda rows: writer.writerows(
            [spreadsheet_cell(cell) for cell in row] for row in rows
        )


def spreadsheet_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula (OWASP, CSV injection).

    >>> spreadsheet_cell("=1+1")
    "'=1+1"
    >>> spreadsheet_cell(-1)
    -1
    """
    if isinstance(value, tuple):
        return " x ".join(f"{number:g}" for number in value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
