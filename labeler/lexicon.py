"""All phrases of findings, anatomy and cues in one automaton: a text's hits in one linear scan."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from configs.phrase import INITIALS_JOIN, Element, Literal, Phrase, compile_phrase

_INITIALS = re.compile(r"(?<![^\W_])([a-z])/([a-z])(?![^\W_])")
_JOINED = rf"\1{INITIALS_JOIN}\2"
_HYPHENS = str.maketrans("\u2010\u2011\u2012\u2013", "----")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FEW = 4  # keys that are sooner looked up one by one than intersected


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
    LANDMARK = 8
    CUE = 9


Item = TypeVar("Item")


class Hit(Generic[Item]):
    """A phrase found in a text."""

    __slots__ = ("end", "item", "start")

    def __init__(self, start: int, end: int, item: Item) -> None:
        self.start = start
        self.end = end
        self.item = item
        """The finding id, place id, value or compiled cue that the phrase belongs to."""


class Hits:
    """A text's hits by kind; within a kind by start, the longest first, overlapping ones too."""

    __slots__ = (
        "cues",
        "findings",
        "landmarks",
        "lobes",
        "places",
        "segments",
        "sides",
        "subjects",
        "vetoes",
        "wholes",
    )

    def __init__(self, by_kind: list[list[Hit[Any]]]) -> None:
        """`by_kind` has a list for each `HitKind`, in its order."""
        self.findings: list[Hit[str]] = by_kind[0]
        self.vetoes: list[Hit[str]] = by_kind[1]
        self.subjects: list[Hit[str]] = by_kind[2]
        self.wholes: list[Hit[str]] = by_kind[3]
        self.places: list[Hit[str]] = by_kind[4]
        self.sides: list[Hit[str]] = by_kind[5]
        self.lobes: list[Hit[str]] = by_kind[6]
        self.segments: list[Hit[str]] = by_kind[7]
        self.landmarks: list[Hit[str]] = by_kind[8]
        self.cues: list[Hit[Any]] = by_kind[9]


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase and what it belongs to."""

    phrase: str
    kind: HitKind
    item: Any


_word_end = re.compile(r"[^\W_]{0,40}").match
_Matcher = Callable[[str, int], "re.Match[str] | None"]
_Trial = tuple[int, frozenset[int], _Matcher, int, Any]
"""A phrase of several words: its number, and the keys of the words that it can start with. A word's
key is its number, or the complement where only its beginning is known."""
_Candidate = tuple[int, _Trial]
"""The elements that a phrase needs, as bits, and how it is tried."""


_Alone = tuple[int, Any]
"""A phrase of a single word: the kind of its hits, and their item."""
_Meaning = tuple[int, list[_Alone], list[_Candidate]]
"""What a word of a text stands for: the elements of phrases that it satisfies, as bits; what it
means by itself; the phrases that have it as their rarest word."""


class Lexicon:
    """Finds every phrase of its entries in a text.

    One scan with an Aho-Corasick automaton finds the known words. A phrase of several words is
    tried only where its rarest word stands and all its other words stand somewhere in the text, at
    the words that can begin it; so common words cost nothing.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        phrases = [(phrase, entry) for entry in entries for phrase in compile_phrase(entry.phrase)]
        vocabulary = _Vocabulary(phrase for phrase, _ in phrases)
        alone: dict[Literal, list[_Alone]] = {}
        rarest: dict[Literal, list[_Candidate]] = {}
        for number, (phrase, entry) in enumerate(phrases):
            if phrase.is_word:
                for literal in phrase.starts:
                    alone.setdefault(literal, []).append((int(entry.kind), entry.item))
                continue
            matcher = re.compile(phrase.expression).match
            keys = vocabulary.keys(phrase.starts)
            needs = vocabulary.bits(phrase.needs)
            candidate: _Candidate = needs, (number, keys, matcher, int(entry.kind), entry.item)
            for literal in vocabulary.rarest(phrase):
                rarest.setdefault(literal, []).append(candidate)
        self._whole = vocabulary.meanings(alone, rarest, whole=True)
        self._begun = vocabulary.meanings(alone, rarest, whole=False)
        self._automaton = AhoCorasick(
            vocabulary.words,
            matchkind=MatchKind.LeftmostLongest,
            implementation=Implementation.ContiguousNFA,
            store_patterns=False,
        )

    def hits(self, lowered: str) -> Hits:  # noqa: C901  # one loop in one place: the hottest code
        """All hits in a text that `lower` has prepared."""
        if "/" in lowered:
            lowered = _INITIALS.sub(_JOINED, lowered)
        found: list[list[Hit[Any]]] = [[], [], [], [], [], [], [], [], [], []]  # by HitKind
        whole, begun = self._whole, self._begun
        padded = f" {lowered} "  # spaces around: a word's neighbours stand at start and end + 1
        present = 0
        starts: dict[int, list[int]] = {}
        candidates: list[_Candidate] = []
        words: list[tuple[int, int, int]] = self._automaton.find_matches_as_indexes(lowered)
        for key, start, end in words:
            before, after = padded[start], padded[end + 1]
            if before != " " and before.isalnum():
                continue
            if after == " " or not after.isalnum():
                meaning = whole[key]
            elif (meaning := begun[key]) is not None:
                key, end = ~key, _word_end(lowered, end).end()  # type: ignore[union-attr]
            if meaning is None:
                continue
            elements, alone, phrases = meaning
            for kind, item in alone:
                found[kind].append(Hit(start, end, item))
            if elements:
                present |= elements
                if key in starts:
                    starts[key].append(start)
                else:
                    starts[key] = [start]
                    candidates += phrases
        tried: set[int] = set()
        unsorted: set[int] = set()
        for needs, trial in candidates:
            if needs & present == needs:
                number, keys, matcher, kind, item = trial
                if number in tried:
                    continue
                tried.add(number)
                for key in keys if len(keys) < _FEW else keys.intersection(starts):
                    if key in starts:
                        for start in starts[key]:
                            if match := matcher(lowered, start):
                                found[kind].append(Hit(start, match.end(), item))
                                unsorted.add(kind)
        for kind in unsorted:
            if len(found[kind]) > 1:
                found[kind].sort(key=by_start_then_longest)
        return Hits(found)


