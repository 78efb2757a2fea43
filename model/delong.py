"""Whether two scores of the same cases differ in their ROC areas by more than chance.

DeLong, DeLong and Clarke-Pearson 1988, by the midranks of Sun and Xu 2014.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """First area less second, its standard error, and the two-sided p of no difference."""

    difference: float
    error: float
    p: float


def delong(first_n: Floats, second_n: Floats, positive_n: NDArray[np.bool_]) -> AreaDifference:
    """Compare two scores of independent cases; NaN with fewer than two cases of either class.

    >>> positive = np.array([False, False, False, True, True, True])
    >>> score = np.array([0.1, 0.4, 0.3, 0.35, 0.8, 0.9])
    >>> delong(score, score, positive)
    AreaDifference(difference=0.0, error=0.0, p=1.0)
    """
    positives, negatives = int(positive_n.sum()), int((~positive_n).sum())
    if min(positives, negatives) < 2:
        return AreaDifference(float("nan"), float("nan"), float("nan"))
    of_positive, of_negative = [], []
    for score_n in (first_n, second_n):
        inside, outside = score_n[positive_n], score_n[~positive_n]
        rank = rankdata(np.concatenate([inside, outside]))
        of_positive.append((rank[:positives] - rankdata(inside)) / negatives)
        of_negative.append(1 - (rank[positives:] - rankdata(outside)) / positives)
    gap_p, gap_n = of_positive[0] - of_positive[1], of_negative[0] - of_negative[1]
    difference = float(gap_p.mean())
    error = float(np.sqrt(gap_p.var(ddof=1) / positives + gap_n.var(ddof=1) / negatives))
    if error == 0:
        return AreaDifference(difference, error, 1.0 if difference == 0 else 0.0)
    return AreaDifference(difference, error, float(2 * norm.sf(abs(difference) / error)))
