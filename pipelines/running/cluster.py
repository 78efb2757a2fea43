"""Where the work is placed: a Dask cluster in this process, or one that is there already."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from configs.contracts import InputError
from configs.files import first_line

_CONNECT_SECONDS = 30
_SETTINGS = {
    # A shard travels with its task: the warning at 10 MB would come for each.
    "distributed.admin.large-graph-warning-threshold": "1GB",
    # What Dask watches itself by, many times a second, beside a process that reads.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.profile.enabled": False,
}
_LOCAL_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.worker-ttl": None,  # a machine that slept has lost no thread
}


def usable_cores() -> int:
    """The cores that this process may run on (a container's share, not the machine's)."""
    return len(os.sched_getaffinity(0))


def check_workers(workers: int | None) -> None:
    """Raise InputError for what is no number of processes."""
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: at least 1")


@contextmanager
def connected(workers: int, scheduler: str | None) -> Iterator[Any]:
    """A `distributed.Client` of the scheduler at an address, else of a cluster made for it.

    Raises InputError when no scheduler answers at the address.
    """
    import dask
    from distributed import Client

    # Left so: connections that close later would still write to the user's terminal.
    for name in ("distributed", "distributed.client"):  # the latter has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set(_SETTINGS):
        if scheduler is None:
            with _local_cluster(workers) as cluster, Client(cluster) as client:
                yield client
            return
        try:
            client = Client(scheduler, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{scheduler}: no Dask scheduler answers there ({first_line(error)})"
            ) from None
        with client:
            yield client


@contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    """A scheduler and a Dask worker of so many threads, all in this process.

    What computes are the threads' children (`child`); a Dask worker of its own process between
    would cost another Python's memory and two more copies of each shard on its way. In one process
    they exchange objects (inproc), so nobody else can reach them.
    """
    import dask
    from distributed import Scheduler, SpecCluster, Worker

    here = {"protocol": "inproc", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    started = ExitStack()
    with started:
        # The threads that start within inherit that interrupts are held, and so do their children.
        with _interrupts_held(), dask.config.set(_LOCAL_SETTINGS):
            cluster = SpecCluster(
                scheduler={"cls": Scheduler, "options": here},
                workers={
                    0: {"cls": Worker, "options": here | {"nthreads": workers, "memory_limit": 0}}
                },
                silence_logs=logging.CRITICAL,
            )
            started.enter_context(cluster)
        yield cluster


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits till the end; threads and processes that start meanwhile never get it."""
    held: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if in_main:
        signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if in_main:
            signal.signal(signal.SIGINT, before)
    if held:
        signal.raise_signal(signal.SIGINT)
