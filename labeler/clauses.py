"""A sentence's cues, without overlaps, and the clauses that they cut it into."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from configs.cue import Direction, Meaning, Scope
from labeler.lexicon import Hit

_RELATIVE_VERB = 16  # characters from "which" to its verb: "which has also been seen"
_TAKE_A_PLACE = frozenset({Meaning.PRESENT})
"""Openers that take the words before them along: "In both lungs there is"."""


@dataclass(frozen=True, slots=True)
class CompiledCue:
    """A cue rule as the engine uses it."""

    means: Meaning
    direction: Direction
    scope: Scope
    predicate: bool
    opens: bool
    value: str | None


class FoundCue(NamedTuple):
    """A cue at its place in a sentence."""

    start: int
    end: int
    cue: CompiledCue


def without_overlaps(text: str, hits: list[Hit]) -> list[FoundCue]:
    """The cues among hits by start, longest first: of overlapping ones the first and longest."""
    kept: list[FoundCue] = []
    reached = 0
    for start, end, cue in hits:
        if start < reached:
            continue
        if cue.means is Meaning.ABSENT and start > 1 and text[start - 2 : start].strip() == "-":
            # "effusion - no thickening was detected" denies both
            cue = replace(cue, direction=Direction.BOTH, opens=False)
        kept.append(tuple.__new__(FoundCue, (start, end, cue)))
        reached = end
    return kept


def clause_starts(text: str, cues: list[FoundCue]) -> list[int]:
    """Where clauses begin: at words that open one, at a semicolon, and between two verbs."""
    starts = [0]
    verb_end: int | None = None
    spoken = False  # whether the clause has said anything yet
    relative_end = -_RELATIVE_VERB
    said_to = 0
    for start, end, cue in cues:
        if cue.means is Meaning.NOTHING:
            continue
        if cue.means is Meaning.RELATIVE:
            relative_end = end
            continue
        if cue.opens:
            takes_place = cue.means in _TAKE_A_PLACE
            if start > starts[-1] and (spoken or not takes_place):
                comma = text.rfind(",", said_to, start) if takes_place else -1
                starts.append(comma + 1 if comma >= 0 else start)
            verb_end, spoken = None, True
        if cue.predicate and not 0 <= start - relative_end < _RELATIVE_VERB:
            if verb_end is not None:
                border = _border(text, verb_end, start)
                if border is not None:
                    starts.append(border)
            verb_end, spoken = end, True
        said_to = end
    semicolon = text.find(";")
    while semicolon >= 0:
        starts.append(semicolon + 1)
        semicolon = text.find(";", semicolon + 1)
    if len(starts) > 2:
        starts.sort()
    return starts


def _border(text: str, low: int, high: int) -> int | None:
    comma = text.find(",", low, high)
    if comma >= 0:
        return comma + 1
    conjunction = text.find(" and ", low, high)
    return conjunction + 1 if conjunction >= 0 else None
