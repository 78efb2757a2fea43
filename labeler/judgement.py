"""What cues add up to: a mention's existence, time, change, experiencer, assessability."""

from typing import NamedTuple

from configs.contracts import Assessability, Change, Existence, Experiencer, Temporality
from configs.cue import Direction, Meaning, Scope
from labeler.cues import FoundCue

_CHANGES = {
    Meaning.NEW: Change.NEW,
    Meaning.RESOLVED: Change.RESOLVED,
    Meaning.LARGER: Change.LARGER,
    Meaning.SMALLER: Change.SMALLER,
    Meaning.STABLE: Change.STABLE,
}
_BY_STRENGTH = (
    (Meaning.ABSENT, Existence.ABSENT),
    (Meaning.NEW, Existence.PRESENT),
    (Meaning.RESOLVED, Existence.ABSENT),
    (Meaning.UNCERTAIN, Existence.UNCERTAIN),
    (Meaning.PRESENT, Existence.PRESENT),
)
_OUTWEIGH_PRIOR = frozenset({Meaning.CURRENT, Meaning.STABLE, Meaning.NEW})


class Judgement(NamedTuple):
    """The context of one mention."""

    existence: Existence
    temporality: Temporality
    change: Change | None
    hypothetical: bool
    experiencer: Experiencer
    assessability: Assessability
    cue: str | None


PLAIN = Judgement(
    Existence.PRESENT,
    Temporality.CURRENT,
    None,
    False,
    Experiencer.PATIENT,
    Assessability.FULL,
    None,
)


def judge(text: str, governing: list[FoundCue], *, question: bool) -> Judgement:
    """The context that cues give a mention; `question` where a question mark asks for it."""
    by_meaning: dict[Meaning, FoundCue] = {}
    for found in governing:
        by_meaning.setdefault(found.item.means, found)
    existence, decider = _existence(by_meaning, governing)
    if existence is Existence.PRESENT and question:
        existence, decider = Existence.UNCERTAIN, None
    assessability = Assessability.FULL
    if Meaning.UNASSESSABLE in by_meaning and decider is None:
        assessability, existence = Assessability.NONE, Existence.UNCERTAIN
        decider = by_meaning[Meaning.UNASSESSABLE]
    elif Meaning.LIMITED in by_meaning:
        assessability = Assessability.LIMITED
    is_prior = (
        Meaning.PRIOR in by_meaning
        and _OUTWEIGH_PRIOR.isdisjoint(by_meaning)
        and existence is not Existence.ABSENT
        and not _affirmed_after(by_meaning[Meaning.PRIOR], governing)
    )
    if is_prior:
        decider = by_meaning[Meaning.PRIOR]
    undecided = "?" if existence is Existence.UNCERTAIN else None
    changes = [means for means in by_meaning if means in _CHANGES]
    change = _CHANGES[min(changes)] if changes else None
    return Judgement(
        existence,
        Temporality.PRIOR if is_prior else Temporality.CURRENT,
        change,
        Meaning.HYPOTHETICAL in by_meaning,
        Experiencer.OTHER if Meaning.OTHER_PERSON in by_meaning else Experiencer.PATIENT,
        assessability,
        text[decider.start : decider.end] if decider else undecided,
    )


def _existence(
    by_meaning: dict[Meaning, FoundCue], governing: list[FoundCue]
) -> tuple[Existence, FoundCue | None]:
    """The existence that the strongest cue gives, and that cue."""
    if Meaning.PRESENT in by_meaning:
        for found in governing:
            if found.item.means is Meaning.PRESENT and found.item.scope is Scope.PART:
                return Existence.PRESENT, found  # "except ..."
    for means, existence in _BY_STRENGTH:
        if means in by_meaning:
            return existence, by_meaning[means]
    return Existence.PRESENT, None


def _affirmed_after(prior: FoundCue, governing: list[FoundCue]) -> bool:
    """Whether it goes on: "which was seen in the previous examination, is observed in ..."."""
    return prior.item.direction is Direction.BEFORE and any(
        found.item.means is Meaning.PRESENT and found.start >= prior.end for found in governing
    )
