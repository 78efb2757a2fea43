"""Progress bars and messages on standard error; results alone go to standard output."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
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

_SECONDS_BETWEEN_LINES = 60.0
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
    """Yield the items while a bar shows count, time and time left.

    Nothing is shown with `quiet` or where standard error is not a terminal.
    """
    if quiet or not messages.is_terminal:
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = len(items)
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


class Meter:
    """Shows records done, their rate, the time left and the rejects of a long run.

    On a terminal as a bar; elsewhere, as in a cluster's log, as a line a minute.
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
