"""`chestct evaluate`: a bundle's discrimination and calibration on scans it was not trained on."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from configs import files, tables
from configs.contracts import PROBABILITY_MEANING, Estimate, InputError, Split
from model import bundle as bundles
from model.bundle import Bundle
from model.calibration import CalibrationState
from model.data import Part, mean_by_scan, read_labels, read_parts
from model.losses import BLANK
from model.metrics import Metrics
from model.metrics import evaluate as measure
from model.volumes.store import Store
from pipelines.running.progress import results, track
from pipelines.running.run import Run

_BATCH = 16
_TABLE_WIDTH = 100


def evaluate(
    bundle: Path,
    *,
    cohort: Path,
    store: Path,
    labels: Path,
    out: Path,
    split: Split = Split.TEST,
    truth: Path | None = None,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Metrics]:
    """Measure a bundle on one split of a cohort, scan by scan, with patient-level intervals.

    A scan's logits are averaged over its volumes. Blank labels count as absent, uncertain ones
    are left out.

    Parameters
    ----------
    bundle
        Output folder of `chestct train`.
    cohort
        Output folder of `chestct cohort`, or its cohort.parquet.
    store
        Output folder of `chestct prepare`.
    labels
        Output folder of `chestct label`, or its labels.parquet: what the network is measured by.
    out
        Folder for predictions.parquet, metrics.csv, metrics.json and run.json.
    split
        train, validation or test.
    truth
        A second label table to measure by, such as a synthetic archive's truth.
    resamples
        Bootstrap resamples of the patients.
    seed
        Seed of the bootstrap.
    quiet
        Print nothing.
    """
    if resamples < 1:
        raise InputError(f"--resamples {resamples}: at least 1")
    inputs = {"bundle": bundle, "cohort": cohort, "store": store, "labels": labels}
    inputs |= {"truth": truth} if truth else {}
    config = {"split": split.value, "resamples": resamples, "seed": seed}
    with Run("evaluate", out, inputs, config) as run:
        loaded = bundles.load(bundle)
        opened = Store.open(store)
        if opened.profile != loaded.profile:
            raise InputError(
                f"{store}: prepared for profile {opened.profile.name!r}, the bundle wants "
                f"{loaded.profile.name!r}; prepare the scans again"
            )
        references = {"labels": labels} | ({"truth": truth} if truth else {})
        names = [label.partition(":")[2] for label in loaded.labels]
        parts = {
            reference: read_parts(cohort, _columns(path, names), opened)[split]
            for reference, path in references.items()
        }
        part = parts["labels"]
        if not len(part):
            raise InputError(f"{cohort}: the {split.value} split is empty")
        logits_nl = _predict(loaded, opened, part, quiet=quiet)
        _write_predictions(out / "predictions.parquet", loaded, part, logits_nl)
        metrics = {
            reference: _measure(loaded, logits_nl, parts[reference], resamples, seed)
            for reference in parts
        }
        _write_metrics(out, metrics)
        run.counts.update(scans=metrics["labels"].scans, volumes=len(part))
        run.facts["macro_auroc"] = {k: _number(m.macro["auroc"].value) for k, m in metrics.items()}
    if not quiet:
        for reference, measured in metrics.items():
            _print(measured, reference, loaded)
        results.print(PROBABILITY_MEANING)
    return metrics


def _columns(path: Path, names: list[str]) -> pd.DataFrame:
    frame = read_labels(path)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"{path}: no column {missing[0]!r}, which the bundle predicts")
    return frame[names]


def _predict(bundle: Bundle, store: Store, part: Part, *, quiet: bool) -> NDArray[np.float32]:
    starts = range(0, len(part), _BATCH)
    return np.concatenate(
        [
            bundle.logits([store.read(v) for v in part.volume_ids[start : start + _BATCH]])
            for start in track(starts, "predict", quiet=quiet)
        ]
    )


def _measure(
    bundle: Bundle, logits_nl: NDArray[np.float32], part: Part, resamples: int, seed: int
) -> Metrics:
    scan_logits_nl, values_nl, _, patients = mean_by_scan(logits_nl, part)
    return measure(
        bundle.probabilities(scan_logits_nl).astype(np.float64),
        np.where(values_nl == BLANK, 0, values_nl).astype(np.int8),
        patients,
        bundle.labels,
        np.array([calibration.threshold for calibration in bundle.calibrations]),
        resamples=resamples,
        seed=seed,
    )


def _write_predictions(
    path: Path, bundle: Bundle, part: Part, logits_nl: NDArray[np.float32]
) -> None:
    count = len(bundle.labels)
    columns = {
        "volume_id": np.repeat(part.volume_ids, count),
        "scan_id": np.repeat(part.scan_ids, count),
        "label": np.tile(bundle.labels, len(part)),
        "logit": logits_nl.ravel(),
        "probability": bundle.probabilities(logits_nl).ravel(),
    }
    files.write_table(path, pa.table(columns, schema=tables.PREDICTIONS))


def _write_metrics(out: Path, metrics: dict[str, Metrics]) -> None:
    content: dict[str, Any] = {}
    rows = []
    for reference, measured in metrics.items():
        content[reference] = {
            "scans": measured.scans,
            "patients": measured.patients,
            "undefined": list(measured.undefined),
            "macro": _numbers(measured.macro),
            "labels": {
                m.label: {
                    "positives": m.positives,
                    "negatives": m.negatives,
                    **_numbers(m.measures),
                }
                for m in measured.labels
            },
        }
        everything = [("macro", None, None, measured.macro)] + [
            (m.label, m.positives, m.negatives, m.measures) for m in measured.labels
        ]
        for label, positives, negatives, estimates in everything:
            for name, estimate in estimates.items():
                row = {"reference": reference, "label": label, "measure": name, **asdict(estimate)}
                rows.append({**row, "positives": positives, "negatives": negatives})
    files.write_json(out / "metrics.json", content)
    files.write_text(out / "metrics.csv", pd.DataFrame(rows).to_csv(index=False))


def _numbers(estimates: dict[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: _number(value) for key, value in asdict(estimate).items()}
        for name, estimate in estimates.items()
    }


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _print(metrics: Metrics, reference: str, bundle: Bundle) -> None:
    synthetic = " · trained on synthetic chests" if bundle.card.training_data == "synthetic" else ""
    table = Table(
        title=f"Network against {reference}: {metrics.scans} scans of {metrics.patients} "
        f"patients{synthetic}",
        caption="95 % intervals over patients; * threshold and calibration rest on few cases",
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("label", no_wrap=True)
    for column in ("pos.", "AUROC", "AP", "F1", "sens.", "spec."):
        table.add_column(column, justify="right", no_wrap=True)
    for row, calibration in zip(metrics.labels, bundle.calibrations, strict=True):
        mark = "" if calibration.state is CalibrationState.FITTED else " *"
        table.add_row(row.label.partition(":")[2] + mark, str(row.positives), *_cells(row.measures))
    table.add_section()
    table.add_row("macro average", "", *_cells(metrics.macro), style="bold")
    results.print(table, width=max(results.width, _TABLE_WIDTH))
    brier, ece = metrics.macro["brier"].value, metrics.macro["ece"].value
    results.print(f"Brier score {brier:.3f}, expected calibration error {ece:.3f} (macro)")
    if metrics.undefined:
        names = ", ".join(label.partition(":")[2] for label in metrics.undefined)
        results.print(f"Not measurable, one value only: {names}")


def _cells(estimates: dict[str, Estimate]) -> list[str]:
    area = estimates["auroc"]
    interval = f" ({area.low:.2f}-{area.high:.2f})" if math.isfinite(area.low) else ""
    others = ("ap", "f1", "sensitivity", "specificity")
    return [_shown(area.value, 3) + interval, *(_shown(estimates[n].value, 2) for n in others)]


def _shown(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
