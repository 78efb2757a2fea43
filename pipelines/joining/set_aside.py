"""`rejected.parquet` of a join, written while it is found: there may be a million reports."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from configs import files, tables
from pipelines.running.run import Rejected, rejected_table


class SetAside:
    """Takes what is set aside, counts it by reason, and keeps none of it."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self.counts: Counter[str] = Counter()

    def add(self, records: Iterable[Rejected]) -> None:
        """Write some thousands of records at a time."""
        batch = list(records)
        if batch:
            self._writer.write_table(rejected_table(batch))
            self.counts.update(str(record.reason) for record in batch)


@contextmanager
def setting_aside(out: Path) -> Iterator[SetAside]:
    """`rejected.parquet` in a folder; there is none when the join fails."""
    with (
        files.atomic_path(out / "rejected.parquet") as temporary,
        pq.ParquetWriter(temporary, tables.REJECTED, compression="zstd") as writer,
    ):
        yield SetAside(writer)
