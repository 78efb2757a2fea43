"""The way back from pseudonyms, kept only when asked for, and never inside the store."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from configs import files
from configs.contracts import InputError
from configs.files import IdKey
from pipelines.preparing.identity import Identified, RefusedName

_OWN = ("series", "scan", "study", "patient")
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("volume_id", "scan_id", "study_id", "patient_id", *_OWN)]
)
"""Four pseudonyms, and the archive's own words for the same: Parquet, for they may be anything."""


def check_id_map(path: Path, store: Path) -> None:
    """Raise InputError where the map would lie in the store, or is another file."""
    if path.resolve().is_relative_to(store.resolve()):
        raise InputError(f"{path}: lies in the store, which is passed on; name a file elsewhere")
    if path.exists():
        _read(path)


def write_id_map(
    path: Path,
    named: Sequence[Identified],
    refused: Sequence[RefusedName],
    key: IdKey,
) -> None:
    """Write a row a series, also of those refused, beside rows of earlier runs; mode 0600."""
    rows = {row["volume_id"]: row for row in _read(path).to_pylist()} if path.exists() else {}
    for item in refused:
        ids = item.columns(key)
        own = (item.volume, item.scan, item.study, item.patient)
        texts = [None if name is None else _text(name) for name in own]
        rows[str(ids["volume_id"])] = ids | dict(zip(_OWN, texts, strict=True))
    for entry in named:
        name = entry.name
        texts = [_text(word) for word in (name.volume, name.scan, entry.study, name.patient)]
        rows[entry.ids.volume_id] = entry.columns() | dict(zip(_OWN, texts, strict=True))
    with files.atomic_path(path) as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        pq.write_table(pa.Table.from_pylist(list(rows.values()), schema=_SCHEMA), temporary)


def _text(identifier: str) -> str:
    """File names need not be text."""
    return identifier.encode("utf-8", "backslashreplace").decode()


def _read(path: Path) -> pa.Table:
    table = files.read_table(path)
    if table.schema.names != _SCHEMA.names:
        raise InputError(f"{path}: is not a map of identifiers; name another file")
    return table
