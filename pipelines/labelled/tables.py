"""Tables of labels and facts as CSV files that are safe to open in a spreadsheet."""

import csv
from pathlib import Path
from typing import Any

import pyarrow.dataset as pads

from configs.files import atomic_path

_ROWS_AT_ONCE = 10_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(table: Path, path: Path) -> None:
    """Write a Parquet table (a file or a folder of parts) as CSV, some rows at a time."""
    rows = pads.dataset(table, format="parquet")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows.schema.names)
        for batch in rows.to_batches(batch_size=_ROWS_AT_ONCE, batch_readahead=1):
            columns = [column.to_pylist() for column in batch.columns]
            writer.writerows(map(spreadsheet_cell, row) for row in zip(*columns, strict=True))


def spreadsheet_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula (OWASP, CSV injection).

    >>> spreadsheet_cell("=1+1")
    "'=1+1"
    >>> spreadsheet_cell(-1)
    -1
    """
    if isinstance(value, tuple | list):
        return " x ".join(f"{number:g}" for number in value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
