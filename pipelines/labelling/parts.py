"""An output folder's part files, shard by shard: a shard is there whole, or is not there."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs import files
from configs.contracts import InputError
from pipelines.labelling.tally import Tally
from pipelines.running.hold import held

TABLES = ("labels", "facts", "reports", "rejected")
SOFT_LABELS = "soft_labels"
"""One more where a taught stage judges beside the rules."""
_ALL_TABLES = (*TABLES, SOFT_LABELS)
_CSV = ("labels.csv", "facts.csv", "rejected.csv")
_STATE = ".shards"


class Parts:
    """`labels.parquet/part-00000.parquet` and so on, beside `.shards/` with a mark for each shard.

    A shard's mark is written when all its parts are, so the mark decides that it is finished. The
    marks, which carry the shards' counts, go once `run.json` says that the folder is complete.
    """

    def __init__(self, out: Path, names: Sequence[str] = TABLES) -> None:
        """`names` are the tables that the run writes."""
        self.out = out
        self.names = tuple(names)
        self._state = out / _STATE
        self._plan = self._state / "plan.json"

    @contextmanager
    def taken(self, plan: Mapping[str, Any], *, restart: bool = False) -> Iterator[None]:
        """Hold the folder for a run of a plan; whatever an interrupted run left half-written goes.

        With `restart` all goes. When nothing comes of the run, nothing is left. Raises InputError
        while another run holds the folder.
        """
        self._state.mkdir(exist_ok=True)
        with held(self._state, self.out):
            if restart:
                self.clear()
                self._state.mkdir()
            for folder in (self._state, *map(self.table, _ALL_TABLES)):
                for leftover in folder.glob(".*.tmp"):
                    leftover.unlink(missing_ok=True)
            try:
                if not self._plan.exists():
                    files.write_json(self._plan, plan)
                yield
            except BaseException:
                if not list(self._state.glob("part-*.json")):
                    self.clear()
                raise

    def refuse_in_the_way(self, archive: Path) -> None:
        """Raise InputError where the archive, or a table of the user's, has the name of ours."""
        own = self.table("reports")
        if own.is_file() or archive in map(self.table, _ALL_TABLES):
            name = own.name if own.is_file() else archive.name
            raise InputError(f"{self.out}: its {name} is none of label's; choose another --out")

    def plan(self) -> dict[str, Any] | None:
        """The plan of the run that was interrupted here, if one was."""
        return files.read_json(self._plan) if self._plan.exists() else None

    def table(self, name: str) -> Path:
        """The folder of a table's parts."""
        return self.out / f"{name}.parquet"

    def write(
        self, number: int, tables: Mapping[str, pa.Table], tally: Tally, plan: Mapping[str, Any]
    ) -> None:
        """Write a shard: its parts, and then its mark.

        A worker that an earlier run left behind writes nothing into another plan's folder.
        """
        if self.plan() != plan:
            raise InputError(f"{self.out}: now belongs to another run; this one ends")
        for name in self.names:
            files.write_table(self.table(name) / _part(number), tables[name].combine_chunks())
        files.write_json(self._mark(number), tally.as_json())

    def tally(self, number: int) -> Tally | None:
        """A finished shard's counts; None for one that is to be done."""
        mark = self._mark(number)
        if not mark.exists():
            return None
        if not all((self.table(name) / _part(number)).exists() for name in self.names):
            return None
        return Tally.from_json(files.read_json(mark))

    def prove(self, shards: int, total: Tally) -> None:
        """Count the rows of every part against the tally: nothing lost, nothing doubled."""
        expected = [_part(number) for number in range(shards)]
        rows = {}
        for name in self.names:
            folder = self.table(name)
            if sorted(path.name for path in folder.iterdir()) != expected:
                raise RuntimeError(f"{folder}: does not hold exactly the parts of {shards} shards")
            rows[name] = sum(pq.read_metadata(folder / part).num_rows for part in expected)
        counted = {"labels": total.labelled, "facts": total.facts}
        counted |= {"reports": total.labelled, "rejected": total.rejected}
        counted |= {SOFT_LABELS: total.labelled * len(total.values)}
        if (
            rows != {name: counted[name] for name in self.names}
            or total.read != total.labelled + total.rejected
        ):
            raise RuntimeError(f"{self.out}: {total.read} records read, but not all accounted for")

    def first_detail(self) -> str:
        """What is said of the first record that was set aside."""
        details = (
            row["detail"]
            for path in sorted(self.table("rejected").glob("part-*.parquet"))
            for row in pq.read_table(path).to_pylist()
        )
        return next(details, "")

    def complete(self) -> bool:
        """Whether all tables are there, as far as their names go."""
        return all(self.table(name).is_dir() for name in self.names)

    def exist(self) -> bool:
        """Whether the folder holds tables or an interrupted run."""
        return self._state.exists() or any(self.table(name).exists() for name in _ALL_TABLES)

    def clear(self) -> None:
        """Remove all that a run of `label` writes."""
        (self.out / "run.json").unlink(missing_ok=True)
        self.forget()
        for path in (*map(self.table, _ALL_TABLES), *(self.out / name for name in _CSV)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the marks of a folder that is complete; the plan goes first."""
        self._plan.unlink(missing_ok=True)
        shutil.rmtree(self._state, ignore_errors=True)

    def _mark(self, number: int) -> Path:
        return self._state / f"part-{number:05d}.json"


def _part(number: int) -> str:
    return f"part-{number:05d}.parquet"
