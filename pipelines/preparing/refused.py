"""The series that a store's archive has and the store has not, by their pseudonyms."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs import files, tables
from model.volumes.store import Store
from pipelines.running.run import Rejected

REFUSED = "refused.parquet"


def read_refused(store: Path) -> pa.Table:
    """The table of a store; without rows where an earlier version made it."""
    path = store / REFUSED
    return files.read_table(path) if path.exists() else tables.REFUSED.empty_table()


def write_refused(
    store: Store, rejected: Iterable[Rejected], ids: Mapping[str, Mapping[str, Any]]
) -> None:
    """Note whose the rejected series are, beside those of earlier runs that are still missing.

    `ids` has `scan_id` and `study_id` by the identifier of each rejected record.
    """
    rows = {row["volume_id"]: row for row in read_refused(store.path).to_pylist()}
    for record in rejected:
        named = {name: ids[record.id][name] for name in ("scan_id", "study_id")}
        rows[record.id] = {"volume_id": record.id, "reason": str(record.reason), **named}
    missing = [row for name, row in rows.items() if name not in store]
    files.write_table(store.path / REFUSED, pa.Table.from_pylist(missing, schema=tables.REFUSED))
