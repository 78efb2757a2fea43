"""Which mention of a sentence a side, a lobe or a measurement belongs to."""

import re
from bisect import bisect_left
from collections.abc import Container

from labeler.context import Context
from labeler.lexicon import Hit
from labeler.places import distance

MEASURE = ""
"""The item of a hit that is a measurement, not a place."""
_COMMA, _AND, _BRACKET, _PHRASE, _FORWARD = 20, 10, 40, 25, 80
"""As how many characters of distance a border counts. Forward: a place that follows a preposition,
or that a comma follows, rarely speaks of what comes next ("opacity in the left lung, nodules")."""
_PREMODIFIES = 12  # characters between a place and the mention that it stands before
_PREPOSITION = re.compile(r"\b(?:in|of|on|at|from|within) (?:the |both )?$")
_SCENE = re.compile(r"(?:^|, ?)\W{0,4}(?:in|on|at|within|along|through|around|adjacent to) [^,]*$")
_THERE_IS = re.compile(r"[^,;]{0,40}\bthere (?:is|are|was|were)\b")
_LARGEST = re.compile(r"\b(?:largest|biggest|larger|bigger)\b[^,;]{0,40}$")
_GOES_ON = re.compile(
    r"\b(?:largest|biggest|larger|which|most|more|some|one|others?|extend(?:s|ing|ed)?)\b"
)


class Owners:
    """The noun phrases of a sentence's mentions, by number, and what belongs to each.

    "Nodular mass lesion" is one phrase of three mentions. A place or a measurement belongs to the
    nearest phrase of its clause, where commas, brackets and "and" count as distance.
    """

    __slots__ = ("_context", "_phrases", "_starts", "is_one", "phrase_of")

    def __init__(self, context: Context, mentions: list[Hit[str]]) -> None:
        """`mentions` stand in the text's order; there is at least one."""
        self._context = context
        self._phrases: list[Hit[int]] = []
        self.phrase_of: list[int] = []
        """By mention, the number of the noun phrase that it is part of."""
        for mention in mentions:
            if self._phrases:
                last = self._phrases[-1]
                if not context.text[last.end : mention.start].strip(" -/"):
                    last.end = max(last.end, mention.end)
                    self.phrase_of.append(last.item)
                    continue
            number = len(self._phrases)
            self._phrases.append(Hit(mention.start, mention.end, number))
            self.phrase_of.append(number)
        self._starts = [phrase.start for phrase in self._phrases]
        self.is_one = len(self._phrases) == 1 and context.is_one_clause
        """There is a single phrase in a single clause, to which everything belongs."""

    def distance(self, number: int, hit: Hit[str]) -> int:
        """Characters between a phrase and a hit."""
        return distance(self._phrases[number], hit)

    def owner(self, hit: Hit[str]) -> int | None:
        """The phrase that a hit belongs to; None where its clause speaks of none."""
        if self.is_one:
            return 0
        around = self._around(hit)
        near = self._context.beside(hit, around)
        before, after = around[0], around[-1]
        text = self._context.text
        if before.start <= hit.start:
            if hit.item == MEASURE and self._is_of_largest(before, after, hit):
                return before.item  # "nodules, the largest 6 mm, effusion"
            if before not in near and _GOES_ON.search(text, before.end, hit.start):
                return before.item  # "nodules were seen, the largest of which is in the left lung"
            scene = text[before.end : hit.start]
        else:
            scene = text[: hit.start]
        opens = after.start > hit.start and (not near or _THERE_IS.match(text, hit.end))
        if opens and _SCENE.search(scene):
            return after.item  # "on the left there is a nodule"
        return self._nearest(near, hit) if near else None

    def _is_of_largest(self, before: Hit[int], after: Hit[int], hit: Hit[str]) -> bool:
        """Whether a measurement is that of the largest of what was mentioned last."""
        stated_next = hit.start < after.start < hit.end + 2  # "a 6 mm nodule"
        text = self._context.text[before.end : hit.start]
        return not stated_next and _LARGEST.search(text) is not None

    def nearest(self, hit: Hit[str]) -> int:
        """The phrase nearest to a hit, in whatever clause."""
        return self._nearest(self._around(hit), hit)

    def lenders(
        self, owned: list[tuple[Hit[str], int]], independent: Container[int]
    ) -> dict[int, int]:
        """The owner of the place that a phrase without any shares, if it shares one.

        "Atelectasis and consolidation in the left lung": both are on the left. "Atelectasis and
        left effusion": one is, for "left" stands right before what it belongs to. `owned` has the
        places with their owners in the text's order; `independent` phrases share none.
        """
        starts = [place.start for place, _ in owned]
        owners = {owner for _, owner in owned}
        lenders: dict[int, int] = {}
        for phrase in self._phrases:
            number = phrase.item
            if number in owners or number in independent:
                continue
            clause = self._context.clause(phrase.start)
            index = bisect_left(starts, phrase.start)
            lowest = -1
            for at in range(max(0, index - 1), min(index + 2, len(owned))):
                place, owner = owned[at]
                if at >= index and 0 <= self._phrases[owner].start - place.end < _PREMODIFIES:
                    continue
                if self._context.clause(place.start) != clause:
                    continue
                cost = self._cost(phrase, place)
                if lowest < 0 or cost < lowest:
                    lowest, lenders[number] = cost, owner
        return lenders

    def _around(self, hit: Hit[str]) -> list[Hit[int]]:
        """The last phrase that begins before a hit and the first that begins after it."""
        index = bisect_left(self._starts, hit.start + 1)
        return self._phrases[max(0, index - 1) : index + 1]

    def _nearest(self, phrases: list[Hit[int]], hit: Hit[str]) -> int:
        first = phrases[0]
        if len(phrases) == 1 or self._cost(first, hit) <= self._cost(phrases[1], hit):
            return first.item
        return phrases[1].item

    def _cost(self, phrase: Hit[int], hit: Hit[str]) -> int:
        """Characters between a phrase and a hit, with more for each border crossed."""
        low, high = min(phrase.end, hit.end), max(phrase.start, hit.start)
        if low >= high:
            return 0
        text = self._context.text
        between = text[low:high]
        cost = len(between)
        if "," in between:
            cost += _COMMA * between.count(",")
        if " and " in between:
            cost += _AND * between.count(" and ")
        if "(" in between or ")" in between:
            cost += _BRACKET
        if len(self._phrases) > 2:
            crossed = bisect_left(self._starts, high) - bisect_left(self._starts, low)
            cost += _PHRASE * crossed
        if low == hit.end and hit.item != MEASURE:
            before = text[max(0, hit.start - 16) : hit.start]
            if between[0] == "," or _PREPOSITION.search(before):
                cost += _FORWARD
        return cost
