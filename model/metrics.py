"""How good predictions are, label by label, with patient-level bootstrap intervals.

Every measure takes weights (one row per bootstrap sample, one column per case): a row of ones is
the plain estimate, a row of patients' draw counts a resample, so all resamples are one pass.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from configs.contracts import Estimate

Floats = NDArray[np.float64]

MEASURES = ("auroc", "ap", "f1", "sensitivity", "specificity", "brier", "ece")
_ECE_BINS = 10


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """One label's measures (`MEASURES`) and the counts behind them."""

    label: str
    positives: int
    negatives: int
    measures: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every label's measures, and their macro average over the labels where they are defined."""

    labels: tuple[LabelMetrics, ...]
    macro: dict[str, Estimate]
    scans: int
    patients: int
    undefined: tuple[str, ...] = field(default=())
    """Labels with one class only: left out of the macro average."""


def auroc(
    scores_n: Floats, positive_n: NDArray[np.bool_], weights_bn: Floats | None = None
) -> Floats:
    """Area under the ROC curve per row of weights, ties counted half; NaN with one class only.

    >>> auroc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])).tolist()
    [0.75]
    """
    tp_bu, fp_bu = _curve(scores_n, positive_n, weights_bn)
    with np.errstate(invalid="ignore"):
        tpr, fpr = tp_bu / tp_bu[:, -1:], fp_bu / fp_bu[:, -1:]
    return np.asarray(np.trapezoid(tpr, fpr, axis=1))


