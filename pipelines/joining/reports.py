"""The reports of a labelled archive: their identifiers, and what is stated of them."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from configs import files, tables
from configs.contracts import InputError


def read_report_ids(table: Path) -> Iterator[list[str]]:
    """The identifiers of a label table, some thousands at a time.

    Raises InputError where a row has none, or the table is empty.
    """
    row = 0
    for batch in files.read_batches(table, ["report_id"]):
        ids = batch.column("report_id")
        if not (pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type)):
            raise InputError(
                f"{table}: report_id is {ids.type}; identifiers must be text (00123 is not 123)"
            )
        if ids.null_count:
            empty = row + pc.index(pc.is_null(ids), True).as_py() + 1
            raise InputError(f"{table}: row {empty} has no report_id; leave it out")
        row += len(ids)
        yield ids.to_pylist()
    if not row:
        raise InputError(f"{table}: holds no report")


def read_stated(table: Path, wanted: Collection[str]) -> pd.DataFrame:
    """`report_id`, `exam`, `report_status`, `report_time` of some reports of a label table.

    They stand in the `reports.parquet` that the run of `label` wrote beside it; other tables have
    none, and give no row.
    """
    path = table.parent / "reports.parquet"
    record = table.parent / "run.json"
    rows = tables.REPORTS.empty_table()
    if path.exists() and record.exists() and files.read_json(record).get("verb") == "label":
        names = pa.array(list(wanted), pa.string())
        found = (
            pa.Table.from_batches([batch]).filter(pc.is_in(batch.column("report_id"), names))
            for batch in files.read_batches(path, tables.REPORTS.names)
        )
        rows = pa.concat_tables([rows, *(part.cast(tables.REPORTS) for part in found)])
    named = {"status": "report_status", "time": "report_time"}
    frame: pd.DataFrame = rows.to_pandas().rename(columns=named)
    return frame
