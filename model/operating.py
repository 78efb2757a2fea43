"""Operating points: from which probability on a finding counts as present, and what that costs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_VALIDATED_POSITIVES = 50
"""Fewer positives on validation validate no threshold."""
SENSITIVITY = 0.95
"""What the `sensitive` point finds of the validation positives, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Present from `threshold` on, with the validation scans that this was fitted on."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def sensitivity(self) -> float:
        """The share of positives that are called."""
        return self.true_positives / (self.true_positives + self.false_negatives)

    @property
    def sensitivity_low(self) -> float:
        """Its lower bound: one-sided, 95 %, exact (Clopper and Pearson 1934), scans as independent.

        >>> round(OperatingPoint(0.1, 57, 40, 3, 100).sensitivity_low, 3)
        0.876
        """
        from scipy.stats import binomtest

        positives = self.true_positives + self.false_negatives
        found = binomtest(self.true_positives, positives, alternative="greater")
        return float(found.proportion_ci(0.95, method="exact").low)

    @property
    def specificity(self) -> float:
        """The share of negatives that are not called."""
        return self.true_negatives / (self.true_negatives + self.false_positives)

    @property
    def ppv(self) -> float:
        """The share of calls that are right; a point always calls something."""
        return self.true_positives / (self.true_positives + self.false_positives)

    @property
    def false_alarms_per_100(self) -> float:
        """Scans called wrongly, of 100 scans of all kinds."""
        scans = (
            self.true_positives + self.false_positives + self.false_negatives + self.true_negatives
        )
        return 100 * self.false_positives / scans


def operating_point(
    threshold: float, probability_n: Floats, positive_n: NDArray[np.bool_]
) -> OperatingPoint:
    """The point at a threshold, counted on these scans (both classes, something called)."""
    called = probability_n >= threshold
    return OperatingPoint(
        threshold,
        int((called & positive_n).sum()),
        int((called & ~positive_n).sum()),
        int((~called & positive_n).sum()),
        int((~called & ~positive_n).sum()),
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
    return _below(float(ranked[np.argmax(f1)]), probability_n)


def sensitive_threshold(
    probability_n: Floats, positive_n: NDArray[np.bool_], sensitivity: float = SENSITIVITY
) -> float:
    """The highest threshold that still calls a share `sensitivity` of the positives.

    >>> scores = np.array([0.1, 0.3, 0.6, 0.9])
    >>> sensitive_threshold(scores, np.array([False, True, False, True]), 0.95)
    0.2
    """
    positives = np.sort(probability_n[positive_n])[::-1]
    needed = int(np.ceil(sensitivity * len(positives) - 1e-9))
    return _below(float(positives[needed - 1]), probability_n)


def _below(lowest_called: float, probability_n: Floats) -> float:
    """Half-way to the next score below, so that rounding parts nothing else."""
    others = probability_n[probability_n < lowest_called]
    return (lowest_called + (float(others.max()) if len(others) else 0.0)) / 2
