"""How good predictions are, label by label, with patient-level bootstrap intervals.

Every measure takes weights (one row per bootstrap sample, one column per case): a row of ones is
the plain estimate, a row of patients' draw counts a resample, so all resamples are one pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from configs.contracts import Estimate

Floats = NDArray[np.float64]

AT_THRESHOLD = ("f1", "sensitivity", "specificity", "ppv", "accuracy", "false_alarms_per_100")
"""The measures that need a yes or a no."""
MEASURES = ("auroc", "ap", *AT_THRESHOLD, "brier", "ece", "slope")
MIN_INTERVAL_PATIENTS = 10
"""With fewer patients of either value a bootstrap cannot tell how far a figure may be off."""
_ECE_BINS = 10
_ROWS_AT_ONCE = 64
_NEWTON_STEPS = 25
_STEEPEST = 20.0


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """One label's measures (`MEASURES`) and the counts behind them."""

    label: str
    positives: int
    negatives: int
    measures: dict[str, Estimate]
    points: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    """By the name of an operating point: its measures (`AT_THRESHOLD`) on these cases."""


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


def calibration_slope(
    probability_n: Floats, positive_n: NDArray[np.bool_], weights_bn: Floats
) -> Floats:
    """Slope of a logistic regression of the outcome on the logit of its probability (Cox 1958).

    1 is ideal, less is overconfident. NaN where one class only, or a separable sample, has none.
    """
    inside = np.clip(probability_n, 1e-6, 1 - 1e-6)
    x = np.log(inside / (1 - inside))
    chunks = range(0, len(weights_bn), _ROWS_AT_ONCE)
    return np.concatenate(
        [_slopes(x, positive_n, weights_bn[start : start + _ROWS_AT_ONCE]) for start in chunks]
    )


def _slopes(x: Floats, positive_n: NDArray[np.bool_], weights_bn: Floats) -> Floats:
    """By Newton's method, all rows at once."""
    line_b2 = np.tile([0.0, 1.0], (len(weights_bn), 1))
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            mean_bn = 1 / (1 + np.exp(-np.clip(line_b2 @ powers[:, :2].T, -60, 60)))
            gradient = (weights_bn * (positive_n - mean_bn)) @ powers[:, :2]
            h0, h1, h2 = ((weights_bn * mean_bn * (1 - mean_bn)) @ powers).T
            step = np.stack(
                [
                    h2 * gradient[:, 0] - h1 * gradient[:, 1],
                    h0 * gradient[:, 1] - h1 * gradient[:, 0],
                ],
                axis=1,
            )
            step /= (h0 * h2 - h1 * h1)[:, None]
            line_b2 = line_b2 + np.clip(step, -2, 2)
            if np.nanmax(np.abs(step), initial=0) < 1e-8:
                break
        found = (np.abs(step).max(axis=1) < 1e-6) & (np.abs(line_b2[:, 1]) < _STEEPEST)
    return np.where(found, line_b2[:, 1], np.nan)


