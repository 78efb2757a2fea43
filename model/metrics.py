"""How good predictions are, label by label, with patient-level bootstrap intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from configs.contracts import Estimate
from model.measures import (
    AT_THRESHOLD,
    Floats,
    at_threshold,
    auroc,
    average_precision,
    calibration_slope,
    expected_calibration_error,
)

MEASURES = ("auroc", "ap", *AT_THRESHOLD, "brier", "ece", "slope")
MIN_INTERVAL_PATIENTS = 10
"""With fewer patients of either value a bootstrap cannot tell how far a figure may be off."""


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
    known = np.isfinite(samples)
    known[0] = False  # a draw may hold no case of the label at all, and then has no error
    if not known.any():
        return samples
    centred = samples + (samples[0] - samples[known].mean())
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
