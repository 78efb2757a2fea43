"""Two runs on the same scans: how much better one is, and whether that is more than chance."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from configs.contracts import Estimate, InputError
from model.delong import delong
from model.measures import auroc, average_precision
from model.metrics import bootstrap_weights, interval, mean_over_labels, tells_intervals
from pipelines.evaluating.judged import Floats, Judged
from pipelines.evaluating.predictions import read_case_logits


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """One label: this run, the other, and this less the other by a paired bootstrap."""

    label: str
    positives: int
    negatives: int
    auroc: float
    other_auroc: float
    difference: Estimate
    ap_difference: Estimate
    p: float
    """DeLong's; NaN where a patient has several scans, which that test takes as independent."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run against another on the scans and labels that both predicted."""

    scans: int
    missing: int
    """Scans of this run that the other did not predict: left out."""
    labels: tuple[LabelComparison, ...]
    macro: Estimate
    """Difference of macro AUROC over the labels that have both values."""
    macro_ap: Estimate


def compare(judged: Judged, path: Path, resamples: int, seed: int) -> Comparison:
    """Compare with the predictions in a file or an output folder of `chestct evaluate`.

    A patient's scans are drawn together, and the same patients for both runs. Raises InputError
    when the runs share no scan or no label.
    """
    other = read_case_logits(path)
    columns = [i for i, label in enumerate(judged.labels) if label in other.columns]
    if not columns:
        raise InputError(f"{path}: predicts none of these labels ({', '.join(other.columns[:4])})")
    rows = [i for i, case in enumerate(judged.ids) if case in other.index]
    if not rows:
        raise InputError(
            f"{path}: predicts none of these scans; is it of the same store and split?"
        )
    part = judged.rows(rows).of_labels(columns)
    other_nl = other.loc[part.ids, list(part.labels)].to_numpy(np.float64)
    weights_bn = bootstrap_weights(part.patients, resamples, seed)
    independent = len(set(part.patients)) == len(part)
    labels, areas, precisions = [], [], []
    for index in range(len(part.labels)):
        found, area, precision = _label(part, other_nl, index, weights_bn, independent=independent)
        labels.append(found)
        if found.positives and found.negatives:
            areas.append(area)
            precisions.append(precision)
    return Comparison(
        len(part),
        len(judged) - len(part),
        tuple(labels),
        interval(mean_over_labels(areas)),
        interval(mean_over_labels(precisions)),
    )


def _label(
    part: Judged, other_nl: Floats, index: int, weights_bn: Floats, *, independent: bool
) -> tuple[LabelComparison, Floats, Floats]:
    """The comparison of a label, and its bootstrap samples of both differences."""
    positive, own, _ = part.case(index)
    known = part.values_nl[:, index] != -1
    theirs, weights = other_nl[known, index], weights_bn[:, known]
    if not len(positive):
        nothing = np.full(len(weights_bn), np.nan)
        area = other_area = precision = nothing
    else:
        area, other_area = auroc(own, positive, weights), auroc(theirs, positive, weights)
        precision = average_precision(own, positive, weights) - average_precision(
            theirs, positive, weights
        )
    told = tells_intervals(
        [p for p, value in zip(part.patients, known, strict=True) if value], positive
    )
    found = LabelComparison(
        part.labels[index],
        int(positive.sum()),
        int((~positive).sum()),
        float(area[0]),
        float(other_area[0]),
        interval(area - other_area, told=told),
        interval(precision, told=told),
        delong(own, theirs, positive).p if independent else float("nan"),
    )
    return found, area - other_area, precision
