"""What every public data set tells: who a file is of, what its metadata say, and its labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from configs.contracts import InputError
from model.volumes import Volume
from pipelines.reports_in.tables import decoded_rows, open_table
from pipelines.running.run import Rejected

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class ScanName:
    """Whose a file is: several volumes (reconstructions) may be of one scan."""

    volume: str
    scan: str
    patient: str


@dataclass(frozen=True, slots=True)
class ScanRow:
    """A scan's published values: its labels, or the sections of its report."""

    scan: str
    values: Record


@dataclass(frozen=True, slots=True)
class Conflict:
    """A scan whose rows contradict each other."""

    scan: str
    detail: str


class Dataset(Protocol):
    """A data set's own rules; nothing here changes a voxel."""

    convention: str
    """The label convention whose columns its labels fill."""

    def read_metadata(self, path: Path | None) -> dict[str, Record]:
        """The metadata table by volume; raises InputError where it is needed and not named."""
        ...

    def name_of(self, file_name: str, metadata: dict[str, Record]) -> ScanName:
        """Who a file is of; raises InputError for a name that is not of this data set."""
        ...

    def describe(self, volume: Volume, record: Record | None) -> Volume:
        """The volume with what the metadata say of it; raises VolumeError where they contradict."""
        ...

    def reports(self, path: Path) -> Iterator[ScanRow | Conflict]:
        """Each scan's report, by section; raises InputError where none are published."""
        ...

    def labels(self, path: Path) -> Iterator[ScanRow | Conflict]:
        """Each scan's labels, "0" or "1" by the convention's names."""
        ...


def read_records(path: Path, needed: Sequence[str], wanted: Sequence[str] = ()) -> Iterator[Record]:
    """The rows of a published table; raises InputError for a missing column or a damaged row.

    Columns in `wanted` that the table lacks are left out.
    """
    table = open_table(path)
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise InputError(f"{path}: no column {missing[0]!r}; is it the published file?")
    names = [*needed, *(name for name in wanted if name in table.columns)]
    for row in decoded_rows(table, names):
        if isinstance(row, Rejected):
            raise InputError(f"{path}: {row.detail}; fetch the file again")
        yield {name: value or "" for name, value in zip(names, row.values, strict=True)}


def by_scan(rows: Iterator[ScanRow], what: str) -> Iterator[ScanRow | Conflict]:
    """One row a scan, in the order of their first; rows that differ contradict each other."""
    kept: dict[str, ScanRow] = {}
    differing: set[str] = set()
    for row in rows:
        if kept.setdefault(row.scan, row) != row:
            differing.add(row.scan)
    for scan, row in kept.items():
        if scan in differing:
            yield Conflict(scan, f"its reconstructions have different {what}")
        else:
            yield row


def binary_values(record: Record, path: Path, names: Sequence[str]) -> Record:
    """Labels as "0" and "1"; raises InputError for any other value."""
    values = {name: record[name].removesuffix(".0") for name in names}
    for name, value in values.items():
        if value not in ("0", "1"):
            raise InputError(f"{path}: column {name!r} holds something other than 0 and 1")
    return values
