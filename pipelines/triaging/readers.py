"""Processes that read scans, each with the model loaded once, and each scan done as it is done."""

import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from configs import files
from configs.contracts import RecordReason
from model.volumes import Candidate, Refused, VolumeReason
from model.volumes.dicom_header import Owner
from pipelines.rendering.content import Scan, Status
from pipelines.running.child import Child, ChildCrashedError, ChildHungError
from pipelines.triaging.record import Record, name_of, not_read, record_of, write_record

if TYPE_CHECKING:
    from model.bundle import Bundle

_SECONDS = 600.0  # for one scan; more is a hang


@dataclass(frozen=True, slots=True)
class Task:
    """One scan to read; it travels to a reader."""

    candidate: Candidate = field(repr=False)
    key: str
    model: Path
    out: Path
    identified: bool
    pages: bool
    flagged_from: Mapping[str, float]
    """The worklist's thresholds by label, for the page."""


class Readers:
    """So many processes, each reading one scan at a time. Use as a context manager.

    Leaving it ends what is under way: such a scan has no record and is read another time.
    """

    def __init__(
        self,
        workers: int,
        *,
        seconds: float = _SECONDS,
        function: Callable[[Task], Record] | None = None,
    ) -> None:
        self._seconds = seconds
        self._function = function or read_one
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="reader")
        self._own = threading.local()
        self._children: list[Child] = []
        self._under_way: dict[Future[Record], str] = {}
        self._closed = False
        self._most = 2 * workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.close()
        self._pool.shutdown()

    @property
    def under_way(self) -> frozenset[str]:
        """The keys of scans that are being read, or wait for a reader."""
        return frozenset(self._under_way.values())

    def read(self, tasks: Iterable[Task], *, patience: float | None = None) -> Iterator[Record]:
        """Take tasks, and give each scan's record as it is done.

        Ends when all are done, or after a wait of `patience` seconds without any: tasks that were
        not taken yet are then left, those under way come with a later call.
        """
        rest = iter(tasks)
        while True:
            while len(self._under_way) < self._most and (task := next(rest, None)):
                self._under_way[self._pool.submit(self._read, task)] = task.key
            if not self._under_way:
                return
            done, _ = wait(self._under_way, timeout=patience, return_when=FIRST_COMPLETED)
            if not done:
                return
            for future in done:
                del self._under_way[future]
                yield future.result()

    def _read(self, task: Task) -> Record:
        try:
            record: Record = self._child().call(pickle.dumps(task), self._seconds)
        except ChildHungError:
            return _lost(task, RecordReason.TIMEOUT, "reading took too long and was ended")
        except ChildCrashedError:
            return _lost(task, RecordReason.CRASH, "its process ended while reading")
        return record

    def _child(self) -> Child:
        child: Child | None = getattr(self._own, "child", None)
        if child is None:
            child = self._own.child = Child(self._function)
            self._children.append(child)
        if self._closed:
            raise ChildCrashedError
        return child


def _lost(task: Task, reason: RecordReason, meaning: str) -> Record:
    """What stands for a scan that ended its process; it is not kept, so a later run tries again."""
    return not_read(task.key, scan_of(task.candidate, identified=task.identified), reason, meaning)


def owner_of(item: Candidate | Refused) -> Owner:
    """Whose a scan is, as far as its headers tell."""
    if isinstance(item, Refused):
        return item.owner
    return Owner(item.study_uid, item.patient_id, item.accession)


def scan_of(candidate: Candidate, *, identified: bool) -> Scan:
    """Which scan it is, as far as the headers alone tell."""
    return Scan(
        identified=identified,
        series=name_of(candidate.series_uid, identified=identified),
        study=name_of(candidate.study_uid, identified=identified),
        patient_id=(candidate.patient_id or None) if identified else None,
        accession=(candidate.accession or None) if identified else None,
    )


def read_one(task: Task) -> Record:
    """Read a scan and keep its record and, where asked for, its page; runs in a reader."""
    from pipelines.rendering.html import page as rendered
    from pipelines.rendering.reading import read_scan

    bundle = _bundle(task.model)
    page = f"pages/{task.key}.html" if task.pages else None
    try:
        reading = read_scan(
            task.candidate,
            bundle,
            task.model,
            identified=task.identified,
            flagged_from=task.flagged_from,
        )
        html = rendered(reading) if page else ""
    except Exception as error:  # whatever one scan brings about must not cost the others
        scan = scan_of(task.candidate, identified=task.identified)
        meaning = f"unexpected {type(error).__name__}"
        record = not_read(task.key, scan, VolumeReason.UNREADABLE, meaning)
    else:
        record = record_of(task.key, reading.content, page)
        if page:
            files.write_text(task.out / page, html)
        if record.status is Status.REFUSED and not record.scan.series:
            known = scan_of(task.candidate, identified=task.identified)
            record = record.model_copy(update={"scan": known})
    write_record(task.out, record)
    return record


@cache
def _bundle(path: Path) -> "Bundle":
    from model import bundle as bundles

    return bundles.load(path)
