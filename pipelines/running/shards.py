"""One function over many shards on Dask: children of this process, or of a cluster's workers.

Dask only places the shards (https://distributed.dask.org); each is computed in a child process
with a deadline (`child`), and one that cannot be computed whole is taken apart (`salvage`).
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from configs.contracts import RecordReason
from pipelines.running.child import Child, ChildClosedError
from pipelines.running.cluster import check_workers, connected, usable_cores
from pipelines.running.progress import messages
from pipelines.running.salvage import Computation, Lost, Salvage, pack

__all__ = [
    "Lost",
    "Shard",
    "Work",
    "check_workers",
    "map_records",
    "map_shards",
    "usable_cores",
]

Record = TypeVar("Record")
Result = TypeVar("Result")

_AHEAD_PER_WORKER = 2  # bounds what waits in memory; one is computed while the next travels
_SMALL_AHEAD_PER_WORKER = 4
_LOOK_SECONDS = 1.0  # how often a wait looks who is working
_DESERTED_SECONDS = 5.0  # without a worker, then that is told
_RECORD_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Shard:
    """Neighbouring records of a stream, packed for their way to a worker."""

    number: int
    packed: bytes
    seconds: float
    """The deadline for computing them all."""
    rest: Any = None
    """What `Work.finish` gets beside the results."""


class Work(Computation, Protocol):
    """What is done with each shard. It travels to the workers, so it must be picklable."""

    def finish(self, shard: Shard, pieces: Sequence[Any]) -> Any:
        """The shard's result, from those of its stretches and the records that were `Lost`.

        Runs in the Dask worker, outside the child, and so is the place to write files; it may
        run twice for a shard when a worker is thought dead.
        """
        ...


def map_shards(
    work: Work,
    shards: Iterable[Shard],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    ahead: int = _AHEAD_PER_WORKER,
) -> Iterator[Any]:
    """Yield what `work.finish` gives for each shard, as they are done, in no order.

    With one worker a child of this process computes, with several a child of each of its threads;
    or the workers of the cluster whose scheduler's address is given. Raises what the work raises.
    """
    if workers <= 1 and scheduler is None:
        with Child(work.compute) as child:
            for shard in shards:
                yield _run(work, child, shard)
        return
    with connected(workers, scheduler) as client:
        try:
            place = partial(_here if scheduler is None else _there, client, work)
            yield from _placed(client, place, iter(shards), ahead)
        finally:
            if scheduler is None:
                _end_children(client.id)
            else:
                with suppress(OSError):  # the scheduler is gone: so are its workers
                    client.run(_end_children, client.id, on_error="ignore")


def map_records(
    function: Callable[[Record], Result],
    records: Iterable[Record],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    seconds: float = _RECORD_SECONDS,
    lost: Callable[[Record, RecordReason], Result] | None = None,
) -> Iterator[Result]:
    """Yield `function(record)` for each record, in order, computed by `workers` processes.

    Or by those of the cluster whose scheduler's address is given, as `map_shards`.
    `function` and records must be picklable; each worker computes with one thread. An exception
    of `function` is raised here, so a function that may meet bad records returns its verdicts.
    A record that crashes its process, or takes more than `seconds`, counts as `lost(record,
    reason)`; without `lost` that is a RuntimeError, and one worker is this process itself.
    """
    if workers <= 1 and lost is None and scheduler is None:
        yield from map(function, records)
        return
    work = _Each(function, seconds, lost)
    shards = (Shard(n, pack([record]), seconds) for n, record in enumerate(records))
    early: dict[int, Result] = {}
    number = 0
    placed = map_shards(
        work, shards, workers=workers, scheduler=scheduler, ahead=_SMALL_AHEAD_PER_WORKER
    )
    for done, result in placed:
        early[done] = result
        while number in early:
            yield early.pop(number)
            number += 1


@dataclass(frozen=True, slots=True)
class _Each(Generic[Record, Result]):
    """The work of `map_records`: a shard is one record."""

    function: Callable[[Record], Result]
    deadline: float
    lost: Callable[[Record, RecordReason], Result] | None

    def compute(self, records: Sequence[Record]) -> list[Result]:
        return [self.function(record) for record in records]

    def seconds(self, records: Sequence[Record]) -> float:  # noqa: ARG002  # as in Computation
        return self.deadline

    def finish(self, shard: Shard, pieces: Sequence[Any]) -> tuple[int, Result]:
        (piece,) = pieces
        if not isinstance(piece, Lost):
            return shard.number, piece[0]
        if self.lost is None:
            raise RuntimeError(
                f"record {shard.number + 1} ended its worker process: {piece.reason}"
            )
        return shard.number, self.lost(piece.record, piece.reason)


def _run(work: Work, child: Child, shard: Shard) -> Any:
    pieces = list(Salvage(work, child).pieces(shard.packed, shard.seconds))
    return work.finish(shard, pieces)


_warm: dict[int, tuple[str, Child]] = {}
"""In a Dask worker, by thread: the run it works for, and the child it keeps from shard to shard."""
_ended: set[str] = set()
"""Runs that are over; a shard of theirs that was placed before starts no child any more."""
_lock = threading.Lock()


_handed: dict[tuple[str, int], Shard] = {}
"""Shards for threads of this process, by run and number: Dask would copy and long keep them."""


def _run_in_worker(work: Work, run: str, shard: Shard) -> Any:
    return _run(work, _child_for(work, run), shard)


def _run_handed(work: Work, run: str, number: int) -> Any:
    return _run_in_worker(work, run, _handed.pop((run, number)))


def _child_for(work: Work, run: str) -> Child:
    """The child that this thread keeps for a run; that of an earlier run ends."""
    thread = threading.get_ident()
    with _lock:
        if run in _ended:
            raise ChildClosedError
        known, child = _warm.get(thread, ("", None))
        if child is None or known != run:
            if child is not None:
                child.close()
            child = Child(work.compute)
            _warm[thread] = run, child
        return child


def _end_children(run: str) -> None:
    """End a run's children in this process."""
    with _lock:
        _ended.add(run)
        for waiting in [key for key in _handed if key[0] == run]:
            del _handed[waiting]
        for thread, (known, child) in list(_warm.items()):
            if known == run:
                del _warm[thread]
                child.close()


