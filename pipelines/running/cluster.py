"""Where the work is placed: a Dask cluster on this machine, or one that is there already."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from configs.contracts import InputError

_CONNECT_SECONDS = 30
_LARGE = "1GB"  # a shard travels with its task: Dask's warning at 10 MB would come for each


def usable_cores() -> int:
    """The cores that this process may run on (a container's share, not the machine's)."""
    return len(os.sched_getaffinity(0))


@contextmanager
def connected(workers: int, scheduler: str | None) -> Iterator[Any]:
    """A `distributed.Client` of the scheduler at an address, else of a cluster made for it.

    Raises InputError when no scheduler answers at the address.
    """
    import dask
    from distributed import Client

    # Left so: connections that close later would still write to the user's terminal.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGE}):
        if scheduler is None:
            with _local_cluster(workers) as cluster, Client(cluster) as client:
                yield client
            return
        try:
            client = Client(scheduler, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            reason = (str(error).splitlines() or [""])[0][:160]
            raise InputError(f"{scheduler}: no Dask scheduler answers there ({reason})") from None
        with client:
            yield client


@contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    """A scheduler in this process, and Dask workers that are each a Python of its own.

    Subprocesses rather than multiprocessing, so that a notebook or a script read from standard
    input can be the parent. The scheduler lives here, and Ctrl-C, which a terminal sends to the
    whole group, reaches this process alone: a cluster whose workers die under it, or whose start
    is cut short, waits for them in vain.
    """
    from distributed import Scheduler, SpecCluster
    from distributed.deploy.subprocess import SubprocessWorker

    options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "dashboard": False}
    worker = {
        "cls": SubprocessWorker,
        "options": {
            "worker_class": "distributed.Worker",
            "worker_kwargs": {"nthreads": 1, "host": "127.0.0.1", "memory_limit": 0},
        },
    }
    started = ExitStack()
    with (
        started,
        _environment(
            PYTHONSAFEPATH="1",
            DASK_LOGGING__DISTRIBUTED="critical",
            MALLOC_TRIM_THRESHOLD_="65536",
        ),
    ):
        with _interrupts_held():  # what starts within inherits this
            cluster = SpecCluster(
                scheduler={"cls": Scheduler, "options": options},
                workers=dict.fromkeys(range(workers), worker),
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
