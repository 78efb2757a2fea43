"""What a run leaves to look at: history.csv, a picture of its curves, and the logger of choice."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from configs import files
from configs.contracts import InputError
from configs.training import TrainConfig
from model.training import Epoch, Step
from pipelines.training.console import Console

HISTORY, CURVES = "history.csv", "learning_curves.svg"
_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
_SECONDS_BETWEEN_PICTURES = 30


class Recorder:
    """Shows, writes and logs; a `Watcher` of the run."""

    def __init__(
        self, out: Path, labels: Sequence[str], console: Console, logger: Any | None
    ) -> None:
        self._out, self._labels, self._console, self._logger = out, labels, console, logger
        self._epochs: list[Epoch] = []
        self._drawn = float("-inf")

    def resumed(self, history: Sequence[Epoch]) -> None:
        """Take up what was recorded before the interruption."""
        self._epochs.extend(history)
        self._console.resumed(history)

    def step(self, step: Step) -> None:
        """Show it."""
        self._console.step(step)

    def epoch(self, epoch: Epoch) -> None:
        """Show, write and log it."""
        self._epochs.append(epoch)
        self._console.epoch(epoch)
        write_history(self._out / HISTORY, self._epochs, self._labels)
        if time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
            draw_curves(self._out / CURVES, self._epochs)
            self._drawn = time.monotonic()
        if self._logger is not None:
            figures = {
                f"seed_{epoch.seed}/{name}": value
                for name, value in asdict(epoch).items()
                if isinstance(value, float)
            }
            self._logger.log_metrics(figures, step=epoch.epoch)

    def close(self) -> None:
        """End the logger's run."""
        if self._logger is not None:
            self._logger.finalize("success")


def write_history(path: Path, epochs: Sequence[Epoch], labels: Sequence[str]) -> None:
    """A row an epoch; a column `auroc LABEL` each behind the others."""
    rows = []
    for epoch in epochs:
        row = asdict(epoch)
        figures = row.pop("label_auroc") or (None,) * len(labels)
        rows.append(row | {f"auroc {n}": f for n, f in zip(labels, figures, strict=True)})
    files.write_text(path, pd.DataFrame(rows).to_csv(index=False))


def draw_curves(path: Path, epochs: Sequence[Epoch]) -> None:
    """Training loss and validation macro AUROC over the epochs, a line a seed, as SVG."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    loss, area = figure.subplots(1, 2)
    for seed in dict.fromkeys(epoch.seed for epoch in epochs):
        own = [epoch for epoch in epochs if epoch.seed == seed]
        for axes, name in ((loss, "loss"), (area, "macro_auroc")):
            points = [(e.epoch, getattr(e, name)) for e in own]
            known = [(x, y) for x, y in points if y is not None]
            axes.plot(
                *zip(*known, strict=True), marker=".", label=f"seed {seed}"
            ) if known else None
    loss.set(title="training loss", xlabel="epoch", ylabel="binary cross-entropy")
    area.set(
        title="validation, moving average", xlabel="epoch (0: the start)", ylabel="macro AUROC"
    )
    for axes in (loss, area):
        axes.grid(alpha=0.3)
    if area.lines:
        area.legend()
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, format="svg")


def open_logger(config: TrainConfig, out: Path) -> Any | None:
    """The logger that the recipe names, which writes below `out`; None for `csv`.

    Nothing leaves the machine unless the logger's own environment variables say so
    (MLFLOW_TRACKING_URI, WANDB_MODE=online). Raises InputError where its package is missing.
    """
    if config.logger == "csv":
        return None
    package = _PACKAGES[config.logger]
    if find_spec(package) is None:
        raise InputError(
            f"logger: {config.logger} needs the package {package}; install it "
            f"(pip install {package}), or set logger: csv"
        )
    if config.logger == "tensorboard":
        from lightning.fabric.loggers.tensorboard import TensorBoardLogger

        return TensorBoardLogger(root_dir=out, name="tensorboard", version="")
    if config.logger == "mlflow":
        from lightning.pytorch.loggers import MLFlowLogger

        uri = os.environ.get("MLFLOW_TRACKING_URI", (out / "mlflow").resolve().as_uri())
        return MLFlowLogger(experiment_name="chestct", tracking_uri=uri)
    from lightning.pytorch.loggers import WandbLogger

    offline = os.environ.get("WANDB_MODE", "offline") != "online"
    return WandbLogger(project="chestct", save_dir=out, offline=offline)
