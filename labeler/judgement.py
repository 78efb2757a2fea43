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
# Members by names of their own: reading them off their enum takes ten times as long.
_IS_PRESENT = Existence.PRESENT
_IS_ABSENT = Existence.ABSENT
_IS_UNCERTAIN = Existence.UNCERTAIN
_PRESENT = Meaning.PRESENT
_PRIOR = Meaning.PRIOR
_HYPOTHETICAL = Meaning.HYPOTHETICAL
_OTHER_PERSON = Meaning.OTHER_PERSON
_UNASSESSABLE = Meaning.UNASSESSABLE
_LIMITED = Meaning.LIMITED
_CURRENT_TIME = Temporality.CURRENT
_PRIOR_TIME = Temporality.PRIOR
_PATIENT = Experiencer.PATIENT
_OTHER = Experiencer.OTHER
_FULLY = Assessability.FULL
_PARTLY = Assessability.LIMITED
_NOT_AT_ALL = Assessability.NONE
_PART = Scope.PART
_BEFORE = Direction.BEFORE


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
    if not governing and not question:
        return PLAIN
    by_meaning: dict[Meaning, FoundCue] = {}
    for found in governing:
        by_meaning.setdefault(found.item.means, found)
    existence, decider = _existence(by_meaning, governing)
    if existence is _IS_PRESENT and question:
        existence, decider = _IS_UNCERTAIN, None
    assessability = _FULLY
    if _UNASSESSABLE in by_meaning and decider is None:
        assessability, existence = _NOT_AT_ALL, _IS_UNCERTAIN
        decider = by_meaning[_UNASSESSABLE]
    elif _LIMITED in by_meaning:
        assessability = _PARTLY
    is_prior = (
        _PRIOR in by_meaning
        and _OUTWEIGH_PRIOR.isdisjoint(by_meaning)
        and existence is not _IS_ABSENT
        and not _affirmed_after(by_meaning[_PRIOR], governing)
    )
    if is_prior:
        decider = by_meaning[_PRIOR]
    undecided = "?" if existence is _IS_UNCERTAIN else None
    changes = [means for means in by_meaning if means in _CHANGES]
    change = _CHANGES[min(changes)] if changes else None
    return Judgement(
        existence,
        _PRIOR_TIME if is_prior else _CURRENT_TIME,
        change,
        _HYPOTHETICAL in by_meaning,
        _OTHER if _OTHER_PERSON in by_meaning else _PATIENT,
        assessability,
        text[decider.start : decider.end] if decider else undecided,
    )


def _existence(
    by_meaning: dict[Meaning, FoundCue], governing: list[FoundCue]
) -> tuple[Existence, FoundCue | None]:
    """The existence that the strongest cue gives, and that cue."""
    if _PRESENT in by_meaning:
        for found in governing:
            if found.item.means is _PRESENT and found.item.scope is _PART:
                return _IS_PRESENT, found  # "except ..."
    for means, existence in _BY_STRENGTH:
        if means in by_meaning:
            return existence, by_meaning[means]
    return _IS_PRESENT, None


def _affirmed_after(prior: FoundCue, governing: list[FoundCue]) -> bool:
    """Whether it goes on: "which was seen in the previous examination, is observed in ..."."""
    return prior.item.direction is _BEFORE and any(
        found.item.means is _PRESENT and found.start >= prior.end for found in governing
    )
