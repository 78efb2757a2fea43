"""One function over many records on Dask: a local cluster, or this process for one worker.

Dask only places the calls (https://distributed.dask.org); results come back in the order of the
records, so that what is written never depends on which worker was faster.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Record = TypeVar("Record")
Result = TypeVar("Result")

_AHEAD_PER_WORKER = 4  # bounds what waits in memory when writing is slower than computing
_LOOK_SECONDS = 1.0  # how often a wait looks whether anybody is still working
_LOOKS_WITHOUT_WORKERS = 30  # they need some seconds to start, many on a busy machine


def usable_cores() -> int:
    """The cores that this process may run on (a container's share, not the machine's)."""
    return len(os.sched_getaffinity(0))


def map_records(
    function: Callable[[Record], Result], records: Iterable[Record], *, workers: int = 1
) -> Iterator[Result]:
    """Yield `function(record)` for each record, in order, computed by `workers` processes.

    `function` and records must be picklable; each worker computes with one thread. An exception
    of `function` is raised here, so a function that may meet bad records returns its verdicts.
    """
    if workers <= 1:
        yield from map(function, records)
        return
    from distributed import Client

    with _local_cluster(workers) as cluster, Client(cluster) as client:
        yield from _in_order(client, function, iter(records), _AHEAD_PER_WORKER * workers)


@contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    """A scheduler in this process, and Dask workers that are each a Python of its own.

    Subprocesses rather than multiprocessing, so that a notebook or a script read from standard
    input can be the parent. The scheduler lives here, so that Ctrl-C, which a terminal sends to
    the whole group, may end the workers but never the one who must notice it.
    """
    from distributed import Scheduler, SpecCluster
    from distributed.deploy.subprocess import SubprocessWorker

    # Left so: connections that close later would still write to the user's terminal.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    options = {"host": "127.0.0.1", "dashboard_address": None, "dashboard": False}
    worker = {
        "cls": SubprocessWorker,
        "options": {
            "worker_class": "distributed.Worker",
            "worker_kwargs": {"nthreads": 1, "host": "127.0.0.1", "memory_limit": 0},
        },
    }
    with (
        _environment(PYTHONSAFEPATH="1", DASK_LOGGING__DISTRIBUTED="critical"),
        SpecCluster(
            scheduler={"cls": Scheduler, "options": options},
            workers=dict.fromkeys(range(workers), worker),
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster


@contextmanager
def _environment(**changed: str) -> Iterator[None]:
    """Variables for the children that start meanwhile: a folder called `model` is not ours."""
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _in_order(
    client: Any, function: Callable[[Record], Result], records: Iterator[Record], ahead: int
) -> Iterator[Result]:
    waiting: deque[Any] = deque()
    for record in records:
        waiting.append(client.submit(function, record, pure=False))
        if len(waiting) >= ahead:
            yield _wait(client, waiting.popleft())
    while waiting:
        yield _wait(client, waiting.popleft())


def _wait(client: Any, future: Any) -> Any:
    """A future's result; raises RuntimeError when no worker is left that could compute it."""
    looks_without = 0
    while True:
        try:
            return future.result(timeout=_LOOK_SECONDS)
        except TimeoutError:
            if future.done():  # the function itself raised it
                raise
            alone = not client.scheduler_info()["workers"]
            looks_without = looks_without + 1 if alone else 0
            if looks_without >= _LOOKS_WITHOUT_WORKERS:
                raise RuntimeError("all worker processes died; see the system's log") from None
