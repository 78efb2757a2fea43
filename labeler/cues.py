"""A sentence's cues: each read the way that its surroundings ask for, without overlaps."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from configs.cue import Direction, Meaning, Scope
from labeler.lexicon import Hit, by_start_then_longest

_ABSENT, _NORMAL = Meaning.ABSENT, Meaning.NORMAL
_AFTER, _BEFORE, _VALUE = Direction.AFTER, Direction.BEFORE, Scope.VALUE
_TURNING = frozenset({_ABSENT, _NORMAL})
_no_word = re.compile(r"\W*\Z").match
_ATTRIBUTE = re.compile(r"(?:\A|[,;])\W{0,4}(?:(?:otherwise|essentially|grossly|overall) )?$")
_ATTRIBUTE_REACH = 24  # characters before "normal" in which its part begins
_qualifies = re.compile(
    r" (?!(?:in|for|and|or|with|without|on|at|as|than|except|apart|other|but)\b)\w"
).match

_closes = re.compile(
    r"\s*(?:[.;)]|\Z|(?:in|of|on|within|elsewhere|otherwise|other|apart|aside|except|is|are|was"
    r"|were|seen|identified|detected|noted|present|observed|found|demonstrated|visualized)\b)"
).match
"""What may follow a verdict: "no abnormality is seen", but not "no abnormality or effusion"."""
_COLON = re.compile(r"[:=|/]\s{0,2}$")
_BORDER = re.compile(r"(?:[:=|/,(\u2013\u2014]|\s-{1,2})\s{0,2}$")
_BORDER_REACH = 5  # characters before a value in which it stands
_ends = re.compile(
    r"\s{0,2}(?:[.,;|)\n]|\Z|-\s|(?:since|from|compared|relative|when|in comparison|as compared)\b)"
).match
_SIGN = re.compile(
    r"(?<=\()\s?[-\u2212\u2013+]{1,3}\s?(?=\))"
    r"|(?<=[:=|/])\s{0,2}[-\u2212\u2013+]{1,3}(?=\s*(?:[.,;|\n]|\Z))"
)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCue:
    """A cue rule as the engine uses it; each is equal to itself alone."""

    means: Meaning
    direction: Direction
    scope: Scope
    predicate: bool
    opens: bool
    value: str | None


FoundCue = Hit[CompiledCue]
"""A cue at its place in a sentence."""

_MINUS = CompiledCue(_ABSENT, _BEFORE, _VALUE, False, False, None)
_PLUS = replace(_MINUS, means=Meaning.PRESENT)


def read_cues(text: str, hits: Sequence[FoundCue], first: int) -> list[FoundCue]:
    """The cues among hits by start, longest first: of overlapping ones the first and longest.

    A value ("pneumothorax: negative") counts where it stands alone and after the first mention,
    which ends at `first`; then no other cue has its words.
    """
    kept: list[FoundCue] = []
    reached = 0
    for found in hits:
        start, end, cue = found.start, found.end, found.item
        if cue.scope is _VALUE:
            if start < first or end < reached or not _is_value(text, start, end):
                continue
            while kept and kept[-1].end > start:
                kept.pop()
        elif start < reached:
            continue
        elif cue.means in _TURNING:
            if is_verdict(found) and not _closes(text, end):
                continue
            found = _turned(text, found)
        reached = end
        kept.append(found)
    if "+" in text or "-)" in text or text[-1:] == "-" or text[-2:] == "-.":
        signs = [found for found in _signs(text) if found.start >= first]
        kept = sorted(kept + signs, key=by_start_then_longest)
    return kept


def is_verdict(found: FoundCue) -> bool:
    """Whether a cue calls a place normal by itself: "no significant abnormality"."""
    return found.item.value is not None and found.item.means is _NORMAL


def is_of_list(text: str, start: int) -> bool:
    """Whether the value at `start` is that of a list: "effusion, pneumothorax: none"."""
    return _COLON.search(text, max(0, start - _BORDER_REACH), start) is not None


def _is_value(text: str, start: int, end: int) -> bool:
    """Whether words are all that is said between a colon, comma, dash or bracket and the next."""
    before = max(0, start - _BORDER_REACH)
    return _BORDER.search(text, before, start) is not None and _ends(text, end) is not None


def _signs(text: str) -> list[FoundCue]:
    """The values that are no words: "pleural effusion (-)", "nodules: +"."""
    return [
        Hit(found.start(), found.end(), _PLUS if "+" in found[0] else _MINUS)
        for found in _SIGN.finditer(text)
    ]


def _turned(text: str, found: FoundCue) -> FoundCue:
    """A denial or normality as it looks where it stands: mostly as its rule says."""
    cue = _turned_cue(text, found.start, found.end, found.item)
    return found if cue is None else Hit(found.start, found.end, cue)


def _turned_cue(text: str, start: int, end: int, cue: CompiledCue) -> CompiledCue | None:
    if cue.means is _NORMAL and cue.direction is _BEFORE:
        before = max(0, start - _ATTRIBUTE_REACH)
        if _qualifies(text, end) and _ATTRIBUTE.search(text, before, start):
            return _as_attribute(cue)
        return None
    if start > 1 and text[start - 2 : start].strip() == "-":
        # "effusion - no thickening was detected" denies both
        return _both_ways(cue)
    if cue.direction is _AFTER and _no_word(text, end):  # "effusion: no", "but edema was not"
        return _backwards(cue)
    if cue.direction is _BEFORE and not start:  # "absent effusion", "not seen: effusion"
        return _forwards(cue)
    if cue.direction is _BEFORE and text[start - 2] in ":/":  # "emphysema: absent in lower lobes"
        return _both_ways(cue)
    return None


@cache
def _as_attribute(cue: CompiledCue) -> CompiledCue:
    return replace(cue, direction=_AFTER, scope=Scope.PART, predicate=False)


@cache
def _both_ways(cue: CompiledCue) -> CompiledCue:
    return replace(cue, direction=Direction.BOTH, opens=False)


@cache
def _backwards(cue: CompiledCue) -> CompiledCue:
    return replace(cue, direction=_BEFORE, opens=False, predicate=True)


@cache
def _forwards(cue: CompiledCue) -> CompiledCue:
    return replace(cue, direction=_AFTER, opens=True, predicate=False)
