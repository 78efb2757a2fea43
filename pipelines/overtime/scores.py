"""How a score moved between studies, and how much of that is noise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from pipelines.overtime.content import (
    Reconstruction,
    Repeatability,
    ScoreChange,
    Study,
    Trace,
    Verdict,
)
from pipelines.rendering.content import Finding

_STEP_RATIO = 1.25
_REPEATABILITY = 1.96  # times sqrt(2) of the spread within a study: 95 % of repeats differ less
_MOST_CERTAIN = 1e-6


@dataclass(frozen=True, slots=True)
class Scored:
    """A reconstruction with its findings by label, and the kernel as its header has it."""

    shown: Reconstruction
    findings: Mapping[str, Finding]
    kernel: str


StudyScores = Sequence[Scored]
"""The reconstructions of one study that were read, the best for reading a chest first."""


def logit(probability: float) -> float:
    """The calibrated logit, of a probability kept off 0 and 1."""
    inside = min(max(probability, _MOST_CERTAIN), 1 - _MOST_CERTAIN)
    return math.log(inside / (1 - inside))


def differences(before: Scored, after: Scored) -> tuple[str, ...]:
    """What makes two reconstructions' scores not comparable; empty where nothing known does."""
    found = []
    if before.kernel.casefold() != after.kernel.casefold():
        names = (before.shown.scan.kernel or "not told", after.shown.scan.kernel or "not told")
        found.append(f"kernel {names[0]}, then {names[1]}")
    first, then = before.shown.step_mm, after.shown.step_mm
    if first and then and max(first, then) > _STEP_RATIO * min(first, then):
        found.append(f"slices every {first:.3g} mm, then {then:.3g} mm")
    contrast = (before.shown.scan.contrast, after.shown.scan.contrast)
    if None not in contrast and contrast[0] != contrast[1]:
        found.append("contrast, then none" if contrast[0] else "no contrast, then contrast")
    return tuple(found)


def spread(studies: Sequence[StudyScores], labels: Sequence[str]) -> dict[str, list[float]]:
    """By label, the logit differences between reconstructions of one and the same study."""
    pairs = [pair for study in studies for pair in combinations(study, 2)]
    return {label: [_difference(label, *pair) for pair in pairs] for label in labels}


def repeatability(differences_: Sequence[float]) -> float:
    """The coefficient that 95 % of differences between repeats stay below.

    Bland and Altman 1996, BMJ 313:744: 1.96 times the root mean square of the differences.

    >>> repeatability([1.0, -1.0])
    1.96
    """
    return _REPEATABILITY * float(np.sqrt(np.mean(np.square(differences_))))


def traces(
    studies: Sequence[Study], scores: Sequence[StudyScores], names: Mapping[str, Finding]
) -> tuple[tuple[Trace, ...], Repeatability | None]:
    """Every label over the studies, with each change between neighbouring studies that were read.

    A label's noise is its own coefficient or that of all labels together, whichever is larger:
    from one or two pairs its own may be small by chance. `names` has a finding for each label.
    """
    found = spread(scores, list(names))
    pairs = len(next(iter(found.values()), []))
    overall = repeatability([d for each in found.values() for d in each]) if pairs else None
    traced = tuple(
        _trace(
            finding,
            studies,
            scores,
            None if overall is None else max(overall, repeatability(found[label])),
        )
        for label, finding in names.items()
    )
    known = None if overall is None else Repeatability(pairs=pairs, logits=overall)
    return traced, known


def _trace(
    finding: Finding, studies: Sequence[Study], scores: Sequence[StudyScores], noise: float | None
) -> Trace:
    read = [number for number, of_study in enumerate(scores) if of_study]
    return Trace(
        label=finding.label,
        name=finding.name,
        group=finding.group,
        calibrated=finding.calibrated,
        probabilities=tuple(
            of_study[0].findings[finding.label].probability if of_study else None
            for of_study in scores
        ),
        reconstructions=tuple(
            tuple(_probability(finding.label, one, of_study) for one in study.reconstructions)
            for study, of_study in zip(studies, scores, strict=True)
        ),
        noise=noise,
        changes=tuple(
            _change(
                finding.label, (studies[a].number, studies[b].number), scores[a], scores[b], noise
            )
            for a, b in pairwise(read)
        ),
    )


def _probability(label: str, one: Reconstruction, of_study: StudyScores) -> float | None:
    found = (scored.findings[label] for scored in of_study if scored.shown is one)
    return next((finding.probability for finding in found), None)


def _change(
    label: str, numbers: tuple[int, int], before: StudyScores, after: StudyScores,
    noise: float | None,
) -> ScoreChange:  # fmt: skip
    pairs = [(a, b, differences(a, b)) for a in before for b in after]
    first, then, why = min(pairs, key=lambda pair: len(pair[2]))
    moved = _difference(label, first, then)
    return ScoreChange(
        before=numbers[0],
        after=numbers[1],
        series_before=first.shown.scan.series,
        series_after=then.shown.scan.series,
        difference=moved,
        verdict=verdict(moved, noise, comparable=not why),
        why=why,
    )


def verdict(moved: float, noise: float | None, *, comparable: bool) -> Verdict:
    """What may be said of a difference.

    >>> [verdict(d, n, comparable=True).value for d, n in ((2, 1), (-2, 1), (0.5, 1), (9, None))]
    ['higher', 'lower', 'within_noise', 'noise_not_known']
    >>> verdict(9, 1, comparable=False).value
    'not_comparable'
    """
    if not comparable:
        return Verdict.NOT_COMPARABLE
    if noise is None:
        return Verdict.NOISE_NOT_KNOWN
    if abs(moved) <= noise:
        return Verdict.WITHIN_NOISE
    return Verdict.HIGHER if moved > 0 else Verdict.LOWER


def _difference(label: str, before: Scored, after: Scored) -> float:
    return logit(after.findings[label].probability) - logit(before.findings[label].probability)
