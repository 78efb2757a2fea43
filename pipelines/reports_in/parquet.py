"""Parquet, one file or a folder of parts, in batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads

from configs.contracts import InputError, RecordReason
from configs.files import first_line
from pipelines.reports_in.rows import Row, unreadable
from pipelines.running.run import Rejected

_BATCH_ROWS = 2048


class ParquetTable:
    """A Parquet file or folder. Text and whole-number columns can be read; a float cannot be an id.

    Raises InputError when it is missing, unreadable or has no columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        try:
            self._dataset = pads.dataset(_parts(path), format="parquet")
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable_file(path, error) from None
        self.columns = tuple(self._dataset.schema.names)

    def rows(self, wanted: Sequence[str]) -> Iterator[Row | Rejected]:
        """Every row; a value that is not UTF-8 costs its row."""
        for name in wanted:
            self._check_type(name)
        number = 0
        try:
            batches = self._dataset.to_batches(
                columns=list(dict.fromkeys(wanted)), batch_size=_BATCH_ROWS, batch_readahead=2
            )
            for batch in batches:
                columns = [_texts(batch.column(name)) for name in wanted]
                for values in zip(*columns, strict=True):
                    number += 1
                    yield _row(f"row {number}", values)
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable_file(self.path, error) from None

    def _check_type(self, name: str) -> None:
        kind = self._dataset.schema.field(name).type
        if isinstance(kind, pa.DictionaryType):
            kind = kind.value_type
        textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        is_whole = pa.types.is_decimal(kind) and kind.scale == 0
        if pa.types.is_integer(kind) or is_whole or pa.types.is_temporal(kind):
            return
        if not (textual or pa.types.is_binary(kind)):
            raise InputError(
                f"{self.path}: column {name!r} is {kind}; identifiers and texts must be text "
                "(a float would change them)"
            )


def _row(place: str, values: tuple[str | bytes | None, ...]) -> Row | Rejected:
    if any(isinstance(value, bytes) for value in values):
        return unreadable(place, RecordReason.ENCODING, "a value is not UTF-8")
    return Row(place, tuple(value for value in values if not isinstance(value, bytes)))


def _texts(column: pa.Array) -> list[str | bytes | None]:
    """A column's values as text; what is not UTF-8 stays bytes."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    return [_decoded(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _decoded(value: Any) -> str | bytes | None:
    if value is None:
        return None
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        return bytes(value)


def _parts(path: Path) -> Path | list[str]:
    """A folder's Parquet files: others may lie beside them, such as a README."""
    if not path.is_dir():
        return path
    named = (file for file in sorted(path.rglob("*")) if file.suffix.lower() == ".parquet")
    parts = [str(file) for file in named if file.is_file() and file.name[0] not in "._"]
    return parts or path


def _unreadable_file(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a readable Parquet table ({first_line(error)})")
