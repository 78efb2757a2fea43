"""The scans of a folder with their records so far, and the worklist that follows from them."""

import hashlib
import json
import time
from collections import Counter
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
from pipelines.triaging.id_map import write_id_map
from pipelines.triaging.readers import Task, owner_of
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
        """A name for one state of a scan read by this bundle in this manner.

        A record knows no policy, but its page says from where on the list flags.
        """
        shown = self.coverage.flagged_from if self.pages else False
        parts = (RECORD_FORMAT, state, self.network.id, self.identified, shown)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


@dataclass(slots=True)
class Board:
    """What lies in the folder now; a scan whose files have gone leaves the list."""

    out: Path
    settings: Settings
    root: Path
    """The folder that the scans lie in."""
    refresh_seconds: int | None = None
    id_map: Path | None = None
    """Where to keep which scan each row is; nowhere unless asked."""
    kept: int = 0
    """Records that an earlier run left."""
    _arrivals: dict[str, Arrival] = field(default_factory=dict)
    _records: dict[str, Record] = field(default_factory=dict)
    _names: Counter[str] = field(default_factory=Counter)
    """How many arrivals go by each series UID or file name."""
    _mapped: frozenset[str] = frozenset()

    def show(self, arrivals: Iterable[Arrival]) -> None:
        """Take what a look into the folder found."""
        known = self._arrivals
        self._arrivals = {self.settings.key(found.state): found for found in arrivals}
        self._names = Counter(found.item.series_uid for found in self._arrivals.values())
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
            Task(
                found.item,
                key,
                settings.model,
                self.out,
                settings.identified,
                settings.pages,
                settings.coverage.flagged_from,
            )
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
            Dealt(self._scan(found), found.received, self._record(key, found))
            for key, found in self._arrivals.items()
        ]
        return make(dealt, self.settings)

    def _record(self, key: str, found: Arrival) -> Record | None:
        """The record so far, under the name that the list has for its scan."""
        record = self._records.get(key)
        if record is None:
            return None
        series = name_of(self._own_name(found), identified=self.settings.identified)
        return record.model_copy(update={"scan": record.scan.model_copy(update={"series": series})})

    def write(self) -> Worklist:
        """Write the list in its three forms, each whole, and before it the way back, if asked."""
        if self.id_map and self._mapped != frozenset(self._arrivals):
            write_id_map(self.id_map, map(self._entry, self._arrivals.values()))
            self._mapped = frozenset(self._arrivals)
        worklist = self.worklist()
        write_forms(worklist, self.out, self.refresh_seconds)
        return worklist

    def _scan(self, found: Arrival) -> Scan:
        identified, owner = self.settings.identified, owner_of(found.item)
        return Scan(
            identified=identified,
            series=name_of(self._own_name(found), identified=identified),
            study=name_of(owner.study_uid, identified=identified),
            patient_id=(owner.patient_id or None) if identified else None,
            accession=(owner.accession or None) if identified else None,
        )

    def _own_name(self, found: Arrival) -> str:
        """The series UID; the path below the root where there is none, or files share a name."""
        item = found.item
        of_dicom = item.part if isinstance(item, Candidate) else item.owner.study_uid
        if item.series_uid and (of_dicom or self._names[item.series_uid] == 1):
            return item.series_uid
        return self._path(found)

    def _path(self, found: Arrival) -> str:
        path = found.item.path
        return path.name if path == self.root else path.relative_to(self.root).as_posix()

    def _entry(self, found: Arrival) -> dict[str, str]:
        """A scan's names in the list, and its own."""
        owner, own = owner_of(found.item), self._own_name(found)
        return {
            "series": name_of(own, identified=False),
            "study": name_of(owner.study_uid, identified=False),
            "series_uid": found.item.series_uid,
            "study_uid": owner.study_uid,
            "patient_id": owner.patient_id,
            "accession": owner.accession,
            "path": self._path(found),
        }

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