def macro_auroc(scores_nl: NDArray[np.floating], values_nl: NDArray[np.int8]) -> float:
    """Mean AUROC over the labels with both classes; values other than 1 and 0 are left out.

    NaN where no label has both.
    """
    found = []
    for scores, values in zip(scores_nl.T, values_nl.T, strict=True):
        known = (values == 0) | (values == 1)
        found.append(float(auroc(scores[known].astype(np.float64), values[known] == 1)[0]))
    defined = [value for value in found if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def average_precision(
    scores_n: Floats, positive_n: NDArray[np.bool_], weights_bn: Floats | None = None
) -> Floats:
    """Mean precision over recall steps, per row of weights; NaN without positives.

    >>> average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    array([0.83333333])
    """
    tp_bu, fp_bu = _curve(scores_n, positive_n, weights_bn)
    with np.errstate(invalid="ignore"):
        precision = tp_bu[:, 1:] / (tp_bu[:, 1:] + fp_bu[:, 1:])
        steps = np.diff(tp_bu, axis=1)
        total = tp_bu[:, -1]
        area = np.where(steps > 0, precision * steps, 0.0).sum(axis=1)
        return np.asarray(np.where(total > 0, area / total, np.nan))


def _curve(
    scores_n: Floats, positive_n: NDArray[np.bool_], weights_bn: Floats | None
) -> tuple[Floats, Floats]:
    """Weight of true and false positives at every threshold, from none to all: (b, u + 1) each."""
    if weights_bn is None:
        weights_bn = np.ones((1, len(scores_n)))
    order = np.argsort(-scores_n, kind="stable")
    ranked = scores_n[order]
    last_of_tie = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    weights = weights_bn[:, order]
    hits = positive_n[order]
    start = np.zeros((len(weights), 1))
    tp = np.cumsum(weights * hits, axis=1)[:, last_of_tie]
    fp = np.cumsum(weights * ~hits, axis=1)[:, last_of_tie]
    return np.hstack([start, tp]), np.hstack([start, fp])


def expected_calibration_error(
    probability_n: Floats, positive_n: NDArray[np.bool_], weights_bn: Floats
) -> Floats:
    """Mean gap between predicted and seen frequency over ten equal bins (Naeini 2015)."""
    bin_n = np.minimum((probability_n * _ECE_BINS).astype(int), _ECE_BINS - 1)
    member = (bin_n[:, None] == np.arange(_ECE_BINS)).astype(float)
    gap = weights_bn @ (member * (probability_n - positive_n)[:, None])
    return np.asarray(np.abs(gap).sum(axis=1) / weights_bn.sum(axis=1))


def bootstrap_weights(patients: list[str], resamples: int, seed: int) -> Floats:
    """Weights (1 + resamples, n): ones, then each patient's draw count on all of its scans."""
    _, patient_n = np.unique(np.asarray(patients), return_inverse=True)
    count = int(patient_n.max()) + 1
    random = np.random.default_rng(seed)
    draws = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.vstack([np.ones((1, len(patient_n))), draws[:, patient_n]]).astype(np.float64)


def evaluate(
    probability_nl: Floats,
    values_nl: NDArray[np.int8],
    patients: list[str],
    labels: tuple[str, ...],
    thresholds_l: Floats,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Measure predictions against values of 1 and 0; any other value leaves the scan out.

    `thresholds_l` may hold NaN: that label's F1, sensitivity and specificity are then undefined.
    """
    weights_bn = bootstrap_weights(patients, resamples, seed)
    rows, per_label = [], []
    for index, label in enumerate(labels):
        known = (values_nl[:, index] == 0) | (values_nl[:, index] == 1)
        positive = values_nl[known, index] == 1
        samples = _measure(
            probability_nl[known, index].astype(np.float64),
            positive,
            weights_bn[:, known],
            float(thresholds_l[index]),
        )
        rows.append(samples)
        estimates = {name: _interval(samples[name]) for name in MEASURES}
        per_label.append(
            LabelMetrics(label, int(positive.sum()), int((~positive).sum()), estimates)
        )
    two_classes = [bool(m.positives and m.negatives) for m in per_label]
    macro = {
        name: _interval(
            _mean_over_labels([r[name] for r, ok in zip(rows, two_classes, strict=True) if ok])
        )
        for name in MEASURES
    }
    left_out = tuple(m.label for m, ok in zip(per_label, two_classes, strict=True) if not ok)
    return Metrics(tuple(per_label), macro, len(patients), len(set(patients)), left_out)


def _measure(
    probability: Floats, positive: NDArray[np.bool_], weights: Floats, threshold: float
) -> dict[str, Floats]:
    if not len(positive):
        return {name: np.full(len(weights), np.nan) for name in MEASURES}
    called = probability >= threshold
    with np.errstate(invalid="ignore"):
        tp, fn = weights @ (called & positive), weights @ (~called & positive)
        fp, tn = weights @ (called & ~positive), weights @ (~called & ~positive)
        at_threshold = {
            "f1": 2 * tp / (2 * tp + fp + fn),
            "sensitivity": tp / (tp + fn),
            "specificity": tn / (tn + fp),
        }
        return {
            "auroc": auroc(probability, positive, weights),
            "ap": average_precision(probability, positive, weights),
            **{k: v if np.isfinite(threshold) else v * np.nan for k, v in at_threshold.items()},
            "brier": weights @ (probability - positive) ** 2 / weights.sum(axis=1),
            "ece": expected_calibration_error(probability, positive, weights),
        }


def _mean_over_labels(samples: list[Floats]) -> Floats:
    """The mean over labels of each bootstrap row, over those defined in it."""
    if not samples:
        return np.full(1, np.nan)
    stacked = np.stack(samples)
    defined = np.isfinite(stacked)
    counts = defined.sum(axis=0)
    return np.where(
        counts > 0, np.where(defined, stacked, 0).sum(axis=0) / np.maximum(counts, 1), np.nan
    )


def _interval(samples: Floats) -> Estimate:
    """The first row as the estimate, percentiles of the others as the interval."""
    resampled = samples[1:][np.isfinite(samples[1:])]
    if not np.isfinite(samples[0]) or not len(resampled):
        return Estimate(float(samples[0]), float("nan"), float("nan"))
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(float(samples[0]), float(low), float(high))
