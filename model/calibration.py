"""From logits to probabilities and to yes or no, fitted on the validation split alone."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

MIN_POSITIVES = 10
"""Fewer positives or negatives than this on validation: said wherever a probability is shown."""


MIN_BIN_SCANS = 20
"""Fewer scans than this in a reliability bin would count noise."""
MOST_BINS = 10


class CalibrationState(StrEnum):
    """How far a label's probabilities can be trusted."""

    FITTED = "fitted"  # on at least MIN_POSITIVES positives and as many negatives
    FEW_CASES = "few_cases"  # on fewer: the slope leans on 1, the threshold is a guess
    NONE = "none"  # validation held one class only: the logit's plain sigmoid, threshold 1/2


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The validation scans scored from `low` up to `high`, and those whose report said so."""

    low: float
    high: float
    scans: int
    positives: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """probability = sigmoid(slope * logit + intercept); present from `threshold` on."""

    state: CalibrationState
    slope: float
    intercept: float
    threshold: float
    positives: int
    negatives: int
    bins: tuple[ReliabilityBin, ...] = ()
    """From 0 to 1 without gaps; empty where there were few cases, and in older bundles."""

    def alike(self, probability: float) -> ReliabilityBin | None:
        """The bin that a probability falls into."""
        within = (found for found in self.bins if probability < found.high)
        return next(within, self.bins[-1] if self.bins else None)

    def probability(self, logit: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities of logits of any shape."""
        scaled = self.slope * np.asarray(logit, dtype=np.float64) + self.intercept
        return (1 / (1 + np.exp(-np.clip(scaled, -60, 60)))).astype(np.float32)


UNCALIBRATED = Calibration(CalibrationState.NONE, 1.0, 0.0, 0.5, 0, 0)


def fit_calibration(
    logits_n: Floats, positive_n: NDArray[np.bool_], log_slope_spread: float = 0.5
) -> Calibration:
    """Platt's sigmoid (Platt 1999, with his smoothed targets) and the threshold of best F1.

    A prior holds the slope's logarithm near 0 (standard deviation `log_slope_spread`), so that a
    handful of cases shifts the intercept and hardly touches the slope.
    """
    positives, negatives = int(positive_n.sum()), int((~positive_n).sum())
    if not positives or not negatives:
        return Calibration(CalibrationState.NONE, 1.0, 0.0, 0.5, positives, negatives)
    target = np.where(positive_n, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: Floats) -> float:
        log_slope, intercept = parameters
        z = np.exp(log_slope) * logits_n + intercept
        cross_entropy = np.logaddexp(0, z) - target * z
        return float(cross_entropy.sum() + 0.5 * (log_slope / log_slope_spread) ** 2)

    prevalence = np.log((positives + 1) / (negatives + 1))
    found = minimize(loss, np.array([0.0, prevalence - logits_n.mean()]), method="L-BFGS-B")
    slope, intercept = float(np.exp(found.x[0])), float(found.x[1])
    few = min(positives, negatives) < MIN_POSITIVES
    state = CalibrationState.FEW_CASES if few else CalibrationState.FITTED
    fitted = Calibration(state, slope, intercept, 0.5, positives, negatives)
    probability_n = fitted.probability(logits_n).astype(np.float64)
    threshold = best_f1_threshold(probability_n, positive_n)
    bins = () if few else reliability_bins(probability_n, positive_n)
    return Calibration(state, slope, intercept, threshold, positives, negatives, bins)


def reliability_bins(
    probability_n: Floats, positive_n: NDArray[np.bool_]
) -> tuple[ReliabilityBin, ...]:
    """Bins of about equally many scans, at least `MIN_BIN_SCANS` each; equal scores stay together.

    >>> scores = np.linspace(0, 1, 40)
    >>> [(found.scans, found.positives) for found in reliability_bins(scores, scores > 0.5)]
    [(20, 0), (20, 20)]
    """
    order = np.argsort(probability_n, kind="stable")
    ranked, hits = probability_n[order], positive_n[order]
    count = int(np.clip(len(ranked) // MIN_BIN_SCANS, 1, MOST_BINS))
    cuts = [round(len(ranked) * part / count) for part in range(1, count)]
    firsts = sorted({int(np.searchsorted(ranked, ranked[cut])) for cut in cuts} - {0})
    edges = [0.0, *(float(ranked[at - 1 : at + 1].mean()) for at in firsts), 1.0]
    parts = np.split(hits, firsts)
    return tuple(
        ReliabilityBin(low, high, len(part), int(part.sum()))
        for low, high, part in zip(edges[:-1], edges[1:], parts, strict=True)
    )


def best_f1_threshold(probability_n: Floats, positive_n: NDArray[np.bool_]) -> float:
    """The threshold of highest F1: half-way between the last case called and the next one.

    >>> best_f1_threshold(np.array([0.1, 0.2, 0.6, 0.9]), np.array([False, False, True, True]))
    0.4
    """
    order = np.argsort(-probability_n, kind="stable")
    ranked, hits = probability_n[order], positive_n[order]
    called = np.arange(1, len(ranked) + 1)
    f1 = 2 * np.cumsum(hits) / (called + hits.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # a threshold cannot part equal scores
    best = int(np.argmax(f1))
    following = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + following) / 2)
