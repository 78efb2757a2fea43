"""The record that every verb leaves in its output folder: `run.json` and `rejected.parquet`."""

import hashlib
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from configs import files, tables
from configs.contracts import InputError, Stage
from pipelines.running.hold import held

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
    """One verb's run over one output folder, which no other run enters meanwhile.

    Use as a context manager: entering makes the folder the run's own, so an earlier `run.json`
    goes; on success `rejected.parquet` and then `run.json` are written, so that a `run.json` says
    that the folder is complete. On an exception neither is, and a folder that the run made and
    that is empty goes again.

    What takes long, or may still be refused, belongs before that, within `alone()`: it holds the
    folder and leaves what stands in it as it is.
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
    _started: float = field(default_factory=time.perf_counter)
    restart: bool = True
    """Whether a finished run of other inputs or settings may be replaced."""
    _holding: bool = False
    _until_exit: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        if not self._holding:
            self._until_exit.enter_context(self.alone())
        (self.out / "run.json").unlink(missing_ok=True)
        return self

    @contextmanager
    def alone(self) -> Iterator[Self]:
        """Hold the folder, made where it is not there, and change nothing in it.

        Raises InputError as `check` does, and while another run holds it.
        """
        self.check()
        made = [folder for folder in (self.out, *self.out.parents) if not folder.exists()]
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"{self.out}: is a file; --out names a folder") from None
        except PermissionError:
            raise InputError(f"{self.out}: cannot be written; choose another --out") from None
        try:
            with held(self.out, self.out):
                self.check()  # what another run finished while this one waited
                self._holding = True
                yield self
        except BaseException:
            with suppress(OSError):  # something was written
                for folder in made:
                    folder.rmdir()
            raise
        finally:
            self._holding = False

    def check(self) -> None:
        """Raise InputError for an input that is not there, and for results not to be replaced."""
        self.check_inputs()
        record = self.out / "run.json"
        if not record.exists():
            return
        earlier = files.read_json(record)
        verb = earlier.get("verb")
        if verb != self.verb:
            raise InputError(f"{self.out}: holds the results of `{verb}`; choose another --out")
        if not self.restart and (changed := self._changed(earlier)):
            raise InputError(
                f"{self.out}: holds a finished run with other arguments ({', '.join(changed)}); "
                "--restart replaces it, and another --out keeps both"
            )

    def check_inputs(self) -> None:
        """Raise InputError for an input that is not there."""
        for path in self.inputs.values():
            if not path.exists():
                raise InputError(f"{path}: no such file or folder")

    def _changed(self, earlier: Mapping[str, Any]) -> list[str]:
        """The settings and inputs by name that an earlier run had otherwise."""
        config, paths = earlier.get("config", {}), earlier.get("inputs", {})
        now: dict[str, Any] = json.loads(json.dumps(self._config()))
        names = [name for name in {**now, **config} if now.get(name) != config.get(name)]
        for name in {**self.inputs, **paths}:
            shown = paths.get(name, {}).get("path", "")
            path = self.inputs.get(name)
            if path is None or not self._is_at(path, shown) or self._is_otherwise(name, earlier):
                names.append(name)
        return [name.replace("_", " ") for name in names]

    def _is_at(self, path: Path, shown: str) -> bool:
        """Whether an earlier run's record means this path."""
        return shown == self._shown(path) or Path(shown).resolve() == path.resolve()

    def _is_otherwise(self, name: str, earlier: Mapping[str, Any]) -> bool:
        """Whether a file that an earlier run hashed has another content now."""
        digest, path = earlier["inputs"][name].get("sha256"), self.inputs[name]
        if digest is None or not (name in self.hashes or path.is_file()):
            return False
        return bool(self._input(name, path)["sha256"] != digest)

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
            self._until_exit.__exit__(kind, error, trace)
            return
        with self._until_exit:
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
            "config": self._config(),
            "inputs": {name: self._input(name, path) for name, path in self.inputs.items()},
            "counts": {**self.counts, "rejected": self._rejected_rows()},
            **self.facts,
            "seconds": round(time.perf_counter() - self._started, 3),
            "versions": package_versions(),
        }

    def _config(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self.config.items()}

    def _input(self, name: str, path: Path) -> dict[str, str]:
        digest = self.hashes.get(name) or (files.sha256_of(path) if path.is_file() else None)
        return {"path": self._shown(path)} | ({"sha256": digest} if digest else {})

    def _shown(self, path: Path) -> str:
        return _hashed(str(path)) if self.anonymous else str(path)

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
