"""Progress bars and messages on standard error; results alone go to standard output."""

import sys
from collections.abc import Iterable, Iterator, Sized
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
