"""Progress bars and messages on standard error; results alone go to standard output."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 20.0
_WIDTH_WITHOUT_TERMINAL = 180  # tables in a log or a pipe keep their columns

messages = Console(stderr=True, highlight=False)
results = Console(
    highlight=False,
    soft_wrap=True,
    width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL,
)


def track(
    items: Iterable[Item], what: str, *, total: int | None = None, quiet: bool = False
) -> Iterator[Item]:
    """Yield the items while a bar shows count, time and time left; nothing with `quiet`.

    Where standard error is not a terminal a line tells the same now and then.
    """
    if quiet:
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not messages.is_terminal:
        yield from _tracked_in_lines(items, what, total)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task)


def _tracked_in_lines(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    began, done = time.monotonic(), 0

    def told() -> str:
        of = f" of {total:,}" if total is not None else ""
        seconds = time.monotonic() - began
        left = ""
        if total and done:
            left = f", {timedelta(seconds=round(seconds * (total - done) / done))} left"
        return f"{what}: {done:,}{of} in {timedelta(seconds=round(seconds))}{left}"

    with lines(told):
        for item in items:
            yield item
            done += 1


@contextmanager
def lines(told: Callable[[], str]) -> Iterator[None]:
    """Print what `told` says now and then while this lasts, however long its single steps take."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_SECONDS_BETWEEN_LINES):
            messages.print(told(), markup=False, soft_wrap=True)

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Meter:
    """Shows records done, their rate, the time left and the rejects of a long run.

    On a terminal as a bar; elsewhere, as in a cluster's log, as a line now and then.
    """

    def __init__(self, what: str, progress: Progress | None) -> None:
        self._what = what
        self._progress = progress
        self._task = progress.add_task(what, total=None, told="") if progress else None
        self._started = self._told = time.monotonic()
        self._first: tuple[float, float] | None = None
        """The share done when first told, and when: an earlier run may have done much."""

    def show(self, records: int, rejected: int, share: float | None, new: int) -> None:
        """Tell how far the run is; `share` of all is done, `new` records by this very run."""
        seconds = max(1e-9, time.monotonic() - self._started)
        told = f"{records:,} records, {rejected:,} set aside, {new / seconds:,.0f}/s"
        if self._progress is not None and self._task is not None:
            total = None if share is None else 1.0
            self._progress.update(self._task, completed=share or 0.0, total=total, told=told)
        elif time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            messages.print(f"{self._what}: {told}{self._left(share, seconds)}")

    def _left(self, share: float | None, seconds: float) -> str:
        if share is None:
            return ""
        first, at = self._first = self._first or (share, seconds)
        if share <= first:
            return ""
        left = (1 - share) * (seconds - at) / (share - first)
        return f", {timedelta(seconds=round(left))} left"


@contextmanager
def metered(what: str, *, quiet: bool = False) -> Iterator[Meter | None]:
    """A meter while a run goes on; None with `quiet`."""
    if quiet:
        yield None
        return
    if not messages.is_terminal:
        yield Meter(what, None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as progress:
        yield Meter(what, progress)