def _there(client: Any, work: Work, shard: Shard) -> Any:
    """Place a shard on any machine of a cluster; the future of its result."""
    return client.submit(_run_in_worker, work, client.id, shard, pure=False)


def _here(client: Any, work: Work, shard: Shard) -> Any:
    """Place a shard on a thread of this process."""
    _handed[client.id, shard.number] = shard
    return client.submit(_run_handed, work, client.id, shard.number, pure=False)


def _placed(
    client: Any, place: Callable[[Shard], Any], shards: Iterator[Shard], ahead: int
) -> Iterator[Any]:
    from distributed import wait

    pending: set[Any] = set()
    room = _Room(client, ahead)
    exhausted = False
    while True:
        while not exhausted and len(pending) < room.size():
            shard = next(shards, None)
            if shard is None:
                exhausted = True
                break
            pending.add(place(shard))
        if not pending:
            return
        room.look()
        try:
            done = wait(pending, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue  # to look whether workers have come meanwhile
        for task in done:
            pending.remove(task)
            yield task.result()


class _Room:
    """How many shards may be under way: a cluster's workers come and go."""

    def __init__(self, client: Any, ahead: int) -> None:
        self._client, self._ahead = client, ahead
        self._size, self._looked = ahead, 0.0
        self._deserted: float | None = None
        """Since when no worker is there."""
        self._told = False

    def size(self) -> int:
        self.look()
        return self._size

    def look(self) -> None:
        """Count the workers, once in a while; tell when the run waits for one, and goes on."""
        now = time.monotonic()
        if now - self._looked <= _LOOK_SECONDS:
            return
        self._looked = now
        threads = sum(self._client.nthreads().values())
        self._size = self._ahead * max(1, threads)
        if threads:
            if self._told:
                messages.print("a worker has come; going on")
            self._deserted, self._told = None, False
            return
        self._deserted = now if self._deserted is None else self._deserted
        if not self._told and now - self._deserted >= _DESERTED_SECONDS:
            self._told = True
            messages.print("the cluster has no worker; waiting for one (`dask worker ADDRESS`)")
