"""What was measured, as CSV for people and JSON for programs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from configs import files
from configs.contracts import Estimate
from model.calibration import Calibration
from model.measures import AT_THRESHOLD
from model.operating import OperatingPoint
from pipelines.evaluating.evaluation import Evaluation
from pipelines.evaluating.protocol import Table
from pipelines.evaluating.subgroups import MIN_POSITIVES

Row = dict[str, Any]


def _with_interval(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


_GROUP_MEASURES = ("auroc", "sensitivity", "specificity", "ece")
_COLUMNS = {
    "metrics": (
        *("reference", "label", "measure", "value", "low", "high", "positives", "negatives"),
    ),
    "operating_points": (
        *("reference", "label", "point", "validation_positives", "validated", "threshold"),
        *("validation_sensitivity", "validation_sensitivity_low", "validation_ppv"),
        *("validation_false_alarms_per_100", *_with_interval(*AT_THRESHOLD)),
    ),
    "subgroups": (
        *("reference", "attribute", "value", "scans", "patients", "label", "positives"),
        *(*_with_interval(*_GROUP_MEASURES), "note"),
    ),
    "risk_coverage": ("reference", "label", "coverage", "scans", "errors", "risk"),
    "comparison": (
        *("reference", "label", "positives", "negatives", "auroc", "other_auroc"),
        *(f"{d}_difference_{k}" for d in ("auroc", "ap") for k in ("value", "low", "high")),
        "p_delong",
    ),
    "protocol": (
        *("reference", "system", "macro_auroc", "low", "high", "n", "labels", "test_set"),
        *("label_source", "comparable", "note"),
    ),
}
"""By table: always the same, whatever could be measured."""


def write_tables(out: Path, evaluations: Sequence[Evaluation]) -> None:
    """metrics, operating_points, subgroups, risk_coverage and comparison as CSV; metrics as JSON.

    comparison.csv is written only where there was another run to compare with.
    """
    files.write_json(out / "metrics.json", {e.reference: _content(e) for e in evaluations})
    tables: dict[str, list[Row]] = {
        "metrics": [row for e in evaluations for row in _metric_rows(e)],
        "operating_points": [row for e in evaluations for row in _point_rows(e)],
        "subgroups": [row for e in evaluations for row in _group_rows(e)],
        "risk_coverage": [row for e in evaluations for row in _covered_rows(e)],
        "comparison": [row for e in evaluations for row in _comparison_rows(e)],
    }
    for name, rows in tables.items():
        _write_rows(out, name, rows)


def write_protocol(out: Path, published: Sequence[Table]) -> None:
    """protocol.csv: our figures and the published ones, row by row."""
    rows = [
        {
            "reference": table.reference,
            "system": row.system,
            "macro_auroc": row.macro_auroc.value,
            "low": row.macro_auroc.low,
            "high": row.macro_auroc.high,
            "n": row.n,
            "labels": row.labels,
            "test_set": row.test_set,
            "label_source": row.label_source,
            "comparable": row.comparable.value,
            "note": row.note,
        }
        for table in published
        for row in table.rows
    ]
    _write_rows(out, "protocol", rows)


def _write_rows(out: Path, name: str, rows: Sequence[Row]) -> None:
    """A CSV; without rows an earlier one is removed."""
    path = out / f"{name}.csv"
    if not rows:
        path.unlink(missing_ok=True)
        return
    unknown = {column for row in rows for column in row}.difference(_COLUMNS[name])
    assert not unknown, unknown
    files.write_text(path, pd.DataFrame(rows, columns=list(_COLUMNS[name])).to_csv(index=False))


def number(value: float) -> float | None:
    """A figure as JSON has it: null where it is not defined."""
    return round(value, 6) if math.isfinite(value) else None


def _content(evaluation: Evaluation) -> Row:
    metrics, judged = evaluation.metrics, evaluation.judged
    content: Row = {
        "source": judged.source,
        "scans": metrics.scans,
        "patients": metrics.patients,
        "undefined": list(metrics.undefined),
        "macro": _numbers(metrics.macro),
        "labels": {
            m.label: {
                "positives": m.positives,
                "negatives": m.negatives,
                "threshold": number(calibration.threshold),
                "threshold_validated": calibration.validated,
                "calibration": calibration.method.value,
                "calibration_state": calibration.state.value,
                **_numbers(m.measures),
                "operating_points": {name: _numbers(found) for name, found in m.points.items()},
            }
            for m, calibration in zip(metrics.labels, judged.calibrations, strict=True)
        },
    }
    if found := evaluation.comparison:
        content["comparison"] = {
            "scans": found.scans,
            "missing": found.missing,
            "macro_auroc_difference": _estimate(found.macro),
            "macro_ap_difference": _estimate(found.macro_ap),
        }
    return content


def _metric_rows(evaluation: Evaluation) -> Iterable[Row]:
    metrics = evaluation.metrics
    everything = [("macro", None, None, metrics.macro)] + [
        (m.label, m.positives, m.negatives, m.measures) for m in metrics.labels
    ]
    for label, positives, negatives, estimates in everything:
        for name, estimate in estimates.items():
            row = {"reference": evaluation.reference, "label": label, "measure": name}
            yield row | asdict(estimate) | {"positives": positives, "negatives": negatives}


def _point_rows(evaluation: Evaluation) -> Iterable[Row]:
    rows = zip(evaluation.metrics.labels, evaluation.judged.calibrations, strict=True)
    for measured, calibration in rows:
        for name, point in named_points(calibration).items():
            row: Row = {"reference": evaluation.reference, "label": measured.label, "point": name}
            row["validation_positives"] = calibration.positives
            if point is None:
                yield row | {"validated": False}
                continue
            row |= {
                "validated": True,
                "threshold": point.threshold,
                "validation_sensitivity": point.sensitivity,
                "validation_sensitivity_low": point.sensitivity_low,
                "validation_ppv": point.ppv,
                "validation_false_alarms_per_100": point.false_alarms_per_100,
            }
            for measure, estimate in measured.points.get(name, {}).items():
                row |= {f"{measure}": estimate.value}
                row |= {f"{measure}_low": estimate.low, f"{measure}_high": estimate.high}
            yield row


def named_points(calibration: Calibration) -> dict[str, OperatingPoint | None]:
    """Both operating points by name."""
    return {"balanced": calibration.balanced, "sensitive": calibration.sensitive}


def _group_rows(evaluation: Evaluation) -> Iterable[Row]:
    for group in evaluation.groups:
        row: Row = {"reference": evaluation.reference, "attribute": group.attribute}
        row |= {"value": group.value, "scans": group.scans, "patients": group.patients}
        measured = {found.label: found for found in group.labels}
        for label, positives in group.positives.items():
            own = row | {"label": label, "positives": positives}
            if label not in measured:
                note = f"fewer than {MIN_POSITIVES} positives"
                yield own | {"note": note if positives < MIN_POSITIVES else "no negatives"}
                continue
            for name in _GROUP_MEASURES:
                estimate = measured[label].measures[name]
                own |= {name: estimate.value}
                own |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            yield own | {"note": ""}


def _covered_rows(evaluation: Evaluation) -> Iterable[Row]:
    for found in evaluation.covered:
        yield {"reference": evaluation.reference, **asdict(found), "risk": found.risk}


def _comparison_rows(evaluation: Evaluation) -> Iterable[Row]:
    found = evaluation.comparison
    if found is None:
        return
    for label in found.labels:
        yield {
            "reference": evaluation.reference,
            "label": label.label,
            "positives": label.positives,
            "negatives": label.negatives,
            "auroc": label.auroc,
            "other_auroc": label.other_auroc,
            **{f"auroc_difference_{k}": v for k, v in asdict(label.difference).items()},
            **{f"ap_difference_{k}": v for k, v in asdict(label.ap_difference).items()},
            "p_delong": label.p,
        }


def _numbers(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: _estimate(estimate) for name, estimate in estimates.items()}


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {key: number(value) for key, value in asdict(estimate).items()}
