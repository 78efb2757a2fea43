"""A folder that `chestct review` wrote, to read decisions against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from configs.contracts import InputError
from configs.files import read_json, read_table
from pipelines.reviewing.decisions import Decisions, read_decisions
from pipelines.reviewing.sheet import ADJUDICATION, READERS, SENTENCES, Kind

ITEMS = "items.parquet"
SHEETS = (
    *(f"{name}.html" for name in (SENTENCES, *READERS)),
    "label_studio.json",
    "label_studio.xml",
)
"""What people get to work with, of either kind of worksheet."""


@dataclass(frozen=True, slots=True, eq=False)
class MadeWorksheet:
    """What was asked, from its `run.json` and its table of items."""

    folder: Path
    kind: Kind
    worksheet: str
    labels: tuple[str, ...]
    uncertain: int
    blank: int
    """What such a value counts as."""
    archive: Mapping[str, int]
    archive_reports: int
    items: pa.Table

    @classmethod
    def open(cls, folder: Path) -> "MadeWorksheet":
        """Raise InputError for a folder that holds no worksheet."""
        record = read_json(folder / "run.json")
        facts = record.get("worksheet") if isinstance(record, dict) else None
        if not isinstance(facts, dict) or record.get("verb") != "review":
            raise InputError(f"{folder}: not a folder of sheets that `chestct review` wrote")
        return cls(
            folder,
            Kind(facts["kind"]),
            facts["hash"],
            tuple(facts["labels"]),
            facts["binary"]["uncertain"],
            facts["binary"]["blank"],
            facts["archive"],
            facts["archive_reports"],
            read_table(folder / ITEMS),
        )

    def read(self, paths: Sequence[Path]) -> dict[str, list[Decisions]]:
        """Decisions by sheet; raises InputError for another worksheet's or a sheet given twice."""
        known = set(self.items.column("id").to_pylist())
        expected = (SENTENCES,) if self.kind is Kind.SENTENCES else (*READERS, ADJUDICATION)
        by_sheet: dict[str, list[Decisions]] = {}
        for path in paths:
            found = read_decisions(path, self.worksheet, self.labels)
            if found.sheet not in expected:
                raise InputError(f"{path}: no sheet of this folder is called {found.sheet!r}")
            if any(decision.id not in known for decision in found.decisions):
                raise InputError(f"{path}: decides on an item that this folder has not")
            if found.sheet in by_sheet and self.kind is not Kind.SENTENCES:
                raise InputError(f"{path}: a second file of sheet {found.sheet}; give one a reader")
            by_sheet.setdefault(found.sheet, []).append(found)
        return by_sheet


def refuse_other(folder: Path, worksheet: str) -> None:
    """Raise InputError where a folder holds sheets that ask something else."""
    if not (folder / "run.json").exists():
        return
    facts = read_json(folder / "run.json").get("worksheet")
    if facts is None or facts.get("hash") != worksheet:
        raise InputError(
            f"{folder}: holds other sheets, on which people may be at work; --restart replaces "
            "them, and another --out keeps both"
        )
