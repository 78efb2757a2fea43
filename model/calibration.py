"""From logits to probabilities and to yes or no, fitted on the validation split alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from model.operating import (
    MIN_VALIDATED_POSITIVES,
    SENSITIVITY,
    OperatingPoint,
    best_f1_threshold,
    operating_point,
    sensitive_threshold,
)

Floats = NDArray[np.float64]

MIN_POSITIVES = 10
"""Fewer positives or negatives than this on validation: said wherever a probability is shown."""
MIN_ISOTONIC = 50
"""Fewer positives or negatives than this, and a step in the curve would be a case or two."""
FOLDS = 5


MIN_BIN_SCANS = 20
"""Fewer scans than this in a reliability bin would count noise."""
MOST_BINS = 10


class CalibrationState(StrEnum):
    """How far a label's probabilities can be trusted."""

    FITTED = "fitted"  # on at least MIN_POSITIVES positives and as many negatives
    FEW_CASES = "few_cases"  # on fewer: the slope leans on 1, the threshold is a guess
    NONE = "none"  # validation held one class only: the logit's plain sigmoid, threshold 1/2


class CalibrationMethod(StrEnum):
    """The form of the curve."""

    PLATT = "platt"
    ISOTONIC = "isotonic"


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The validation scans scored from `low` up to `high`, and those whose report said so."""

    low: float
    high: float
    scans: int
    positives: int


@dataclass(frozen=True, slots=True)
class Knot:
    """A point that an isotonic curve goes through."""

    logit: float
    probability: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """probability = sigmoid(slope * logit + intercept), or the line through `knots`.

    `threshold` sorts findings into lists. It is the balanced point's where that was validated,
    else a guess from the few positives there were: `validated` tells.
    """

    state: CalibrationState
    slope: float
    intercept: float
    threshold: float
    positives: int
    negatives: int
    bins: tuple[ReliabilityBin, ...] = ()
    """From 0 to 1 without gaps; empty where there were few cases, and in older bundles."""
    knots: tuple[Knot, ...] = ()
    """Of an isotonic curve, by rising logit; level beyond its ends. Empty for Platt's."""
    balanced: OperatingPoint | None = None
    """The point of best F1; None with fewer than `MIN_VALIDATED_POSITIVES` positives."""
    sensitive: OperatingPoint | None = None
    """The point that finds nearly all positives; None as above."""

    def __post_init__(self) -> None:
        steps = [(knot.logit, knot.probability) for knot in self.knots]
        if any(a >= c or b > d for (a, b), (c, d) in pairwise(steps)):
            raise ValueError("knots must rise")
        if not all(0 <= probability <= 1 for _, probability in steps):
            raise ValueError("probabilities lie between 0 and 1")
        if not 0 <= self.threshold <= 1:
            raise ValueError("a threshold lies between 0 and 1")

    @property
    def method(self) -> CalibrationMethod:
        """Platt's sigmoid or an isotonic curve."""
        return CalibrationMethod.ISOTONIC if self.knots else CalibrationMethod.PLATT

    @property
    def validated(self) -> bool:
        """True when `threshold` rests on enough positives to be called an operating point."""
        return self.balanced is not None

    def alike(self, probability: float) -> ReliabilityBin | None:
        """The bin that a probability falls into."""
        within = (found for found in self.bins if probability < found.high)
        return next(within, self.bins[-1] if self.bins else None)

    def probability(self, logit: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities of logits of any shape."""
        logits = np.asarray(logit, dtype=np.float64)
        if self.knots:
            return _through(self.knots, logits).astype(np.float32)
        return _sigmoid(self.slope * logits + self.intercept).astype(np.float32)


UNCALIBRATED = Calibration(CalibrationState.NONE, 1.0, 0.0, 0.5, 0, 0)


def fit_calibration(
    logits_n: Floats,
    positive_n: NDArray[np.bool_],
    patients: Sequence[str] | None = None,
    *,
    sensitivity: float = SENSITIVITY,
) -> Calibration:
    """The curve, the operating points and the reliability counts of one label.

    Platt's sigmoid, unless an isotonic curve has the lower log loss on patients that were left
    out, by more than its standard error. Without `patients` every row is a patient of its own.
    """
    positives, negatives = int(positive_n.sum()), int((~positive_n).sum())
    if not positives or not negatives:
        return Calibration(CalibrationState.NONE, 1.0, 0.0, 0.5, positives, negatives)
    slope, intercept = fit_sigmoid(logits_n, positive_n)
    few = min(positives, negatives) < MIN_POSITIVES
    knots: tuple[Knot, ...] = ()
    if min(positives, negatives) >= MIN_ISOTONIC and isotonic_wins(logits_n, positive_n, patients):
        knots = fit_isotonic(logits_n, positive_n)
    curve = Calibration(
        CalibrationState.FEW_CASES if few else CalibrationState.FITTED,
        slope,
        intercept,
        0.5,
        positives,
        negatives,
        knots=knots,
    )
    probability_n = curve.probability(logits_n).astype(np.float64)
    threshold = best_f1_threshold(probability_n, positive_n)
    balanced = sensitive = None
    if positives >= MIN_VALIDATED_POSITIVES:
        balanced = operating_point(threshold, probability_n, positive_n)
        lower = sensitive_threshold(probability_n, positive_n, sensitivity)
        sensitive = operating_point(lower, probability_n, positive_n)
    bins = () if few else reliability_bins(probability_n, positive_n)
    return Calibration(
        curve.state,
        slope,
        intercept,
        threshold,
        positives,
        negatives,
        bins,
        knots,
        balanced,
        sensitive,
    )


def fit_calibrations(
    logits_nl: NDArray[np.floating],
    values_nl: NDArray[np.int8],
    patients: Sequence[str],
    *,
    sensitivity: float = SENSITIVITY,
) -> tuple[Calibration, ...]:
    """Each label's calibration from scans' values of 1 and 0; a scan of another value stays out."""
    found = []
    for logits, values in zip(logits_nl.T.astype(np.float64), values_nl.T, strict=True):
        known = (values == 0) | (values == 1)
        known_patients = np.asarray(patients)[known].tolist()
        found.append(
            fit_calibration(
                logits[known], values[known] == 1, known_patients, sensitivity=sensitivity
            )
        )
    return tuple(found)


def fit_sigmoid(
    logits_n: Floats, positive_n: NDArray[np.bool_], log_slope_spread: float = 0.5
) -> tuple[float, float]:
    """Slope and intercept of Platt's sigmoid (Platt 1999, with his smoothed targets).

    A prior holds the slope's logarithm near 0 (standard deviation `log_slope_spread`), so that a
    handful of cases shifts the intercept and hardly touches the slope.
    """
    from scipy.optimize import minimize  # slow to import, and only who fits needs it

    target = _smoothed(positive_n)

    def loss(parameters: Floats) -> float:
        log_slope, intercept = parameters
        z = np.exp(log_slope) * logits_n + intercept
        cross_entropy = np.logaddexp(0, z) - target * z
        return float(cross_entropy.sum() + 0.5 * (log_slope / log_slope_spread) ** 2)

    prevalence = np.log((positive_n.sum() + 1) / ((~positive_n).sum() + 1))
    found = minimize(loss, np.array([0.0, prevalence - logits_n.mean()]), method="L-BFGS-B")
    return float(np.exp(found.x[0])), float(found.x[1])


def fit_isotonic(logits_n: Floats, positive_n: NDArray[np.bool_]) -> tuple[Knot, ...]:
    """A rising curve (Zadrozny and Elkan 2002): the centres of its steps, joined by lines.

    Joined, so that scans within a step are still told apart. Targets are smoothed as Platt's are,
    so that no probability is 0 or 1.
    """
    from sklearn.isotonic import isotonic_regression  # slow to import, and only who fits needs it

    at, place_n, count = np.unique(logits_n, return_inverse=True, return_counts=True)
    target = np.bincount(place_n, _smoothed(positive_n)) / count
    fitted = isotonic_regression(target, sample_weight=count)
    level, step = np.unique(np.round(fitted, 12), return_inverse=True)
    centre = np.bincount(step, at * count) / np.bincount(step, count)
    return tuple(Knot(float(x), float(y)) for x, y in zip(centre, level, strict=True))


def isotonic_wins(
    logits_n: Floats, positive_n: NDArray[np.bool_], patients: Sequence[str] | None = None
) -> bool:
    """Whether left-out patients' log loss is lower by more than its standard error."""
    patient_n = np.arange(len(logits_n))
    if patients is not None:
        _, patient_n = np.unique(np.asarray(patients), return_inverse=True)
    count = int(patient_n.max()) + 1
    fold_n = (np.random.default_rng(0).permutation(count) % FOLDS)[patient_n]
    gain_n = np.zeros(len(logits_n))
    for fold in range(FOLDS):
        held, rest = fold_n == fold, fold_n != fold
        if not held.any() or not rest.any():
            return False
        slope, intercept = fit_sigmoid(logits_n[rest], positive_n[rest])
        knots = fit_isotonic(logits_n[rest], positive_n[rest])
        platt = _sigmoid(slope * logits_n[held] + intercept)
        isotonic = _through(knots, logits_n[held])
        gain_n[held] = _log_loss(platt, positive_n[held]) - _log_loss(isotonic, positive_n[held])
    gain_of_patient = np.bincount(patient_n, gain_n)
    error = gain_of_patient.std(ddof=1) * np.sqrt(count)
    return bool(gain_of_patient.sum() > error)


def _smoothed(positive_n: NDArray[np.bool_]) -> Floats:
    positives, negatives = int(positive_n.sum()), int((~positive_n).sum())
    return np.where(positive_n, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -60, 60))))


def _through(knots: Sequence[Knot], logits: Floats) -> Floats:
    return np.asarray(
        np.interp(logits, [k.logit for k in knots], [k.probability for k in knots]), np.float64
    )


def _log_loss(probability_n: Floats, positive_n: NDArray[np.bool_]) -> Floats:
    right_n = np.where(positive_n, probability_n, 1 - probability_n)
    return np.asarray(-np.log(np.clip(right_n, 1e-9, 1)), np.float64)


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
