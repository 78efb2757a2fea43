"""All phrases of findings, anatomy and cues in one automaton: a text's hits in one linear scan."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from configs.phrase import Start, compile_phrase

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class HitKind(IntEnum):
    """What a phrase belongs to; also its place in `Hits`."""

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
    item: Any
    """The finding id, place id, value or compiled cue that the phrase belongs to."""


Hits = list[list[Hit]]
"""A text's hits by kind; within a kind by start, the longest first, overlapping ones too."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase and what it belongs to."""

    phrase: str
    kind: HitKind
    item: Any


_Matcher = Callable[[str, int], "re.Match[str] | None"]
_Longer = tuple[_Matcher, HitKind, Any]
_word_end = re.compile(r"[^\W_]{0,40}").match


class _Anchor:
    """The phrases that can begin with one literal."""

    def __init__(self) -> None:
        self.words: list[tuple[HitKind, Any]] = []
        """What the literal means as a whole word, with nothing after it."""
        self.stems: list[tuple[HitKind, Any]] = []
        """What it means with any ending."""
        self.by_letter: dict[str, list[_Longer]] = {}
        """Longer phrases by the first letter of their second word."""
        self.gapped: list[_Longer] = []
        """Longer phrases whose second word may be anything."""
        self.any_gapped: _Matcher | None = None
        """Matches where one of `gapped` does: mostly none does, and one try is enough."""

    def add(self, entry: Entry, start: Start, matcher: _Matcher) -> None:
        if start.ends:
            (self.stems if start.is_stem else self.words).append((entry.kind, entry.item))
        elif start.is_stem or start.next_letters is None:
            self.gapped.append((matcher, entry.kind, entry.item))
        else:
            for letter in start.next_letters:
                self.by_letter.setdefault(letter, []).append((matcher, entry.kind, entry.item))


class Lexicon:
    """Finds every phrase of its entries in a text."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        anchors: dict[str, _Anchor] = {}
        gapped: dict[str, list[str]] = {}
        for entry in entries:
            phrase = compile_phrase(entry.phrase)
            matcher = re.compile(phrase.expression).match
            for start in phrase.starts:
                anchor = anchors.setdefault(start.word, _Anchor())
                before = len(anchor.gapped)
                anchor.add(entry, start, matcher)
                if len(anchor.gapped) > before:
                    gapped.setdefault(start.word, []).append(phrase.expression)
        for word, expressions in gapped.items():
            if len(expressions) > 1:
                anchors[word].any_gapped = re.compile("|".join(expressions)).match
        self._anchors = tuple(
            (a.words, a.stems, a.by_letter, a.gapped, a.any_gapped) for a in anchors.values()
        )
        self._automaton = AhoCorasick(
            list(anchors),
            matchkind=MatchKind.Standard,
            implementation=Implementation.DFA,
            store_patterns=False,
        )

    def hits(self, lowered: str) -> Hits:
        """All hits in a text that `lower` has prepared."""
        found: Hits = [[], [], [], [], [], [], [], [], []]
        padded = lowered + "  "  # so that a look at the next letter never falls off the end
        anchors = self._anchors
        for index, start, end in self._automaton.find_matches_as_indexes(lowered, overlapping=True):
            if start and lowered[start - 1].isalnum():
                continue
            words, stems, by_letter, gapped, any_gapped = anchors[index]
            if not padded[end].isalnum():
                for kind, item in words:
                    found[kind].append(Hit(start, end, item))
                if by_letter:
                    letter = padded[end + 1]
                    if letter.isalnum():
                        longer = by_letter.get(letter, ())
                    else:  # more than one separator: try them all
                        longer = [one for ones in by_letter.values() for one in ones]
                    for matcher, kind, item in longer:
                        if match := matcher(lowered, start):
                            found[kind].append(Hit(start, match.end(), item))
            if stems:
                stem_end = _word_end(lowered, end).end()  # type: ignore[union-attr]  # always one
                for kind, item in stems:
                    found[kind].append(Hit(start, stem_end, item))
            if gapped and (any_gapped is None or any_gapped(lowered, start)):
                for matcher, kind, item in gapped:
                    if match := matcher(lowered, start):
                        found[kind].append(Hit(start, match.end(), item))
        for hits in found:
            if len(hits) > 1:
                hits.sort(key=_by_start_then_longest)
        return found


def _by_start_then_longest(hit: Hit) -> tuple[int, int]:
    return hit[0], -hit[1]


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
