"""What a sentence says of a finding's other side without naming the finding again."""

import re
from typing import NamedTuple

from configs.cue import Meaning
from labeler.lexicon import Hit, Hits

_SIDES = frozenset({"right", "left"})
_BORDER = re.compile(r"[,;:/]|\b(?:but|and|while|whereas)\b")
_CONTRASTS = frozenset({"but", "while", "whereas"})
_HEADS = frozenset({":", "/"})
_WORD = re.compile(r"\w+")
_is_fill = re.compile(
    r"the|that|it|one|on|in|at|of|to|also|only|now|is|are|was|were|has|have|been|sided?|lung"
).fullmatch
"""Words that may stand beside a side and what is said of it."""
_SAYS_NOTHING = frozenset({Meaning.NOTHING, Meaning.RELATIVE, Meaning.STOP})


class Elliptic(NamedTuple):
    """Sides that stand for a finding named before: "right effusion, left none"."""

    mentions: list[Hit[str]]
    """The sides, as mentions of that finding."""
    borders: list[int]
    """Where their clauses begin and end."""
    heads: frozenset[int]
    """Where mentions start that only name what the sides then say: "effusion: right none"."""


NO_ELLIPSIS = Elliptic([], [], frozenset())


class _Piece(NamedTuple):
    start: int
    end: int
    before: str
    """What it begins after: a comma, "but"."""


def find_ellipsis(text: str, mentions: list[Hit[str]], hits: Hits) -> Elliptic:
    """The elliptic mentions of a sentence that tells the sides apart.

    A piece of it is elliptic when it has one side, some word of degree, change or denial, and
    nothing else: "small on the right", "the left is unchanged". It speaks of the finding that was
    mentioned last.
    """
    if not {hit.item for hit in hits.sides} >= _SIDES:
        return NO_ELLIPSIS
    found: list[Hit[str]] = []
    borders: list[int] = []
    heads: set[int] = set()
    last: list[Hit[str]] = []
    head: list[int] = []
    for piece in _pieces(text):
        inside = [one for one in mentions if piece.start <= one.start < piece.end]
        if inside:
            latest = max(one.start for one in inside)
            last = [one for one in inside if one.end > latest]
            is_head = text[piece.end : piece.end + 1] in _HEADS
            head = [one.start for one in inside] if is_head else []
        elif last and (side := _only_side(text, piece, hits)) is not None:
            found += [Hit(side.start, side.end, one.item) for one in last]
            borders += [piece.start, piece.end]
            heads.update(head)
    return Elliptic(found, borders, frozenset(heads)) if found else NO_ELLIPSIS


def _pieces(text: str) -> list[_Piece]:
    pieces = []
    start, before = 0, ""
    for border in _BORDER.finditer(text):
        pieces.append(_Piece(start, border.start(), before))
        start, before = border.end(), border[0]
    pieces.append(_Piece(start, len(text), before))
    return pieces


def _only_side(text: str, piece: _Piece, hits: Hits) -> Hit[str] | None:
    """The side that a piece has, where it says something of it and of nothing else."""
    sides = [hit for hit in hits.sides if piece.start <= hit.start < piece.end]
    if len(sides) != 1 or sides[0].item not in _SIDES:
        return None
    cues = [hit for hit in hits.cues if piece.start <= hit.start and hit.end <= piece.end]
    meanings = {hit.item.means for hit in cues}
    says = not meanings <= _SAYS_NOTHING or piece.before in _CONTRASTS
    if not says or Meaning.NORMAL in meanings:
        return None
    known = [*sides, *cues]
    for word in _WORD.finditer(text, piece.start, piece.end):
        if not _is_fill(word[0]) and not any(
            hit.start <= word.start() and word.end() <= hit.end for hit in known
        ):
            return None
    return sides[0]
