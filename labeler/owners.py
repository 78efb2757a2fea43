"""Which mention of a sentence a side, a lobe or a measurement belongs to."""

import re
from bisect import bisect_left
from collections.abc import Container

from labeler.context import Context
from labeler.lexicon import Hit

MEASURE = None
"""The item of a hit that is a measurement, not a place."""
_COMMA, _AND, _BRACKET, _PHRASE, _FORWARD = 20, 10, 40, 25, 80
"""As how many characters of distance a border counts. Forward: a place that follows a preposition,
or that a comma follows, rarely speaks of what comes next ("opacity in the left lung, nodules")."""
_PREMODIFIES = 12  # characters between a place and the mention that it stands before
_PREPOSITION = re.compile(r"\b(?:in|of|on|at|from|within) (?:the |both )?$")
_SCENE = re.compile(r"(?:^|, ?)\W{0,4}(?:in|on|at|within|along|through|around|adjacent to) [^,]*$")
_THERE_IS = re.compile(r"[^,;]{0,40}\bthere (?:is|are|was|were)\b")
_GOES_ON = re.compile(
    r"\b(?:largest|biggest|larger|which|most|more|some|one|others?|extend(?:s|ing|ed)?)\b"
)


class Owners:
    """The noun phrases of a sentence's mentions, and what belongs to each.

    "Nodular mass lesion" is one phrase of three mentions. A place or a measurement belongs to the
    nearest phrase of its clause, where commas, brackets and "and" count as distance.
    """

    def __init__(self, context: Context, mentions: list[Hit]) -> None:
        """`mentions` stand in the text's order; there is at least one."""
        self._context = context
        self._phrase_of = _noun_phrases(context.text, mentions)
        self._phrases = list(dict.fromkeys(self._phrase_of.values()))
        self._starts = [phrase.start for phrase in self._phrases]
        self.is_one = len(self._phrases) == 1 and context.is_one_clause
        """There is a single phrase in a single clause, to which everything belongs."""

    def phrase(self, mention: Hit) -> Hit:
        """The noun phrase that a mention is part of."""
        return self._phrase_of[mention]

    def owner(self, hit: Hit) -> Hit | None:
        """The phrase that a hit belongs to; None where its clause speaks of none."""
        if self.is_one:
            return self._phrases[0]
        around = self._around(hit)
        near = self._context.beside(hit, around)
        before, after = around[0], around[-1]
        text = self._context.text
        if before.start <= hit.start:
            if before not in near and _GOES_ON.search(text, before.end, hit.start):
                return before  # "nodules were seen, the largest of which is in the left lung"
            scene = text[before.end : hit.start]
        else:
            scene = text[: hit.start]
        opens = after.start > hit.start and (not near or _THERE_IS.match(text, hit.end))
        if opens and _SCENE.search(scene):
            return after  # "on the left there is a nodule"
        return self._nearest(near, hit) if near else None

    def nearest(self, hit: Hit) -> Hit:
        """The phrase nearest to a hit, in whatever clause."""
        return self._nearest(self._around(hit), hit)

    def lenders(self, owner_of: dict[Hit, Hit], independent: Container[Hit]) -> dict[Hit, Hit]:
        """The owner of the place that a phrase without any shares, if it shares one.

        "Atelectasis and consolidation in the left lung": both are on the left. "Atelectasis and
        left effusion": one is, for "left" stands right before what it belongs to. `owner_of` has
        the places in the text's order; `independent` phrases share none.
        """
        places = list(owner_of)
        starts = [place.start for place in places]
        owners = set(owner_of.values())
        lenders = {}
        for phrase in self._phrases:
            if phrase in owners or phrase in independent:
                continue
            index = bisect_left(starts, phrase.start)
            lent = places[max(0, index - 1) : index]
            lent += [
                place
                for place in places[index : index + 2]
                if not 0 <= owner_of[place].start - place.end < _PREMODIFIES
            ]
            if lent := self._context.beside(phrase, lent):
                closest = min(lent, key=lambda place: self._cost(phrase, place))
                lenders[phrase] = owner_of[closest]
        return lenders

    def _around(self, hit: Hit) -> list[Hit]:
        """The last phrase that begins before a hit and the first that begins after it."""
        index = bisect_left(self._starts, hit.start + 1)
        return self._phrases[max(0, index - 1) : index + 1]

    def _nearest(self, phrases: list[Hit], hit: Hit) -> Hit:
        if len(phrases) == 1:
            return phrases[0]
        return min(phrases, key=lambda phrase: self._cost(phrase, hit))

    def _cost(self, phrase: Hit, hit: Hit) -> int:
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
        if low == hit.end and hit.item is not MEASURE:
            before = text[max(0, hit.start - 16) : hit.start]
            if between[0] == "," or _PREPOSITION.search(before):
                cost += _FORWARD
        return cost


def _noun_phrases(text: str, mentions: list[Hit]) -> dict[Hit, Hit]:
    """The noun phrase of each mention: mentions that overlap or follow each other are one."""
    if len(mentions) == 1:
        return {mentions[0]: mentions[0]}
    phrases: dict[Hit, Hit] = {}
    members: list[Hit] = []
    start = end = 0
    for mention in mentions:
        if members and text[end : mention.start].strip(" -/"):
            phrases |= dict.fromkeys(members, Hit(start, end, None))
            members = []
        if not members:
            start = mention.start
        end = max(end, mention.end)
        members.append(mention)
    return phrases | dict.fromkeys(members, Hit(start, end, None))
