"""Labels against gold: per-label figures with intervals, and two labelers against each other.

Everything is binary here; a convention says before what uncertain and blank become. Intervals are
percentile bootstrap intervals over whole reports (Efron & Tibshirani 1993, chapter 13): a report's
labels are not independent of each other, so reports are drawn, not cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.contracts import Estimate

RESAMPLES = 1000
_LEVEL = 95.0
_WEIGHTS_AT_ONCE = 20_000_000  # bounds memory: resamples x reports held at a time

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """How one label, or all of them, agree with gold."""

    support: int  # cells that are positive in gold
    predicted: int  # cells that are positive in the prediction
    precision: Estimate
    recall: Estimate
    f1: Estimate
    kappa: Estimate  # Cohen's


@dataclass(frozen=True, slots=True)
class Score:
    """Labels scored against gold.

    `macro` is the mean over the labels that occur in gold, `micro` counts all cells as one label.
    """

    reports: int
    by_label: dict[str, Figures]
    macro: Figures
    micro: Figures


@dataclass(frozen=True, slots=True)
class Comparison:
    """F1 of one labeler minus F1 of another on the same reports (paired resamples)."""

    by_label: dict[str, Estimate]
    macro: Estimate
    micro: Estimate


def score(
    predicted_rl: Bools,
    gold_rl: Bools,
    labels: Sequence[str],
    *,
    counted_rl: Bools | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Score:
    """Score a (reports x labels) prediction against gold of the same shape.

    Cells where `counted_rl` is False are left out. The same seed gives the same intervals.
    Raises ValueError when shapes differ or there is no report.
    """
    cells = _cells(predicted_rl, gold_rl, counted_rl)
    _check_shape(cells, labels)
    occurring = _occurring(cells)
    point = _figures(cells.sum(0)[None], occurring)
    drawn = [_figures(counts, occurring) for counts in _resampled(cells, resamples, seed)]
    estimates = {
        name: _estimates(point[name], np.concatenate([d[name] for d in drawn])) for name in point
    }
    totals = cells.sum(0)
    support, positive = totals[:, _TP] + totals[:, _FN], totals[:, _TP] + totals[:, _FP]

    def figures(column: int, support: int, positive: int) -> Figures:
        return Figures(int(support), int(positive), *(estimates[m][column] for m in _METRICS))

    return Score(
        reports=len(cells),
        by_label={
            name: figures(index, support[index], positive[index])
            for index, name in enumerate(labels)
        },
        macro=figures(-2, support.sum(), positive.sum()),
        micro=figures(-1, support.sum(), positive.sum()),
    )


def compare(
    one_rl: Bools,
    other_rl: Bools,
    gold_rl: Bools,
    labels: Sequence[str],
    *,
    counted_rl: Bools | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """The difference in F1 between two predictions of the same reports, `one` minus `other`."""
    pair = [_cells(predicted, gold_rl, counted_rl) for predicted in (one_rl, other_rl)]
    for cells in pair:
        _check_shape(cells, labels)
    occurring = _occurring(pair[0])
    points = [_figures(cells.sum(0)[None], occurring)["f1"] for cells in pair]
    draws = [
        np.concatenate([_figures(c, occurring)["f1"] for c in _resampled(cells, resamples, seed)])
        for cells in pair
    ]
    differences = _estimates(points[0] - points[1], draws[0] - draws[1])
    by_label = dict(zip(labels, differences[:-2], strict=True))
    return Comparison(by_label, macro=differences[-2], micro=differences[-1])


# A cell is one report's one label; the last axis of `cells` says which of four things it is.
_TP, _FP, _FN, _TN = range(4)
_METRICS = ("precision", "recall", "f1", "kappa")


def _cells(predicted_rl: Bools, gold_rl: Bools, counted_rl: Bools | None) -> NDArray[np.int64]:
    """One-hot (reports, labels, 4): true and false positive, false and true negative."""
    if predicted_rl.shape != gold_rl.shape:
        raise ValueError(f"prediction {predicted_rl.shape} and gold {gold_rl.shape} differ")
    counted = np.ones_like(gold_rl) if counted_rl is None else counted_rl
    kinds = (
        predicted_rl & gold_rl,
        predicted_rl & ~gold_rl,
        ~predicted_rl & gold_rl,
        ~predicted_rl & ~gold_rl,
    )
    return np.stack([kind & counted for kind in kinds], axis=-1).astype(np.int64)


def _occurring(cells: NDArray[np.int64]) -> Bools:
    """The labels (labels,) that are positive in gold at least once."""
    return np.asarray((cells[:, :, _TP] + cells[:, :, _FN]).sum(axis=0) > 0)


def _check_shape(cells: NDArray[np.int64], labels: Sequence[str]) -> None:
    if cells.shape[0] == 0 or cells.shape[1] != len(labels):
        raise ValueError(f"{cells.shape[0]} reports, {cells.shape[1]} columns, {len(labels)} names")


def _resampled(cells: NDArray[np.int64], resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Counts (resamples, labels, 4) of bootstrap resamples of the reports, in portions."""
    rng = np.random.default_rng(seed)
    reports, labels, kinds = cells.shape
    flat = cells.reshape(reports, labels * kinds).astype(np.float64)
    portion = max(1, min(resamples, _WEIGHTS_AT_ONCE // reports))
    share = np.full(reports, 1 / reports)
    for start in range(0, resamples, portion):
        size = min(portion, resamples - start)
        weights = rng.multinomial(reports, share, size=size).astype(np.float64)
        yield (weights @ flat).round().astype(np.int64).reshape(size, labels, kinds)


def _figures(counts: NDArray[np.int64], occurring: Bools) -> dict[str, Floats]:
    """Metrics (resamples, labels + 2) from counts (resamples, labels, 4); last macro and micro."""
    with_micro = np.concatenate([counts, counts.sum(1, keepdims=True)], axis=1).astype(np.float64)
    tp, fp, fn, tn = (with_micro[:, :, kind] for kind in range(4))
    total = tp + fp + fn + tn
    expected = _ratio((tp + fp) * (tp + fn) + (fn + tn) * (fp + tn), total**2)
    values = {
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "kappa": _ratio(_ratio(tp + tn, total) - expected, 1 - expected),
    }
    return {name: _with_macro(value, occurring) for name, value in values.items()}


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _with_macro(value: Floats, occurring: Bools) -> Floats:
    by_label, micro = value[:, :-1], value[:, -1:]
    kept = by_label[:, occurring]
    defined = ~np.isnan(kept)
    macro = _ratio(np.where(defined, kept, 0).sum(1), defined.sum(1).astype(np.float64))
    return np.concatenate([by_label, macro[:, None], micro], axis=1)


def _estimates(point: Floats, drawn: Floats) -> list[Estimate]:
    """One estimate a column, from the point (1, columns) and the resamples (resamples, columns)."""
    tail = (100 - _LEVEL) / 2
    estimates: list[Estimate] = []
    for value, column in zip(point[0], drawn.T, strict=True):
        defined = column[~np.isnan(column)]
        low, high = np.percentile(defined, (tail, 100 - tail)) if defined.size else (np.nan,) * 2
        estimates.append(Estimate(float(value), float(low), float(high)))
    return estimates
