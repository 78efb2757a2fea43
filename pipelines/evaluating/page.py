"""An evaluation as one self-contained HTML page; nothing in it can reach out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING, Estimate, Split
from model.bundle import Bundle
from model.calibration import Calibration, CalibrationState
from model.metrics import MIN_INTERVAL_PATIENTS, LabelMetrics
from model.operating import MIN_VALIDATED_POSITIVES
from pipelines.evaluating import pictures
from pipelines.evaluating.abstention import COVERAGES
from pipelines.evaluating.evaluation import Evaluation
from pipelines.evaluating.protocol import Table
from pipelines.evaluating.subgroups import MIN_POSITIVES, Group
from pipelines.evaluating.tables import named_points
from pipelines.evaluating.wording import chance, figure, said
from pipelines.rendering.markup import environment

_MEASURES = {
    "auroc": "AUROC",
    "ap": "AP",
    "f1": "F1",
    "sensitivity": "sens.",
    "specificity": "spec.",
    "ppv": "PPV",
    "accuracy": "accuracy",
    "brier": "Brier",
    "ece": "ECE",
    "slope": "slope",
}
_STATES = {
    CalibrationState.FITTED: "",
    CalibrationState.FEW_CASES: ", few cases",
    CalibrationState.NONE: ", not calibrated",
}


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What an evaluation was made with, for its page."""

    bundle: Bundle
    folder: Path
    """The bundle's, for its learning curves."""
    split: Split
    resamples: int
    cautions: tuple[str, ...]


def render(setting: Setting, evaluations: Sequence[Evaluation], tables: Sequence[Table]) -> str:
    """The page: figures, operating points, curves, groups, abstention, comparisons."""
    first = evaluations[0]
    page = _template().render(
        intended_use=INTENDED_USE,
        probability_meaning=PROBABILITY_MEANING,
        style=Markup(_resource("page.css")),  # noqa: S704 - our own file
        bundle=setting.bundle,
        split=setting.split.value,
        resamples=setting.resamples,
        cautions=setting.cautions,
        measures=_MEASURES,
        evaluations=[_shown(evaluation) for evaluation in evaluations],
        curves=_curves(first),
        curves_of=first.reference,
        learning=_markup(pictures.learning_curves(setting.folder / "history.csv")),
        coverages=COVERAGES,
        tables=tables,
        min_validated=MIN_VALIDATED_POSITIVES,
        min_group=MIN_POSITIVES,
        min_patients=MIN_INTERVAL_PATIENTS,
        version=version("chestct"),
    )
    return page.lstrip() + "\n"


def _shown(evaluation: Evaluation) -> dict[str, Any]:
    metrics, judged = evaluation.metrics, evaluation.judged
    rows = list(zip(metrics.labels, judged.calibrations, strict=True))
    attributes = [group.attribute for group in evaluation.groups]
    parted = {attribute for attribute in attributes if attributes.count(attribute) > 1}
    by_label: dict[str, list[float]] = {}
    for found in evaluation.covered:
        by_label.setdefault(found.label, []).append(found.risk)
    return {
        "reference": evaluation.reference,
        "source": judged.source,
        "scans": metrics.scans,
        "patients": metrics.patients,
        "macro": metrics.macro,
        "slopes": sum(math.isfinite(row.measures["slope"].value) for row in metrics.labels),
        "undefined": [name_of(label) for label in metrics.undefined],
        "labels": [
            {
                "name": name_of(measured.label),
                "positives": measured.positives,
                "negatives": measured.negatives,
                "measures": measured.measures,
                "validated": calibration.validated,
                "curve": calibration.method.value + _STATES[calibration.state],
            }
            for measured, calibration in rows
        ],
        "points": [_points(measured, calibration) for measured, calibration in rows],
        "groups": [_group(group) for group in evaluation.groups if group.attribute in parted],
        "unparted": [
            (group.attribute, group.value)
            for group in evaluation.groups
            if group.attribute not in parted
        ],
        "risks": [(name_of(label), risks) for label, risks in by_label.items()],
        "risk_picture": _markup(pictures.risk_coverage(judged)),
        "comparison": evaluation.comparison,
        "comparison_said": said(evaluation.comparison) if evaluation.comparison else "",
    }


def _points(measured: LabelMetrics, calibration: Calibration) -> dict[str, Any]:
    return {
        "name": name_of(measured.label),
        "validation_positives": calibration.positives,
        "points": [
            {"name": name, "point": point, "here": measured.points.get(name)}
            for name, point in named_points(calibration).items()
            if point is not None
        ],
    }


def _group(group: Group) -> dict[str, Any]:
    few = len(group.positives) - len(group.labels)
    return {
        "attribute": group.attribute,
        "value": group.value,
        "scans": group.scans,
        "patients": group.patients,
        "macro": group.macro_auroc,
        "few": few,
        "labels": [
            (name_of(found.label), found.positives, found.measures) for found in group.labels
        ],
    }


def _curves(evaluation: Evaluation) -> list[tuple[str, str, Markup]]:
    """Name, counts and picture of every label that has both values."""
    found = []
    for index, measured in enumerate(evaluation.metrics.labels):
        picture = _markup(pictures.label_curves(evaluation.judged, index))
        if picture is not None:
            counts = f"{measured.positives} of {measured.positives + measured.negatives} scans"
            found.append((name_of(measured.label), counts, picture))
    return found


def name_of(label: str) -> str:
    """A label without its convention."""
    return label.partition(":")[2] or label


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)  # noqa: S704 - drawn by matplotlib, which escapes


def _estimate(estimate: Estimate | None, digits: int = 2) -> str:
    """A figure with its interval.

    >>> _estimate(Estimate(0.8123, 0.75, 0.86), 3)
    '0.812 (0.750 to 0.860)'
    """
    if estimate is None or not math.isfinite(estimate.value):
        return "-"
    value = f"{estimate.value:.{digits}f}"
    if not math.isfinite(estimate.low):
        return value
    return f"{value} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _interval(estimate: Estimate, digits: int = 2) -> str:
    """The interval alone, for a second line."""
    if not math.isfinite(estimate.value) or not math.isfinite(estimate.low):
        return ""
    between = " to " if estimate.low < 0 else "–"  # noqa: RUF001 - an en dash
    return f"{estimate.low:.{digits}f}{between}{estimate.high:.{digits}f}"


def _resource(name: str) -> str:
    return files("pipelines.evaluating").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    made = environment()
    made.filters |= {
        "estimate": _estimate,
        "interval": _interval,
        "figure": figure,
        "chance": chance,
    }
    made.trim_blocks = made.lstrip_blocks = True
    return made.from_string(_resource("page.html.j2"))
