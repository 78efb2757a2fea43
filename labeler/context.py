"""The cues that speak of a mention: a sentence's clauses, and how far each of its cues reaches."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from configs.contracts import Assessability
from configs.cue import Direction, Meaning, Scope
from labeler.clauses import clause_starts
from labeler.cues import FoundCue, is_of_list, is_verdict, read_cues
from labeler.judgement import PLAIN, Judgement, judge
from labeler.lexicon import Hit, Hits, Item

_NEAR = 30  # characters between a cue and a mention that are near
_QUESTION = 60  # characters from a mention to its question mark
_PART = 300  # characters looked back over for what words of time belong to
_FAR = 1 << 30

_SILENT = frozenset(
    {
        Meaning.NOTHING,
        Meaning.STOP,
        Meaning.RELATIVE,
        Meaning.BY_REFERENCE,
        Meaning.NO_CONTRAST,
        Meaning.REASON,
    }
)
LIMITS = {Meaning.LIMITED: Assessability.LIMITED, Meaning.UNASSESSABLE: Assessability.NONE}
_REASONS = frozenset({Meaning.REASON, Meaning.NO_CONTRAST})
_VALUED = frozenset({Meaning.SEVERITY, Meaning.COUNT})
_ABSENT, _NORMAL, _PRIOR = Meaning.ABSENT, Meaning.NORMAL, Meaning.PRIOR
_INNER = frozenset({Meaning.ABSENT, Meaning.RESOLVED, Meaning.UNCERTAIN})
_AFTER, _BEFORE, _EITHER = Direction.AFTER, Direction.BEFORE, Direction.EITHER
_CLAUSE, _SENTENCE, _IS_NEAR = Scope.CLAUSE, Scope.SENTENCE, Scope.NEAR
_VALUE = Scope.VALUE


_Reach = tuple[int, int, int, int, FoundCue]
"""Where a mention must begin (from, before) and end (from, to) for a cue to speak of it."""


_SIZE_OR_COMPARISON = re.compile(
    r"(?:\d[^,;]{0,12}|[,;(]\s*|\b(?:than|as|like|unlike|which|that|those|ones?|compar\w+|similar"
    r"|differen\w+|chang\w+)\b[^,;]*)$"
)
"""What "in the previous CT" may be the time of, beside a mention: a size, or a comparison."""


_ASKS = re.compile(r"(?<![\w)])\? ?[^.,;:?]*$")  # "?pneumonia", "? small effusion"
_ASKS_REACH = 40  # characters before a mention in which its question mark stands
_VERB = re.compile(r"\b(?:is|are|was|were|has|have)\b")
_JOINT = re.compile(r",|\band\b|\w the\b")


class Context:
    """The cues of one sentence, the clauses that they cut it into, and how far each cue reaches."""

    __slots__ = (
        "_clauses",
        "_judged",
        "_may_ask",
        "_mentions",
        "_reaches",
        "_verbs",
        "has_values",
        "inner",
        "is_one_clause",
        "limits",
        "reason",
        "text",
        "verdicts",
    )

    def __init__(
        self,
        lowered: str,
        hits: Hits,
        mentions: Sequence[Hit[Any]] = (),
        borders: Sequence[int] = (),
    ) -> None:
        """`mentions` are those of the sentence by start, `borders` where clauses begin besides."""
        self.text = lowered
        self._mentions = mentions
        cues = read_cues(lowered, hits.cues, mentions[0].end if mentions else len(lowered))
        self._clauses = clause_starts(lowered, cues, borders, hits)
        self.is_one_clause = len(self._clauses) == 1
        self._verbs: list[FoundCue] = []
        self.limits: list[tuple[FoundCue, Assessability]] = []
        """The cues that say that something could not be judged, or not well."""
        self.reason: str | None = None
        self.has_values = False
        """Some cue says how severe or how many."""
        self.verdicts: list[FoundCue] = []
        """The words that call a whole examination normal, or the place that the text names."""
        self.inner: list[FoundCue] = []
        """The cues that deny or hedge."""
        speaking: list[FoundCue] = []
        for found in cues:
            cue = found.item
            if cue.predicate:
                self._verbs.append(found)
            means = cue.means
            if means not in _SILENT:
                speaking.append(found)
                if means in _INNER:
                    self.inner.append(found)
                elif means in _VALUED:
                    self.has_values = True
                elif means is _NORMAL:
                    if is_verdict(found):
                        self.verdicts.append(found)
                elif means in LIMITS:
                    self.limits.append((found, LIMITS[means]))
            elif means in _REASONS and self.reason is None:
                self.reason = lowered[found.start : found.end]
        self._reaches = [self._reach(found) for found in speaking]
        self._may_ask = "?" in lowered
        self._judged: tuple[list[FoundCue], Judgement] = [], PLAIN

    def clause(self, position: int) -> int:
        """The number of the clause that a position lies in."""
        return 0 if self.is_one_clause else bisect_right(self._clauses, position) - 1

    def beside(self, mention: Hit[Any], hits: list[Hit[Item]]) -> list[Hit[Item]]:
        """Those of the hits that lie in the same clause as a mention."""
        if self.is_one_clause or not hits:
            return hits
        clause = self.clause(mention.start)
        return [hit for hit in hits if self.clause(hit.start) == clause]

    def governing(self, start: int, end: int) -> list[FoundCue]:
        """The cues around the stretch from start to end that speak of it."""
        return [
            found
            for start_from, start_before, end_from, end_to, found in self._reaches
            if start_from <= start < start_before
            and end_from <= end <= end_to
            and (found.end <= start or found.start >= end)
        ]

    def own(self, start: int, end: int, governing: list[FoundCue]) -> list[FoundCue]:
        """The governing cues of a stretch without the denials of what is listed before it.

        A stretch with a verb of its own is no item of a list: "no effusion, and the heart is
        enlarged".
        """
        if not _VERB.search(self.text, start, end):
            return governing
        return [
            found
            for found in governing
            if found.item.means is not _ABSENT
            or found.item.direction is not _AFTER
            or not _JOINT.search(self.text, found.end, start)
        ]

    def within(self, start: int, end: int) -> list[FoundCue]:
        """What denies or hedges amid a stretch's own words: "heart is not enlarged"."""
        return [found for found in self.inner if start < found.start and found.end < end]

    def _reach(self, found: FoundCue) -> _Reach:
        start, end, cue = found.start, found.end, found.item
        means, scope, direction = cue.means, cue.scope, cue.direction
        if scope is _VALUE:
            return self._answered(found)
        low, high = 0, _FAR
        if scope is not _CLAUSE or not self.is_one_clause:
            low, high = self._span(found)
        if means is _PRIOR or (means is _ABSENT and direction is _BEFORE):
            low, high = self._within_brackets(found, low, high)
        if means is _ABSENT and direction is _AFTER:
            for verb in self._verbs:
                if verb.start >= end:
                    high = min(high, verb.end)
                    break
        if direction is _EITHER:
            direction, low = self._either(found)
        end_from, end_to = low, _FAR
        if scope is _IS_NEAR:
            end_from, high = max(low, start - _NEAR), min(high, end + _NEAR)
        if direction is _AFTER:
            low = max(low, start)
        elif direction is _BEFORE:
            end_to = end
        return low, high, end_from, end_to, found

    def _span(self, found: FoundCue) -> tuple[int, int]:
        """The stretch that a cue's scope covers, whatever its direction."""
        scope = found.item.scope
        if scope is _CLAUSE:
            clause = self.clause(found.start)
            following = clause + 1 < len(self._clauses)
            return self._clauses[clause], self._clauses[clause + 1] if following else _FAR
        if scope is _SENTENCE:
            return 0, _FAR
        comma = self.text.find(",", found.end)
        return self.text.rfind(",", 0, found.start) + 1, comma if comma >= 0 else _FAR

    def _answered(self, found: FoundCue) -> _Reach:
        """The reach of a value: the bare items of a list before its colon, else the last mention.

        "Effusion, pneumothorax: none" denies both, "mild emphysema, pneumothorax: none" one.
        """
        start = found.start
        first = self._clauses[self.clause(start)]
        last = max(mention.start for mention in self._mentions if mention.start < start)
        low = max(first, self.text.rfind(",", first, last) + 1)
        if is_of_list(self.text, start):
            while low > first and self._is_bare(before := self._item(first, low - 1), low - 1):
                low = before
        return low, start, low, found.end, found

    def _item(self, first: int, end: int) -> int:
        """Where the item of a list begins that ends at a comma."""
        return max(first, self.text.rfind(",", first, end) + 1)

    def _is_bare(self, start: int, end: int) -> bool:
        """Whether nothing but a mention stands there."""
        words = self.text[start:end]
        begins = start + len(words) - len(words.lstrip())
        ends = start + len(words.rstrip())
        return any((one.start, one.end) == (begins, ends) for one in self._mentions)

    def _either(self, found: FoundCue) -> tuple[Direction, int]:
        """Where a cue of either direction looks, and from where on.

        "In the previous CT there was a nodule" looks ahead, "There was a nodule in the previous CT"
        back over its part.
        """
        start, end = found.start, found.end
        following = self.text[end : end + 2].lstrip()
        is_last = start > 0 and (not following or following[0] in ".,;)")
        if is_last and not _SIZE_OR_COMPARISON.search(self.text, max(0, start - _PART), start):
            return _BEFORE, self.text.rfind(",", 0, start) + 1
        return _AFTER, 0

    def _within_brackets(self, found: FoundCue, low: int, high: int) -> tuple[int, int]:
        """The reach of a cue that stands in brackets; that of others as it is.

        "(27 mm in the previous examination)" speaks of what is in the brackets, "nodule (8 mm),
        mass (none)" of the part before them.
        """
        opening = self.text.rfind("(", 0, found.start)
        closing = self.text.find(")", found.end)
        if opening < 0 or closing < 0 or self.text.find(")", opening, found.start) >= 0:
            return low, high
        if found.item.means is _ABSENT:
            return max(low, self.text.rfind(",", 0, opening) + 1), high
        return max(low, opening), min(high, closing)

    def judge(self, start: int, end: int, governing: list[FoundCue]) -> Judgement:
        """The context of a mention from `start` to `end`, given the cues that govern it."""
        if self._may_ask and self._asked(start, end):
            return judge(self.text, governing, question=True)
        if governing != self._judged[0]:  # mentions of one clause mostly share their cues
            self._judged = governing, judge(self.text, governing, question=False)
        return self._judged[1]

    def _asked(self, start: int, end: int) -> bool:
        if _ASKS.search(self.text, max(0, start - _ASKS_REACH), start):
            return True
        mark = self.text.find("?", end, end + _QUESTION)
        return mark >= 0 and not any(stop in self.text[end:mark] for stop in ".;(),")
