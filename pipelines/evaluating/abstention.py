"""Risk and coverage: what is gained by not deciding the scans closest to the threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.evaluating.judged import Judged

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True, slots=True)
class Covered:
    """Of one label: the share of wrong decisions among the scans that are decided."""

    label: str
    coverage: float
    scans: int
    errors: int

    @property
    def risk(self) -> float:
        """Errors by decided scans."""
        return self.errors / self.scans


def covered(judged: Judged) -> tuple[Covered, ...]:
    """Every label with both values at every share of `COVERAGES`."""
    found = []
    for index, label in enumerate(judged.labels):
        wrong_n = wrong_by_confidence(judged, index)
        if wrong_n is None:
            continue
        for coverage in COVERAGES:
            scans = max(1, round(coverage * len(wrong_n)))
            found.append(Covered(label, coverage, scans, int(wrong_n[:scans].sum())))
    return tuple(found)


def mean_risk(judged: Judged, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over labels of the risk at each share of scans decided; empty without such labels."""
    curves = []
    for index in range(len(judged.labels)):
        wrong_n = wrong_by_confidence(judged, index)
        if wrong_n is not None:
            decided = np.maximum(1, np.round(shares * len(wrong_n)).astype(int))
            curves.append(np.cumsum(wrong_n)[decided - 1] / decided)
    return np.mean(curves, axis=0) if curves else np.empty(0)


def wrong_by_confidence(judged: Judged, label: int) -> NDArray[np.bool_] | None:
    """Whether each decision is wrong, surest first: by distance from the threshold in logits.

    None for a label of one value.
    """
    positive, _, probability = judged.case(label)
    if positive.all() or not positive.any():
        return None
    threshold = judged.calibrations[label].threshold
    distance = np.abs(_logit(probability) - _logit(np.array(threshold)))
    wrong = (probability >= threshold) != positive
    return np.asarray(wrong[np.argsort(-distance, kind="stable")])


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))
