"""Where the clauses of a sentence begin: what its cues cut it into."""

import re
from bisect import bisect_right
from collections.abc import Container, Sequence

from configs.cue import Meaning, Scope
from labeler.cues import FoundCue
from labeler.lexicon import Hits

_RELATIVE_VERB = 16  # characters from "which" to its verb: "which has also been seen"
_NOTHING, _RELATIVE = Meaning.NOTHING, Meaning.RELATIVE
_ABSENT, _RESOLVED = Meaning.ABSENT, Meaning.RESOLVED
_PRESENT, _VALUE = Meaning.PRESENT, Scope.VALUE
_ADJECTIVES = frozenset({Meaning.SEVERITY, Meaning.STABLE, Meaning.NEW})
_CHANGES = frozenset(
    {Meaning.NEW, Meaning.RESOLVED, Meaning.LARGER, Meaning.SMALLER, Meaning.STABLE}
)
_article = re.compile(r"(?:an? |the )?").match
_joins = re.compile(r",(?= )| with(?= )").search
_goes_on = re.compile(r"\bn?or\b").search


def clause_starts(text: str, cues: list[FoundCue], borders: Sequence[int], hits: Hits) -> list[int]:
    """Where clauses begin: at words that open one, at a semicolon, and between two verbs.

    Also after a value, at the given borders, and where something stands beside a denied list.
    """
    starts = [0, *borders, *(_after_semicolons(text) if ";" in text else ())]
    verb_end: int | None = None
    spoken = False  # whether the clause has said anything yet
    relative_end = -_RELATIVE_VERB
    said_to = opened = 0
    denials: list[int] = []
    for found in cues:
        start, end, cue = found.start, found.end, found.item
        means = cue.means
        if means is _NOTHING:
            continue
        if means is _RELATIVE:
            relative_end = end
            continue
        if cue.scope is _VALUE and means not in _CHANGES:
            starts.append(end)
            verb_end, opened = None, end
        if means is _RESOLVED or (cue.opens and means is _ABSENT):
            denials.append(end)
        if cue.opens:
            takes_place = means is _PRESENT
            if start > opened and (spoken or not takes_place):
                comma = text.rfind(",", said_to, start) if takes_place else -1
                opened = comma + 1 if comma >= 0 else start
                starts.append(opened)
            verb_end, spoken = None, True
        if cue.predicate and not 0 <= start - relative_end < _RELATIVE_VERB:
            if verb_end is not None:
                border = _border(text, verb_end, start)
                if border is not None:
                    opened = border
                    starts.append(border)
            verb_end, spoken = end, True
        said_to = end
    starts.sort()
    if denials and _joins(text, denials[0]):
        starts = sorted(starts + _beside_lists(text, starts, denials, _qualified(cues, hits), hits))
    return starts


def _after_semicolons(text: str) -> list[int]:
    starts = []
    semicolon = text.find(";")
    while semicolon >= 0:
        starts.append(semicolon + 1)
        semicolon = text.find(";", semicolon + 1)
    return starts


def _qualified(cues: list[FoundCue], hits: Hits) -> set[int]:
    """Where words of degree, sides and lobes begin."""
    adjectives = {found.start for found in cues if found.item.means in _ADJECTIVES}
    return adjectives.union(hit.start for hit in (*hits.sides, *hits.lobes))


def _beside_lists(
    text: str, starts: list[int], denials: list[int], qualified: Container[int], hits: Hits
) -> list[int]:
    """Where words stand beside a denied list, not in it: "no effusion, mild atelectasis".

    They have a degree, side or size of their own, or follow a finding and "with". A list's items
    are joined at the end ("no effusion, mild or severe").
    """
    named = {hit.end for hit in hits.findings}
    beside = []
    for denial in denials:
        following = bisect_right(starts, denial)
        high = starts[following] if following < len(starts) else len(text)
        at = _beside(text, denial, high, qualified, named)
        if at is not None:
            beside.append(at)
    return beside


def _beside(
    text: str, low: int, high: int, qualified: Container[int], named: Container[int]
) -> int | None:
    while join := _joins(text, low, high):
        low = join.end()
        article = _article(text, low + 1)
        at = article.end() if article else low + 1
        is_beside = at in qualified or text[at : at + 1].isdigit()
        if join[0] != ",":
            is_beside = is_beside or join.start() in named
        if is_beside and not _goes_on(text, at, high):
            return low
    return None


def _border(text: str, low: int, high: int) -> int | None:
    comma = text.find(",", low, high)
    if comma >= 0:
        return comma + 1
    conjunction = text.find(" and ", low, high)
    return conjunction + 1 if conjunction >= 0 else None
