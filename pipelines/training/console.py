"""What training shows while it goes: a bar, and a line for every validation."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from configs.contracts import Split
from model.training import Epoch, Step
from pipelines.running.progress import lines, messages
from pipelines.training.teaching import Teaching

_WORST = 5
_MOST_LISTED = 40


class Console:
    """A bar with time left, speed, the share of waiting, loss and rate; nothing with `quiet`.

    Where standard error is no terminal, lines only, for a cluster's log.
    """

    def __init__(self, labels: Sequence[str], *, quiet: bool) -> None:
        self._labels = list(labels)
        self._quiet = quiet
        self._bar = Progress(
            BarColumn(),
            TextColumn("left"),
            TimeRemainingColumn(table_column=Column(min_width=7)),  # whole on 80 columns, too
            TextColumn("{task.description}"),
            console=messages,
            transient=True,
            disable=quiet or not messages.is_terminal,
        )
        self._task = self._bar.add_task("regional histograms", total=None)
        self._seed: int | None = None
        self._began = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator["Console"]:
        """Show the bar for as long as this lasts."""
        lines_instead = self._bar.disable and not self._quiet
        with self._bar, lines(self._told) if lines_instead else nullcontext():
            yield self

    def _told(self) -> str:
        """What the bar shows, as a line."""
        task = self._bar.tasks[0]
        steps = f"step {task.completed:,.0f} of {task.total:,.0f} · " if task.total else ""
        passed = timedelta(seconds=round(time.monotonic() - self._began))
        return f"train: {steps}{task.description or 'regional histograms'} · {passed}"

    def resumed(self, history: Sequence[Epoch]) -> None:
        """Say where the run goes on."""
        if history and not self._quiet:
            last = history[-1]
            messages.print(f"seed {last.seed}: goes on after epoch {last.epoch}")

    def step(self, step: Step) -> None:
        """Move the bar."""
        if step.seed != self._seed:
            self._bar.reset(self._task)
            self._seed = step.seed
        self._bar.update(
            self._task,
            completed=step.done,
            total=step.total,
            description=f"loss {step.loss:.3f} · rate {step.learning_rate:.1e} · "
            f"{step.scans_per_second:.1f} scans/s · waits {step.wait_share:.0%}",
        )

    def epoch(self, epoch: Epoch) -> None:
        """Print a validation's figures."""
        if self._quiet or epoch.macro_auroc is None:
            return
        messages.print(self._line(epoch), soft_wrap=True)

    def _line(self, epoch: Epoch) -> str:
        name = f"epoch {epoch.epoch}" if epoch.epoch else "start"
        told = [
            f"seed {epoch.seed}, {name}: macro AUROC {epoch.macro_auroc:.3f}",
            f"loss {epoch.loss:.3f}" if epoch.loss is not None else "",
            f"rate {epoch.learning_rate:.1e}" if epoch.epoch else "",
            f"{epoch.scans_per_second:.1f} scans/s" if epoch.epoch else "",
            f"waits {epoch.wait_share:.0%} of the time" if epoch.epoch else "",
            f"{epoch.skipped} steps skipped" if epoch.skipped else "",
        ]
        return " · ".join(part for part in told if part) + f" · worst: {self._worst(epoch)}"

    def _worst(self, epoch: Epoch) -> str:
        figures = zip(epoch.label_auroc, self._labels, strict=True)
        known = sorted((figure, name) for figure, name in figures if figure is not None)
        return ", ".join(f"{name} {figure:.2f}" for figure, name in known[:_WORST])


def print_counts(teaching: Teaching) -> None:
    """A table of the labels: positives in train and validation."""
    table = Table(box=SIMPLE_HEAD, title="Positives by label", title_justify="left")
    table.add_column("label")
    splits = (Split.TRAIN, Split.VALIDATION)
    for split in splits:
        table.add_column(f"{split.value} ({len(teaching.parts[split])} volumes)", justify="right")
    counts = [(teaching.parts[split].values_nl == 1).sum(axis=0) for split in splits]
    for name, *positives in list(zip(teaching.labels, *counts, strict=True))[:_MOST_LISTED]:
        table.add_row(name.partition(":")[2], *map(str, positives))
    messages.print(table)
    if len(teaching.labels) > _MOST_LISTED:
        messages.print(f"and {len(teaching.labels) - _MOST_LISTED} labels more (model card)")
    if teaching.left_out:
        names = ", ".join(name.partition(":")[2] for name in teaching.left_out)
        messages.print(f"Left out, with one value only in the train split: {names}")
