"""The facts of a labelled archive, as `chestct label` wrote them."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc

from configs import files, tables
from configs.contracts import InputError
from labeler import Fact


def read_facts(path: Path, where: pc.Expression | None = None) -> Iterator[tuple[str, Fact]]:
    """Each report's id with one of its facts, in the table's order; only those for which `where`.

    Raises InputError for a table that is none, or that lacks a column that facts have today.
    """
    _check_columns(path)
    for batch in files.read_batches(path, tables.FACTS.names):
        for row in (batch if where is None else batch.filter(where)).to_pylist():
            try:
                yield row["report_id"], Fact.of_row(row)
            except ValueError:
                raise InputError(
                    f"{path}: holds a value that this chestct does not know; label again"
                ) from None


def _check_columns(path: Path) -> None:
    found = files.column_names(path)
    missing = next((name for name in tables.FACTS.names if name not in found), None)
    if missing is not None:
        raise InputError(
            f"{path}: no column {missing!r}, so another version of chestct wrote it; label again "
            "(`chestct label ... --restart`)"
        )
