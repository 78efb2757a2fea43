"""The record that every verb leaves in its output folder: `run.json` and `rejected.parquet`."""

import hashlib
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from configs import files, tables
from configs.contracts import InputError, Stage

RUN_FORMAT = 1
_REPORTED_PACKAGES = ("chestct", "numpy", "pandas", "pydicom", "SimpleITK", "torch", "lightning")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record set aside: its id, where, a stable reason code, and a detail without identities."""

    id: str
    stage: Stage
    reason: str
    detail: str


@dataclass(slots=True)
class Run:
    """One verb's run over one output folder.

    Use as a context manager: on success it writes `rejected.parquet` and then `run.json`, so that
    a `run.json` says that the folder is complete. On an exception it writes neither, and a folder
    that it made and that is empty goes again.
    """

    verb: str
    out: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    rejected_in_parts: int | None = None
    """Set by a verb that writes `rejected.parquet` itself, part by part: its number of rows."""
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the inputs that a verb has hashed already, by name."""
    anonymous: bool = False
    """Record no path and no argument as typed, only their hashes: they may name a patient."""
    _started: float = 0.0
    _made: list[Path] = field(default_factory=list)
    """Folders that were not there before, the deepest first."""

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self.check_inputs()
        self._made = [folder for folder in (self.out, *self.out.parents) if not folder.exists()]
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"{self.out}: is a file; --out names a folder") from None
        except PermissionError:
            raise InputError(f"{self.out}: cannot be written; choose another --out") from None
        self._take_folder()
        return self

    def check_inputs(self) -> None:
        """Raise InputError for an input that is not there."""
        for name, path in self.inputs.items():
            if not path.exists():
                raise InputError(f"{path}: no such file or folder ({name})")

    def _take_folder(self) -> None:
        """Replace an earlier run of the same verb; another verb's results are left alone."""
        record = self.out / "run.json"
        if record.exists():
            verb = files.read_json(record).get("verb")
            if verb != self.verb:
                raise InputError(f"{self.out}: holds the results of `{verb}`; choose another --out")
            record.unlink()

    def reject(self, id: str, stage: Stage, reason: str, detail: str) -> None:  # noqa: A002 - the tables' word
        """Set a record aside; the run goes on."""
        self.rejected.append(Rejected(id, stage, reason, detail))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(OSError):  # something was written
                for folder in self._made:
                    folder.rmdir()
            return
        if self.rejected_in_parts is None:
            files.write_table(self.out / "rejected.parquet", rejected_table(self.rejected))
        files.write_json(self.out / "run.json", self._record())

    def _argument(self, text: str) -> str:
        if not self.anonymous or text == self.verb:
            return text
        option, equals, value = text.partition("=")
        if not option.startswith("--"):
            return _hashed(text)
        return f"{option}={_hashed(value)}" if equals else option

    def _record(self) -> dict[str, Any]:
        return {
            "format": RUN_FORMAT,
            "verb": self.verb,
            "command": [Path(sys.argv[0]).name, *map(self._argument, sys.argv[1:])],
            "config": {name: _plain(value) for name, value in self.config.items()},
            "inputs": {name: self._input(name, path) for name, path in self.inputs.items()},
            "counts": {**self.counts, "rejected": self._rejected_rows()},
            **self.facts,
            "seconds": round(time.perf_counter() - self._started, 3),
            "versions": package_versions(),
        }

    def _input(self, name: str, path: Path) -> dict[str, str]:
        digest = self.hashes.get(name) or (files.sha256_of(path) if path.is_file() else None)
        shown = _hashed(str(path)) if self.anonymous else str(path)
        return {"path": shown} | ({"sha256": digest} if digest else {})

    def _rejected_rows(self) -> int:
        rows = self.rejected_in_parts
        return len(self.rejected) if rows is None else rows


def rejected_table(records: Sequence[Rejected]) -> pa.Table:
    """The rows of `rejected.parquet`."""
    if not records:  # the usual case, and tables of lists import pandas
        return pa.Table.from_batches([], schema=tables.REJECTED)
    names = tables.REJECTED.names
    columns = {name: [str(getattr(record, name)) for record in records] for name in names}
    return pa.table(columns, schema=tables.REJECTED)


def package_versions() -> dict[str, str]:
    """Python's version and those of the packages that a result depends on."""
    versions = {"python": platform.python_version()}
    for name in _REPORTED_PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _hashed(text: str) -> str:
    """The same text gives the same twelve digits."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
