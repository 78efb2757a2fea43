"""A sentence's cues, without overlaps, and the clauses that they cut it into."""

from dataclasses import dataclass, replace

from configs.cue import Direction, Meaning, Scope
from labeler.lexicon import Hit

_RELATIVE_VERB = 16  # characters from "which" to its verb: "which has also been seen"
_ABSENT, _NOTHING, _RELATIVE = Meaning.ABSENT, Meaning.NOTHING, Meaning.RELATIVE
_PRESENT = Meaning.PRESENT
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
        if cue.means is _ABSENT and start > 1 and text[start - 2 : start].strip() == "-":
            # "effusion - no thickening was detected" denies both
            both = replace(cue, direction=Direction.BOTH, opens=False)
            kept.append(Hit(start, reached, both))
        else:
            kept.append(found)
    return kept


def clause_starts(text: str, cues: list[FoundCue]) -> list[int]:
    """Where clauses begin: at words that open one, at a semicolon, and between two verbs."""
    starts = [0]
    verb_end: int | None = None
    spoken = False  # whether the clause has said anything yet
    relative_end = -_RELATIVE_VERB
    said_to = 0
    for found in cues:
        start, end, cue = found.start, found.end, found.item
        means = cue.means
        if means is _NOTHING:
            continue
        if means is _RELATIVE:
            relative_end = end
            continue
        if cue.opens:
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


def _border(text: str, low: int, high: int) -> int | None:
    comma = text.find(",", low, high)
    if comma >= 0:
        return comma + 1
    conjunction = text.find(" and ", low, high)
    return conjunction + 1 if conjunction >= 0 else None
