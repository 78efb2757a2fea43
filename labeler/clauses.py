"""A sentence's cues, without overlaps, and the clauses that they cut it into."""

import re
from dataclasses import dataclass, replace

from configs.cue import Direction, Meaning, Scope
from labeler.lexicon import Hit

_RELATIVE_VERB = 16  # characters from "which" to its verb: "which has also been seen"
_ABSENT, _NOTHING, _RELATIVE = Meaning.ABSENT, Meaning.NOTHING, Meaning.RELATIVE
_PRESENT = Meaning.PRESENT
_AFTER, _BEFORE = Direction.AFTER, Direction.BEFORE
_ADJECTIVES = frozenset({Meaning.SEVERITY, Meaning.STABLE, Meaning.NEW})
_goes_on = re.compile(r"\b(?:n?or|is|are|was|were)\b").search
_no_word = re.compile(r"\W*\Z").match
"""Openers of this meaning take the words before them along: "In both lungs there is"."""


@dataclass(frozen=True, slots=True)
class CompiledCue:
    """A cue rule as the engine uses it."""

    means: Meaning
    direction: Direction
    scope: Scope
    predicate: bool
    opens: bool
    value: str | None


FoundCue = Hit[CompiledCue]
"""A cue at its place in a sentence."""


def without_overlaps(text: str, hits: list[FoundCue]) -> list[FoundCue]:
    """The cues among hits by start, longest first: of overlapping ones the first and longest."""
    kept: list[FoundCue] = []
    reached = 0
    for found in hits:
        start, cue = found.start, found.item
        if start < reached:
            continue
        reached = found.end
        if cue.means is _ABSENT and (turned := _turned(text, found)) is not None:
            kept.append(Hit(start, reached, turned))
        else:
            kept.append(found)
    return kept


def _turned(text: str, found: FoundCue) -> CompiledCue | None:
    """A denial that looks the other way than it mostly does, or both ways; else None."""
    start, end, cue = found.start, found.end, found.item
    if start > 1 and text[start - 2 : start].strip() == "-":
        # "effusion - no thickening was detected" denies both
        return replace(cue, direction=Direction.BOTH, opens=False)
    if cue.direction is _AFTER and _no_word(text, end):  # "effusion: no", "but edema was not"
        return replace(cue, direction=_BEFORE, opens=False, predicate=True)
    if cue.direction is _BEFORE and not start:  # "absent effusion", "not seen: effusion"
        return replace(cue, direction=_AFTER, opens=True, predicate=False)
    return None


def clause_starts(text: str, cues: list[FoundCue]) -> list[int]:
    """Where clauses begin: at words that open one, at a semicolon, and between two verbs."""
    starts = [0]
    verb_end: int | None = None
    spoken = False  # whether the clause has said anything yet
    relative_end = -_RELATIVE_VERB
    said_to = 0
    denied = False  # the last words that opened a clause were a denial
    for found in cues:
        start, end, cue = found.start, found.end, found.item
        means = cue.means
        if means is _NOTHING:
            continue
        if means is _RELATIVE:
            relative_end = end
            continue
        if denied and means in _ADJECTIVES and _is_apart(text, start):
            starts.append(start)
            verb_end, spoken, denied = None, True, False
        if cue.opens:
            denied = means is _ABSENT
            takes_place = means is _PRESENT
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


def _is_apart(text: str, start: int) -> bool:
    """Whether words stand beside a list, not in it: "no effusion, mild atelectasis".

    A list's items are joined at the end ("no effusion, mild or severe"), or have a common verb.
    """
    return text[start - 2 : start] == ", " and not _goes_on(text, start)


def _border(text: str, low: int, high: int) -> int | None:
    comma = text.find(",", low, high)
    if comma >= 0:
        return comma + 1
    conjunction = text.find(" and ", low, high)
    return conjunction + 1 if conjunction >= 0 else None
