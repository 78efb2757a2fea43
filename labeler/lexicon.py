"""All phrases of findings, anatomy and cues in one automaton: a text's hits in one linear scan."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from configs.phrase import compile_phrase

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class HitKind(IntEnum):
    """What a phrase belongs to."""

    FINDING = 0
    VETO = 1
    SUBJECT = 2
    WHOLE = 3
    PLACE = 4
    SIDE = 5
    LOBE = 6
    SEGMENT = 7
    CUE = 8


class Hit(NamedTuple):
    """A phrase found in a text."""

    start: int
    end: int
    kind: HitKind
    item: Any
    """The finding id, place id, value or compiled cue that the phrase belongs to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase and what it belongs to."""

    phrase: str
    kind: HitKind
    item: Any


_Matcher = Callable[[str, int], "re.Match[str] | None"]


class Lexicon:
    """Finds every phrase of its entries in a text."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        by_first_word: dict[str, list[tuple[_Matcher | None, HitKind, Any]]] = {}
        for entry in entries:
            phrase = compile_phrase(entry.phrase)
            for first in phrase.first_words:
                plain = first == phrase.source
                matcher = None if plain else re.compile(phrase.expression).match
                by_first_word.setdefault(first, []).append((matcher, entry.kind, entry.item))
        self._matchers = tuple(tuple(matchers) for matchers in by_first_word.values())
        self._automaton = AhoCorasick(
            list(by_first_word),
            matchkind=MatchKind.Standard,
            implementation=Implementation.DFA,
            store_patterns=False,
        )

    def hits(self, lowered: str) -> list[Hit]:
        """All hits in a text that `lower` has prepared, overlapping ones too, by start."""
        found: list[Hit] = []
        length = len(lowered)
        for index, start, end in self._automaton.find_matches_as_indexes(lowered, overlapping=True):
            if start and lowered[start - 1].isalnum():
                continue
            for matcher, kind, item in self._matchers[index]:
                if matcher is None:
                    if end == length or not lowered[end].isalnum():
                        found.append(Hit(start, end, kind, item))
                elif match := matcher(lowered, start):
                    found.append(Hit(start, match.end(), kind, item))
        found.sort(key=_by_start_then_longest)
        return found


def _by_start_then_longest(hit: Hit) -> tuple[int, int]:
    return hit.start, -hit.end


def lower(text: str) -> str:
    """Lower case of the same length, so that offsets stay true; lone surrogates become U+FFFD.

    >>> lower("PLEVRAL İNDİRGEME")
    'plevral indirgeme'
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # U+0130 is the one letter that grows
        lowered = text.replace("\u0130", "i").lower()
    if not lowered.isascii():
        lowered = _LONE_SURROGATE.sub("\ufffd", lowered)
    return lowered
