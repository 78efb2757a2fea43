"""The scans of a folder with their records so far, and the worklist that follows from them."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from configs import files
from configs.triage_policy import TriagePolicy
from model.volumes import Candidate
from pipelines.rendering.content import Scan, Status
from pipelines.triaging import html, wording
from pipelines.triaging.arrivals import Arrival
from pipelines.triaging.coverage import Coverage
from pipelines.triaging.readers import Task, scan_of
from pipelines.triaging.record import RECORD_FORMAT, Record, finished, name_of, not_read
from pipelines.triaging.worklist import Dealt, Network, Worklist, rank, watched_labels


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides how scans are read and shown."""

    model: Path
    network: Network
    policy: TriagePolicy
    coverage: Coverage
    identified: bool = False
    pages: bool = False

    def key(self, state: str) -> str:
        """A name for one state of a scan read by this bundle in this manner."""
        parts = (RECORD_FORMAT, state, self.network.id, self.identified, self.pages)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


@dataclass(slots=True)
class Board:
    """What lies in the folder now; a scan whose files have gone leaves the list."""

    out: Path
    settings: Settings
    refresh_seconds: int | None = None
    kept: int = 0
    """Records that an earlier run left."""
    _arrivals: dict[str, Arrival] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)

    def show(self, arrivals: Iterable[Arrival]) -> None:
        """Take what a look into the folder found."""
        known = self._arrivals
        self._arrivals = {self.settings.key(found.state): found for found in arrivals}
        self._records = {k: r for k, r in self._records.items() if k in self._arrivals}
        for key, arrival in self._arrivals.items():
            if key in self._records:
                continue
            if not isinstance(arrival.item, Candidate):
                self._records[key] = self._refused(key, arrival)
            elif key not in known and (record := finished(self.out, key)):
                self._records[key] = record
                self.kept += 1

    def missing(self, under_way: frozenset[str]) -> list[Task]:
        """What is still to be read, earliest arrival first."""
        settings = self.settings
        return [
            Task(found.item, key, settings.model, self.out, settings.identified, settings.pages)
            for key, found in self._arrivals.items()
            if isinstance(found.item, Candidate)
            and key not in self._records
            and key not in under_way
        ]

    def take(self, record: Record) -> None:
        """Put down what was read; a scan that has left meanwhile is forgotten."""
        if record.key in self._arrivals:
            self._records[record.key] = record

    @property
    def not_read(self) -> tuple[Record, ...]:
        """The records without probabilities."""
        return tuple(r for r in self._records.values() if r.status is Status.REFUSED)

    def worklist(self) -> Worklist:
        """The list as of now."""
        dealt = [
            Dealt(self._scan(found), found.received, self._records.get(key))
            for key, found in self._arrivals.items()
        ]
        return make(dealt, self.settings)

    def write(self) -> Worklist:
        """Write the list in its three forms, each whole."""
        worklist = self.worklist()
        write_forms(worklist, self.out, self.refresh_seconds)
        return worklist

    def _scan(self, found: Arrival) -> Scan:
        if isinstance(found.item, Candidate):
            return scan_of(found.item, identified=self.settings.identified)
        identified = self.settings.identified
        return Scan(
            identified=identified, series=name_of(found.item.series_uid, identified=identified)
        )

    def _refused(self, key: str, found: Arrival) -> Record:
        assert not isinstance(found.item, Candidate)
        meaning = str(found.item.error).removeprefix(f"{found.item.reason}: ")
        return not_read(key, self._scan(found), found.item.reason, meaning)


def make(dealt: Iterable[Dealt], settings: Settings) -> Worklist:
    """The worklist of some scans as of now."""
    coverage, policy = settings.coverage, settings.policy
    return Worklist(
        cannot_see=coverage.statement,
        unseen=tuple(unseen.name for unseen in coverage.unseen),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        identified=settings.identified,
        model=settings.network,
        sensitivity=policy.sensitivity,
        max_wait_hours=policy.max_wait_hours,
        flagged_first=policy.flagged_first,
        watched=watched_labels(coverage),
        rows=rank(dealt, policy, coverage, time.time()),
    )


def write_forms(worklist: Worklist, out: Path, refresh_seconds: int | None = None) -> None:
    """worklist.json, worklist.csv and worklist.html, each whole."""
    files.write_json(out / "worklist.json", worklist.model_dump(mode="json"))
    files.write_text(out / "worklist.csv", wording.as_csv(worklist))
    page = html.render(worklist, refresh_seconds=refresh_seconds)
    files.write_text(out / "worklist.html", page)
