"""Measures of probabilities against what is there, each for many resamples at once.

Every measure takes weights (one row per bootstrap sample, one column per case): a row of ones is
the plain estimate, a row of patients' draw counts a resample, so all resamples are one pass.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AT_THRESHOLD = ("f1", "sensitivity", "specificity", "ppv", "accuracy", "false_alarms_per_100")
"""The measures that need a yes or a no."""
_ECE_BINS = 10
_ROWS_AT_ONCE = 64
_NEWTON_STEPS = 25
_STEEPEST = 20.0


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
