"""`chestct train`: from a cohort, its labels and its volumes to a bundle."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from configs import files
from configs.contracts import InputError, Split
from configs.training import TrainConfig, load_train
from model import bundle as bundles
from model.bundle import Bundle
from model.calibration import fit_calibration
from model.card import ModelCard, SplitCounts
from model.data import Part, mean_by_scan, read_labels, read_parts
from model.training import Epoch, Fitted, fit
from model.volumes.store import Store
from pipelines.running.progress import messages, results
from pipelines.running.run import Run, package_versions


def train(
    *,
    config: Path,
    labels: Path,
    store: Path,
    cohort: Path,
    out: Path,
    convention: str = "ct_rate",
    override: Sequence[str] = (),
    resume: bool = False,
    quiet: bool = False,
) -> Bundle:
    """Train a network on a cohort and write it as a bundle.

    The network, the calibration and the thresholds are chosen on the validation split; the test
    split is not read.

    Parameters
    ----------
    config
        The recipe, a YAML file such as those in configs/train.
    labels
        Output folder of `chestct label`, or its labels.parquet.
    store
        Output folder of `chestct prepare`.
    cohort
        Output folder of `chestct cohort`, or its cohort.parquet.
    out
        Folder for the bundle, history.csv and run.json.
    convention
        The labeling convention that the labels follow.
    override
        A field of the recipe with another value, `epochs=5` or `augmentation.noise_hu=0`.
    resume
        Go on with an interrupted run in the same folder.
    quiet
        Print nothing.
    """
    recipe = load_train(config, _overrides(override))
    inputs = {"config": config, "labels": labels, "store": store, "cohort": cohort}
    with Run("train", out, inputs, {"recipe": recipe.model_dump(mode="json")}) as run:
        opened = Store.open(store)
        if opened.profile.name != recipe.profile:
            raise InputError(
                f"{store}: prepared for profile {opened.profile.name!r}, {config} trains "
                f"{recipe.profile!r}; prepare again or set `profile:`"
            )
        table = read_labels(labels)
        parts = read_parts(cohort, table, opened)
        names, parts = _learnable(list(table.columns), parts, run, quiet=quiet)
        began = time.monotonic()
        with _Console(quiet=quiet).shown() as console:
            fitted = fit(
                recipe,
                opened.profile,
                parts[Split.TRAIN],
                parts[Split.VALIDATION],
                opened.read,
                resume_file=out / "resume.ckpt",
                resume=resume,
                watcher=console,
            )
        seconds = time.monotonic() - began
        qualified = tuple(f"{convention}:{name}" for name in names)
        card = _card(fitted, recipe, parts, names, opened, convention, seconds)
        bundle = _bundle(fitted, recipe, parts[Split.VALIDATION], qualified, card, opened)
        bundles.save(out, bundle)
        _write_history(out / "history.csv", fitted.history)
        (out / "resume.ckpt").unlink(missing_ok=True)
        run.counts.update({f"{split.value}_volumes": len(part) for split, part in parts.items()})
        run.facts["validation"] = card.metrics
    if not quiet:
        kept = f"epoch {fitted.best_epoch + 1}" if fitted.best_epoch >= 0 else "the start"
        results.print(
            f"Trained {fitted.history[-1].epoch + 1} epochs in {seconds:.0f} s; {kept} is kept: "
            f"macro AUROC {fitted.best_auroc:.3f} on validation. Bundle: {out}"
        )
    return bundle


def _overrides(pairs: Sequence[str]) -> dict[str, Any]:
    overrides = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--override {pair!r}: expected FIELD=VALUE")
        try:
            overrides[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--override {pair!r}: the value cannot be read") from None
    return overrides


def _learnable(
    names: list[str], parts: dict[Split, Part], run: Run, *, quiet: bool
) -> tuple[list[str], dict[Split, Part]]:
    """The labels that the train split shows in both values; the others are said and left out."""
    values_nl = parts[Split.TRAIN].values_nl
    both = (values_nl == 1).any(axis=0) & (values_nl != 1).any(axis=0)
    left_out = [name for name, keep in zip(names, both, strict=True) if not keep]
    if len(left_out) == len(names):
        raise InputError("no label has positives and negatives in the train split")
    run.facts["labels_left_out"] = left_out
    if left_out and not quiet:
        messages.print(f"Left out, with one value only in the train split: {', '.join(left_out)}")
    kept = {
        split: Part(part.volume_ids, part.scan_ids, part.patient_ids, part.values_nl[:, both])
        for split, part in parts.items()
    }
    return [name for name, keep in zip(names, both, strict=True) if keep], kept


def _bundle(
    fitted: Fitted,
    recipe: TrainConfig,
    validation: Part,
    labels: tuple[str, ...],
    card: ModelCard,
    store: Store,
) -> Bundle:
    logits_nl, values_nl, _, _ = mean_by_scan(fitted.validation_logits_nl, validation)
    calibrations = []
    for logits, values in zip(logits_nl.T.astype(np.float64), values_nl.T, strict=True):
        # Blank is taken as absent, as in training; uncertain is left out.
        known = values != -1
        calibrations.append(fit_calibration(logits[known], values[known] == 1))
    return Bundle(
        store.profile,
        recipe.network,
        fitted.size,
        labels,
        tuple(calibrations),
        card,
        fitted.network,
    )


def _card(
    fitted: Fitted,
    recipe: TrainConfig,
    parts: dict[Split, Part],
    names: list[str],
    store: Store,
    convention: str,
    seconds: float,
) -> ModelCard:
    synthetic = store.manifest.set_index("volume_id")["synthetic"].astype(bool)
    drawn = synthetic[parts[Split.TRAIN].volume_ids]
    kind = "synthetic" if drawn.all() else "mixed" if drawn.any() else "patients"
    return ModelCard(
        training_data=kind,
        counts={
            split.value: _counts(parts[split], names) for split in (Split.TRAIN, Split.VALIDATION)
        },
        metrics={"macro_auroc": round(fitted.best_auroc, 4), "epoch": fitted.best_epoch + 1},
        label_source=convention,
        train_config=recipe.model_dump(mode="json"),
        seconds=round(seconds, 1),
        versions=package_versions(),
    )


def _counts(part: Part, names: list[str]) -> SplitCounts:
    _, first_n = np.unique(np.asarray(part.scan_ids), return_index=True)
    positives = (part.values_nl[first_n] == 1).sum(axis=0)
    return SplitCounts(
        patients=len(set(part.patient_ids)),
        scans=len(first_n),
        volumes=len(part),
        positives=dict(zip(names, positives.tolist(), strict=True)),
    )


def _write_history(path: Path, history: Sequence[Epoch]) -> None:
    files.write_text(path, pd.DataFrame([asdict(epoch) for epoch in history]).to_csv(index=False))


class _Console:
    """A bar with loss, macro AUROC and time left; nothing with `quiet` or without a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._bar = Progress(
            TextColumn("train"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=messages,
            transient=True,
            disable=quiet or not messages.is_terminal,
        )
        self._task = self._bar.add_task("regional histograms", total=None)
        self._auroc = ""

    @contextmanager
    def shown(self) -> Iterator["_Console"]:
        """Show the bar for as long as this lasts."""
        with self._bar:
            yield self

    def step(self, done: int, total: int, loss: float) -> None:
        """Move the bar."""
        self._bar.update(
            self._task, completed=done, total=total, description=f"loss {loss:.3f}{self._auroc}"
        )

    def epoch(self, epoch: Epoch) -> None:
        """Show the last validation's figure."""
        self._auroc = (
            f" · macro AUROC {epoch.macro_auroc:.3f} · {epoch.scans_per_second:.1f} scans/s"
        )
