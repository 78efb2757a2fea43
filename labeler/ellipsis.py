"""What a text says of a finding at another side or place without naming the finding again."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from configs.cue import CuePack, Meaning
from labeler.lexicon import Hit, Hits, by_start_then_longest

_HEADS = frozenset({":", "/"})
_word = re.compile(r"\w+").finditer
_sized = re.compile(r"\d\s?(?:mm|cm)\b").search
_prepared = re.compile(r"\b(?:in|on|at|within) (?:the )?(?:\w+ )?$").search
_REACH = 20  # characters before a place in which its preposition stands
_SAYS_NOTHING = frozenset({Meaning.NOTHING, Meaning.RELATIVE, Meaning.STOP})
_LONGEST_SUBJECT = 40
_parts_words = re.compile(r"[,;:/]").search
_LONGEST = 60  # characters of a sentence that goes on with the finding of the one before


class Elliptic(NamedTuple):
    """Sides and places that stand for a finding named before: "right effusion, left none"."""

    mentions: list[Hit[str]]
    """Their words, as mentions of that finding."""
    borders: list[int]
    """Where their clauses begin and end."""
    heads: frozenset[int]
    """Where mentions start that only name what is said then: "effusion: right none"."""


NO_ELLIPSIS = Elliptic([], [], frozenset())


class _Piece(NamedTuple):
    start: int
    end: int
    before: str
    """What it begins after: a comma, "but"."""


class EllipticReader:
    """Finds elliptic mentions; holds the words that its cue packs give."""

    def __init__(self, packs: tuple[CuePack, ...]) -> None:
        words = [pack.ellipsis for pack in packs]
        self._fill = frozenset(word for one in words for word in one.fill)
        self._says = frozenset(word for one in words for word in one.says)
        self._parts = frozenset(word for one in words for word in one.parts)
        self._part = re.compile(rf"\b(?:{'|'.join(sorted(self._parts)) or '(?!)'})\b").search
        self._contrasts = frozenset(word for one in words for word in one.contrasts)
        joints = {word for one in words for word in one.joints} | self._contrasts
        border = rf"[,;:/]| (?:{'|'.join(sorted(joints))})(?= )" if joints else "[,;:/]"
        self._borders = re.compile(border).finditer

    def find(self, text: str, mentions: list[Hit[str]], hits: Hits) -> Elliptic:
        """The elliptic mentions of a sentence.

        A piece of it is elliptic when it names one side, or a place, some word of degree, change,
        size or denial, and nothing else: "small on the right", "none in the axilla". It speaks of
        the finding that was mentioned last, elsewhere.
        """
        named = [*hits.sides, *hits.lobes, *hits.places]
        first = mentions[0].end
        if all(hit.start < first for hit in named):
            return NO_ELLIPSIS
        found: list[Hit[str]] = []
        borders: list[int] = []
        heads: set[int] = set()
        pieces = self._pieces(text, hits)
        understood: _Piece | None = None
        for number, piece in enumerate(pieces):
            start, end, _ = piece
            if start < first or end - start > _LONGEST or _inside(piece, mentions):
                continue
            if not (_inside(piece, named) or (hits.lobes and self._part(text, start, end))):
                continue
            spoken = next(one for one in reversed(pieces[:number]) if _inside(one, mentions))
            is_head = text[spoken.end : spoken.end + 1] in _HEADS
            place = self._only_place(text, piece, hits, headed=is_head)
            if place is None:
                continue
            told, tells = _items(spoken, named), _items(piece, named)
            if is_head or (told and tells != told):
                subject = _inside(spoken, mentions)
                found += [
                    Hit(place.start, place.end, one.item) for one in _last_phrase(text, subject)
                ]
                borders += [piece.start, piece.end]
                if is_head and pieces[number - 1] in (spoken, understood):
                    understood = piece
                    heads.update(one.start for one in subject)
        return Elliptic(found, borders, frozenset(heads)) if found else NO_ELLIPSIS

    def goes_on(self, text: str, hits: Hits) -> bool:
        """Whether a sentence without a finding may go on with that of the sentence before."""
        if len(text) > _LONGEST or not (hits.sides or hits.lobes or hits.places):
            return False
        pieces = self._pieces(text, hits)
        return all(self._only_place(text, piece, hits, headed=False) for piece in pieces)

    def _pieces(self, text: str, hits: Hits) -> list[_Piece]:
        """The pieces between commas, colons and words that join; a side has its colon's answer."""
        pieces: list[_Piece] = []
        start, before = 0, ""
        for border in self._borders(text):
            end, following = border.span()
            if text[end] in _HEADS and self._names_only(text, start, end, hits):
                continue
            pieces.append(_Piece(start, end, before))
            start, before = following, text[end:following]
        pieces.append(_Piece(start, len(text), before))
        return pieces

    def _names_only(self, text: str, start: int, end: int, hits: Hits) -> bool:
        return any(
            start <= hit.start
            and hit.end <= end
            and text[start:end].strip() == text[hit.start : hit.end]
            for hit in (*hits.sides, *hits.lobes)
        )

    def _only_place(self, text: str, piece: _Piece, hits: Hits, *, headed: bool) -> Hit[str] | None:
        """The side or place that a piece has, where it says something there and nothing else.

        A place other than a side or lobe needs its preposition, but in a headed list: "none in the
        axilla", "nodes: hilar none".
        """
        start, end, before = piece
        sides = [hit for hit in hits.sides if start <= hit.start < end]
        cues = [hit for hit in hits.cues if start <= hit.start and hit.end <= end]
        meanings = {hit.item.means for hit in cues}
        if len(sides) > 1 or Meaning.NORMAL in meanings:
            return None
        where = _inside(piece, [*hits.sides, *hits.lobes, *hits.places])
        says = before.strip() in self._contrasts or not meanings <= _SAYS_NOTHING
        for word in self._words(text, piece, [*where, *hits.segments, *cues]):
            if word[0] in self._says:
                says = True
            elif word[0] in self._parts:
                where.append(Hit(word.start(), word.end(), word[0]))
            else:
                return None
        if not where or not (says or _sized(text, start, end)):
            return None
        if headed:
            return sides[0] if sides else where[0]
        of_lung = {hit.start for hit in (*hits.sides, *hits.lobes)}
        for hit in where:
            low = max(start, hit.start - _REACH)
            if hit.start not in of_lung and not _prepared(text, low, hit.start):
                return None
        return sides[0] if sides else where[0]

    def _words(
        self, text: str, piece: _Piece, known: Sequence[Hit[Any]]
    ) -> Iterator[re.Match[str]]:
        """The words of a piece that are neither known nor fill."""
        for word in _word(text, piece.start, piece.end):
            if word[0] in self._fill or word[0].isdigit():
                continue
            if not any(hit.start <= word.start() and word.end() <= hit.end for hit in known):
                yield word


def words_to_go_on(text: str, mentions: list[Hit[str]]) -> str:
    """The words of the finding that the next sentence may go on speaking of, or none."""
    words = text[_last_phrase(text, mentions)[-1].start : mentions[-1].end]
    return words if len(words) <= _LONGEST_SUBJECT and not _parts_words(words) else ""


def _last_phrase(text: str, mentions: list[Hit[str]]) -> list[Hit[str]]:
    """The mentions that make up the last noun phrase: all of "ground-glass opacity"."""
    last: list[Hit[str]] = []
    start = len(text)
    for one in sorted(mentions, key=by_start_then_longest, reverse=True):
        if last and text[one.end : start].strip(" -"):
            break
        last.append(one)
        start = one.start
    return last


def _inside(piece: _Piece, hits: Sequence[Hit[str]]) -> list[Hit[str]]:
    return [hit for hit in hits if piece.start <= hit.start < piece.end]


def _items(piece: _Piece, hits: Sequence[Hit[str]]) -> set[str]:
    return {hit.item for hit in hits if piece.start <= hit.start < piece.end}
