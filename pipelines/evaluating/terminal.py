"""The figures that matter most, as tables in the terminal."""

import math

from rich.box import SIMPLE_HEAD
from rich.table import Table

from configs.contracts import Estimate
from model.bundle import Bundle
from pipelines.evaluating.comparison import Comparison
from pipelines.evaluating.evaluation import Evaluation
from pipelines.running.progress import results

_WIDTH = 100
_AT_THRESHOLD = ("f1", "sensitivity", "specificity", "ppv")


def print_evaluation(evaluation: Evaluation, bundle: Bundle) -> None:
    """A row a label; `*` marks thresholds that too few positives stand behind."""
    metrics, reference = evaluation.metrics, evaluation.reference
    synthetic = " · trained on synthetic chests" if bundle.card.training_data == "synthetic" else ""
    table = Table(
        title=f"Network against {reference}: {metrics.scans} scans of {metrics.patients} "
        f"patients{synthetic}",
        caption="95 % intervals over patients; * threshold not validated: it rests on fewer than "
        "50 validation positives",
        box=SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("label", no_wrap=True)
    for column in ("pos.", "AUROC", "AP", "F1", "sens.", "spec.", "PPV"):
        table.add_column(column, justify="right", no_wrap=True)
    for row, calibration in zip(metrics.labels, evaluation.judged.calibrations, strict=True):
        mark = "" if calibration.validated else " *"
        table.add_row(row.label.partition(":")[2] + mark, str(row.positives), *_cells(row.measures))
    table.add_section()
    table.add_row("macro average", "", *_cells(metrics.macro), style="bold")
    results.print(table, width=max(results.width, _WIDTH))
    brier, ece, slope = (metrics.macro[name].value for name in ("brier", "ece", "slope"))
    results.print(
        f"Brier score {brier:.3f}, expected calibration error {ece:.3f}, calibration slope "
        f"{shown(slope, 2)} (macro)"
    )
    if metrics.undefined:
        names = ", ".join(label.partition(":")[2] for label in metrics.undefined)
        results.print(f"Not measurable, one value only: {names}")
    if evaluation.comparison:
        results.print(said(evaluation.comparison))


def said(comparison: Comparison) -> str:
    """The comparison with another run in one sentence."""
    macro = comparison.macro
    left_out = f"; {comparison.missing} scans that it lacks are left out"
    return (
        f"Against the other run, {comparison.scans} scans: macro AUROC {macro.value:+.3f} "
        f"({macro.low:+.3f} to {macro.high:+.3f}, paired){left_out if comparison.missing else ''}"
    )


def _cells(estimates: dict[str, Estimate]) -> list[str]:
    area = estimates["auroc"]
    interval = f" ({area.low:.2f}-{area.high:.2f})" if math.isfinite(area.low) else ""
    others = ("ap", *_AT_THRESHOLD)
    return [shown(area.value, 3) + interval, *(shown(estimates[n].value, 2) for n in others)]


def shown(value: float, digits: int) -> str:
    """A figure, or a dash where it is not defined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
