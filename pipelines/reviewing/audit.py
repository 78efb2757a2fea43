"""What an audit says of an archive's labels: weighted precision and recall, and readers' kappa.

How many reports the archive gives a label (N1) and how many not (N0) is known. The share p of the
first that readers confirm, and the share q of the others in which they find it, are estimated from
the weighted draw: precision = p, recall = N1 p / (N1 p + N0 q). Intervals are from Jeffreys
posteriors of p and q on Kish's effective number of draws (Kish 1965; Brown, Cai & DasGupta 2001).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.contracts import Estimate
from labeler import scoring

_POSTERIOR_DRAWS = 10_000
_LEVEL = 95.0

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelAudit:
    """One label, or the mean of all."""

    archive: int
    """Reports of the archive that have it."""
    drawn: int
    """Of them, how many were judged."""
    found: int
    """Judged reports in which readers find it."""
    precision: Estimate
    recall: Estimate
    f1: Estimate
    prevalence: Estimate
    """Share of the archive's reports that have it, by the readers."""
    kappa: Estimate | None
    """Between the two readers, before adjudication, on the reports drawn (Cohen)."""


@dataclass(frozen=True, slots=True)
class Audit:
    """An archive's labels against readers."""

    reports: int
    judged: int
    open_cells: int
    """Labels of reports that wait for adjudication, and do not count."""
    by_label: Mapping[str, LabelAudit]
    macro: LabelAudit
    """The mean over labels that were judged where the archive has them, and found at least once."""


def audit(
    predicted_dl: Bools,
    gold_dl: Floats,
    weight_d: Floats,
    archive_l: Sequence[int],
    reports: int,
    labels: Sequence[str],
    readers: tuple[Bools, Bools] | None = None,
    seed: int = 0,
) -> Audit:
    """Audit drawn reports (d) and labels (l); `gold_dl` is 1, 0, or NaN where it is open."""
    rng = np.random.default_rng(seed)
    kappas: Mapping[str, Estimate] = {}
    macro_kappa = None
    if readers is not None and len(readers[0]):
        agreed = scoring.score(*readers, labels, seed=seed)
        kappas = {name: figures.kappa for name, figures in agreed.by_label.items()}
        macro_kappa = agreed.macro.kappa
    by_label: dict[str, LabelAudit] = {}
    for number, name in enumerate(labels):
        known_d = ~np.isnan(gold_dl[:, number])
        said_d, true_d = predicted_dl[known_d, number], gold_dl[known_d, number] == 1
        inside = _Share.of(true_d[said_d], weight_d[known_d][said_d])
        outside = _Share.of(true_d[~said_d], weight_d[known_d][~said_d])
        has = int(archive_l[number])
        point = _figures(np.array([inside.value]), np.array([outside.value]), has, reports)
        posterior = _figures(inside.posterior(rng), outside.posterior(rng), has, reports)
        by_label[name] = _row(
            (has, int(said_d.sum()), int(true_d.sum())),
            _estimates(point, posterior),
            kappas.get(name),
        )
    return Audit(
        reports,
        len(gold_dl),
        int(np.isnan(gold_dl).sum()),
        by_label,
        _macro(by_label, macro_kappa),
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """A weighted share of draws, and how many equally weighted draws it is worth."""

    value: float
    effective: float

    @classmethod
    def of(cls, true_d: Bools, weight_d: Floats) -> "_Share":
        if not len(true_d):
            return cls(np.nan, 0.0)
        total = weight_d.sum()
        return cls(float(weight_d[true_d].sum() / total), float(total**2 / (weight_d**2).sum()))

    def posterior(self, rng: np.random.Generator) -> Floats:
        """Draws from the Jeffreys posterior; from its prior where nothing was judged."""
        successes = self.value * self.effective if self.effective else 0.0
        failures = self.effective - successes
        return rng.beta(successes + 0.5, failures + 0.5, _POSTERIOR_DRAWS)


def _figures(inside_n: Floats, outside_n: Floats, has: int, reports: int) -> Floats:
    """Precision, recall, F1, prevalence (4, n); NaN where not defined."""
    confirmed_n = has * inside_n if has else np.zeros_like(outside_n)
    missed_n = (reports - has) * outside_n if has < reports else np.zeros_like(inside_n)
    true_n = confirmed_n + missed_n
    with np.errstate(invalid="ignore", divide="ignore"):
        recall_n = np.where(true_n > 0, confirmed_n / true_n, np.nan)
        f1_n = np.where(has + true_n > 0, 2 * confirmed_n / (has + true_n), np.nan)
    precision_n = inside_n if has else np.full_like(outside_n, np.nan)
    return np.stack([precision_n, recall_n, f1_n, true_n / reports])


def _estimates(point: Floats, posterior: Floats) -> list[Estimate]:
    tail = (100 - _LEVEL) / 2
    estimates: list[Estimate] = []
    for value, drawn in zip(point[:, 0], posterior, strict=True):
        defined = drawn[~np.isnan(drawn)]
        low, high = np.percentile(defined, (tail, 100 - tail)) if defined.size else (np.nan,) * 2
        # A share of all or none lies outside the middle of its posterior.
        bounds = min(low, value), max(high, value)
        estimates.append(Estimate(float(value), float(bounds[0]), float(bounds[1])))
    return estimates


def _macro(by_label: Mapping[str, LabelAudit], kappa: Estimate | None) -> LabelAudit:
    counted = [one for one in by_label.values() if one.drawn and one.found]
    estimates = [
        _mean([getattr(one, name) for one in counted])
        for name in ("precision", "recall", "f1", "prevalence")
    ]
    counts = [(one.archive, one.drawn, one.found) for one in by_label.values()]
    archive, drawn, found = (sum(column) for column in zip(*counts, strict=True))
    return _row((archive, drawn, found), estimates, kappa)


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of estimates, with limits recovered from theirs (MOVER, Zou & Donner 2008).

    It takes them as independent. A mean of posteriors would add up what each leans to the middle.
    """
    if not estimates:
        return Estimate(np.nan, np.nan, np.nan)
    value_n, low_n, high_n = np.array([(one.value, one.low, one.high) for one in estimates]).T
    below, above = (np.linalg.norm(value_n - bound_n) for bound_n in (low_n, high_n))
    value = float(value_n.mean())
    return Estimate(
        value, value - float(below) / len(estimates), value + float(above) / len(estimates)
    )


def _row(
    counts: tuple[int, int, int], estimates: Sequence[Estimate], kappa: Estimate | None
) -> LabelAudit:
    precision, recall, f1, prevalence = estimates
    return LabelAudit(*counts, precision, recall, f1, prevalence, kappa)