class _Vocabulary:
    """The words of all phrases: numbered, and with the elements that each satisfies."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._uses: Counter[Literal] = Counter()
        self._bit: dict[Element, int] = {}
        literals: set[Literal] = set()
        for phrase in phrases:
            literals |= phrase.starts
            for need in phrase.needs:
                literals |= need
                self._uses.update(need)
        self.words = sorted({literal.text for literal in literals})
        self._satisfied: dict[int, list[Literal]] = {}
        self._keys: dict[Literal, set[int]] = {literal: set() for literal in literals}
        for number, word in enumerate(self.words):
            stems = [Literal(word[:length], True) for length in range(1, len(word) + 1)]
            for key, candidates in ((number, [*stems, Literal(word, False)]), (~number, stems)):
                self._satisfied[key] = [literal for literal in candidates if literal in literals]
                for literal in self._satisfied[key]:
                    self._keys[literal].add(key)

    def keys(self, element: Element) -> frozenset[int]:
        """The keys of the words that satisfy an element."""
        return frozenset().union(*(self._keys[literal] for literal in element))

    def bits(self, elements: Iterable[Element]) -> int:
        """Elements as bits of one number."""
        combined = 0
        for element in elements:
            combined |= self._bit.setdefault(element, 1 << len(self._bit))
        return combined

    def rarest(self, phrase: Phrase) -> Element:
        """The element of a phrase that the fewest phrases share; the longer words where tied."""
        return min(
            phrase.needs or (phrase.starts,),
            key=lambda need: (
                sum(self._uses[literal] for literal in need),
                -min(len(literal.text) for literal in need),
            ),
        )

    def meanings(
        self,
        alone: dict[Literal, list[_Alone]],
        rarest: dict[Literal, list[_Candidate]],
        *,
        whole: bool,
    ) -> list[_Meaning | None]:
        """By number, what a word stands for; None where nothing."""
        elements: dict[Literal, int] = {}
        for element, bit in self._bit.items():
            for literal in element:
                elements[literal] = elements.get(literal, 0) | bit
        meanings: list[_Meaning | None] = []
        for number in range(len(self.words)):
            satisfied = self._satisfied[number if whole else ~number]
            combined = 0
            for literal in satisfied:
                combined |= elements.get(literal, 0)
            meaning = (
                combined,
                [one for literal in satisfied for one in alone.get(literal, ())],
                [one for literal in satisfied for one in rarest.get(literal, ())],
            )
            meanings.append(meaning if satisfied else None)
        return meanings


def by_start_then_longest(hit: Hit[Any]) -> tuple[int, int]:
    """The order of hits in `Hits`."""
    return hit.start, -hit.end


def lower(text: str) -> str:
    """Lower case of the same length, so that offsets stay true.

    Lone surrogates become U+FFFD, and hyphens of every kind "-".

    >>> lower("PLEVRAL İNDİRGEME")
    'plevral indirgeme'
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # U+0130 is the one letter that grows
        lowered = text.replace("\u0130", "i").lower()
    if not lowered.isascii():
        lowered = _LONE_SURROGATE.sub("\ufffd", lowered).translate(_HYPHENS)
    return lowered
