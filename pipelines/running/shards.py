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
    """Dask workers on this machine, each a Python of its own that this process started.

    Subprocesses rather than multiprocessing, so that a notebook or a script read from standard
    input can be the parent. Safe path: a folder called `model` where the user stands is not ours.
    """
    from distributed import SubprocessCluster

    changed = {"PYTHONSAFEPATH": "1", "DASK_LOGGING__DISTRIBUTED": "critical"}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        with SubprocessCluster(
            host="127.0.0.1",
            dashboard_address=":0",
            worker_class="distributed.Worker",
            n_workers=workers,
            threads_per_worker=1,
            worker_kwargs={"memory_limit": 0},
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield cluster
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
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