def at_threshold(
    called_n: NDArray[np.bool_], positive_n: NDArray[np.bool_], weights_bn: Floats
) -> dict[str, Floats]:
    """`AT_THRESHOLD` of a yes or no a case; NaN where a denominator is zero."""
    tp, fn = weights_bn @ (called_n & positive_n), weights_bn @ (~called_n & positive_n)
    fp, tn = weights_bn @ (called_n & ~positive_n), weights_bn @ (~called_n & ~positive_n)
    total = weights_bn.sum(axis=1)
    with np.errstate(invalid="ignore"):
        found = (
            2 * tp / (2 * tp + fp + fn),
            tp / (tp + fn),
            tn / (tn + fp),
            tp / (tp + fp),
            (tp + tn) / total,
            100 * fp / total,
        )
    return dict(zip(AT_THRESHOLD, found, strict=True))


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
    scores_nl: Floats | None = None,
    points: Mapping[str, Floats] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Measure predictions against values of 1 and 0; any other value leaves the scan out.

    A threshold may be NaN: what needs a yes or a no is then undefined. `scores_nl` ranks where
    probabilities tie (default: the probabilities); `points` are further thresholds by name.
    """
    scores_nl = probability_nl if scores_nl is None else scores_nl
    weights_bn = bootstrap_weights(patients, resamples, seed)
    rows, per_label = [], []
    for index, label in enumerate(labels):
        known = (values_nl[:, index] == 0) | (values_nl[:, index] == 1)
        positive = values_nl[known, index] == 1
        probability = probability_nl[known, index].astype(np.float64)
        weights = weights_bn[:, known]
        samples = _measure(
            probability,
            scores_nl[known, index].astype(np.float64),
            positive,
            weights,
            float(thresholds_l[index]),
        )
        rows.append(samples)
        told = tells_intervals([p for p, k in zip(patients, known, strict=True) if k], positive)
        per_label.append(
            LabelMetrics(
                label,
                int(positive.sum()),
                int((~positive).sum()),
                {name: interval(samples[name], told=told) for name in MEASURES},
                {
                    point: {
                        name: interval(found, told=told)
                        for name, found in at_threshold(
                            probability >= thresholds[index], positive, weights
                        ).items()
                    }
                    for point, thresholds in (points or {}).items()
                    if np.isfinite(thresholds[index]) and len(positive)
                },
            )
        )
    two_classes = [bool(m.positives and m.negatives) for m in per_label]
    macro = {
        name: interval(
            mean_over_labels([r[name] for r, ok in zip(rows, two_classes, strict=True) if ok])
        )
        for name in MEASURES
    }
    left_out = tuple(m.label for m, ok in zip(per_label, two_classes, strict=True) if not ok)
    return Metrics(tuple(per_label), macro, len(patients), len(set(patients)), left_out)


def _measure(
    probability: Floats,
    score: Floats,
    positive: NDArray[np.bool_],
    weights: Floats,
    threshold: float,
) -> dict[str, Floats]:
    if not len(positive):
        return {name: np.full(len(weights), np.nan) for name in MEASURES}
    undefined = 1.0 if np.isfinite(threshold) else np.nan
    decided = at_threshold(probability >= threshold, positive, weights)
    with np.errstate(invalid="ignore"):
        return {
            "auroc": auroc(score, positive, weights),
            "ap": average_precision(score, positive, weights),
            **{name: found * undefined for name, found in decided.items()},
            "brier": weights @ (probability - positive) ** 2 / weights.sum(axis=1),
            "ece": _centred(expected_calibration_error(probability, positive, weights)),
            "slope": calibration_slope(probability, positive, weights),
        }


def _centred(samples: Floats) -> Floats:
    """Resamples moved so that they average to the estimate, at least 0.

    A calibration error is a sum of absolute gaps, and drawing scans twice widens every gap: as they
    come, all resamples may lie above the estimate, and it outside its own interval.
    """
    centred = samples + (samples[0] - samples[1:].mean()) if len(samples) > 1 else samples.copy()
    centred[0] = samples[0]
    return np.asarray(np.maximum(centred, 0.0))


def mean_over_labels(samples: list[Floats]) -> Floats:
    """The mean over labels of each bootstrap row, over those defined in it."""
    if not samples:
        return np.full(1, np.nan)
    stacked = np.stack(samples)
    defined = np.isfinite(stacked)
    counts = defined.sum(axis=0)
    return np.where(
        counts > 0, np.where(defined, stacked, 0).sum(axis=0) / np.maximum(counts, 1), np.nan
    )


def tells_intervals(patients: Sequence[str], positive_n: NDArray[np.bool_]) -> bool:
    """Whether a label's cases are of enough patients of both values to draw from.

    Of one positive every resample has that one: its interval would be certainty itself.

    >>> tells_intervals(["a", "b"] * 10, np.array([True, False] * 10))
    False
    """
    known = np.asarray(patients)
    values = (known[positive_n], known[~positive_n])
    return min(len(np.unique(of_value)) for of_value in values) >= MIN_INTERVAL_PATIENTS


def interval(samples: Floats, *, told: bool = True) -> Estimate:
    """The first sample as the estimate, percentiles of the others as the 95 % interval.

    No interval where it is not `told`, nor where it would be one point: resamples of a perfect
    score are all perfect, and say nothing of the next patient.
    """
    resampled = samples[1:][np.isfinite(samples[1:])]
    if not told or not np.isfinite(samples[0]) or not len(resampled) or not np.ptp(resampled):
        return Estimate(float(samples[0]), float("nan"), float("nan"))
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(float(samples[0]), float(low), float(high))
