"""The figures that matter most, as tables in the terminal."""

import math
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from configs.contracts import PROBABILITY_MEANING, Estimate
from model.bundle import Bundle
from model.metrics import MIN_INTERVAL_PATIENTS, LabelMetrics
from pipelines.evaluating.evaluation import Evaluation
from pipelines.evaluating.wording import figure, said
from pipelines.evaluating.work import PAGE, Findings
from pipelines.running.progress import results

_WIDTH = 100
_AT_THRESHOLD = ("f1", "sensitivity", "specificity", "ppv")


def print_findings(findings: Findings, out: Path, new_bundle: Path | None) -> None:
    """A table a reference, what must be known beside the figures, and where the rest stands."""
    for found in findings.evaluations:
        print_evaluation(found, findings.bundle)
    for caution in findings.cautions:
        results.print(caution)
    results.print(PROBABILITY_MEANING)
    if new_bundle is not None:
        results.print(f"New bundle: {new_bundle}")
    results.print(f"Curves, operating points, groups: {out / PAGE}")


def print_evaluation(evaluation: Evaluation, bundle: Bundle) -> None:
    """A row a label; `*` marks thresholds that too few positives stand behind."""
    metrics, reference = evaluation.metrics, evaluation.reference
    synthetic = " · trained on synthetic chests" if bundle.card.training_data == "synthetic" else ""
    table = Table(
        title=f"Network against {reference}: {metrics.scans} scans of {metrics.patients} "
        f"patients{synthetic}",
        caption=f"95 % intervals over patients, with {MIN_INTERVAL_PATIENTS} or more of either "
        "value (neg., pos.); * threshold not validated: it rests on fewer than "
        "50 validation positives",
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("label", no_wrap=True)
    for column in ("pos.", "neg.", "AUROC", "AP", "F1", "sens.", "spec.", "PPV"):
        table.add_column(column, justify="right", no_wrap=True)
    for row, calibration in zip(metrics.labels, evaluation.judged.calibrations, strict=True):
        mark = "" if calibration.validated else " *"
        table.add_row(row.label.partition(":")[2] + mark, *_counts(row), *_cells(row.measures))
    table.add_section()
    table.add_row("macro average", "", "", *_cells(metrics.macro), style="bold")
    results.print(table, width=max(results.width, _WIDTH))
    brier, ece, slope = (metrics.macro[name].value for name in ("brier", "ece", "slope"))
    slopes = sum(math.isfinite(row.measures["slope"].value) for row in metrics.labels)
    results.print(
        f"Brier score {brier:.3f}, expected calibration error {ece:.3f}, calibration slope "
        f"{figure(slope, 2)} (macro; the slope rests on {slopes} of {len(metrics.labels)} labels)"
    )
    if metrics.undefined:
        names = ", ".join(label.partition(":")[2] for label in metrics.undefined)
        results.print(f"Not measurable, one value only: {names}")
    if evaluation.comparison:
        results.print(said(evaluation.comparison))


def _counts(row: LabelMetrics) -> tuple[str, str]:
    return str(row.positives), str(row.negatives)


def _cells(estimates: dict[str, Estimate]) -> list[str]:
    area = estimates["auroc"]
    interval = f" ({area.low:.2f}-{area.high:.2f})" if math.isfinite(area.low) else ""
    others = ("ap", *_AT_THRESHOLD)
    return [figure(area.value, 3) + interval, *(figure(estimates[n].value, 2) for n in others)]
