"""How a mention is meant: existence, time, change, experiencer, from the cues of its sentence."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import NamedTuple

from configs.contracts import Assessability, Change, Existence, Experiencer, Temporality
from configs.cue import Direction, Meaning, Scope
from labeler.lexicon import Hit

_NEAR = 30
_RELATIVE_VERB = 16  # characters from "which" to its verb: "which has also been seen"
_BY_STRENGTH = (
    (Meaning.ABSENT, Existence.ABSENT),
    (Meaning.NEW, Existence.PRESENT),
    (Meaning.RESOLVED, Existence.ABSENT),
    (Meaning.UNCERTAIN, Existence.UNCERTAIN),
    (Meaning.PRESENT, Existence.PRESENT),
)
_OUTWEIGH_PRIOR = frozenset({Meaning.CURRENT, Meaning.STABLE, Meaning.NEW})
_CHANGES = {
    Meaning.NEW: Change.NEW,
    Meaning.RESOLVED: Change.RESOLVED,
    Meaning.LARGER: Change.LARGER,
    Meaning.SMALLER: Change.SMALLER,
    Meaning.STABLE: Change.STABLE,
}


@dataclass(frozen=True, slots=True)
class CompiledCue:
    """A cue rule as the engine uses it."""

    means: Meaning
    direction: Direction
    scope: Scope
    predicate: bool
    opens: bool
    value: str | None


class FoundCue(NamedTuple):
    """A cue at its place in a sentence."""

    start: int
    end: int
    cue: CompiledCue


class Judgement(NamedTuple):
    """The context of one mention."""

    existence: Existence
    temporality: Temporality
    change: Change | None
    hypothetical: bool
    experiencer: Experiencer
    assessability: Assessability
    cue: str | None


PLAIN = Judgement(
    Existence.PRESENT,
    Temporality.CURRENT,
    None,
    False,
    Experiencer.PATIENT,
    Assessability.FULL,
    None,
)


class Context:
    """The cues of one sentence and the clauses that they cut it into."""

    def __init__(self, lowered: str, hits: list[Hit]) -> None:
        """`hits` are the sentence's cue hits by start, longest first."""
        self.text = lowered
        self.cues = _without_overlaps(lowered, hits)
        self.clauses = _clause_starts(lowered, self.cues)

    def clause(self, position: int) -> int:
        """The number of the clause that a position lies in."""
        return 0 if len(self.clauses) == 1 else bisect_right(self.clauses, position) - 1

    def governing(self, start: int, end: int) -> list[FoundCue]:
        """The cues whose scope holds the stretch from start to end."""
        return [cue for cue in self.cues if self._governs(cue, start, end)]

    def _governs(self, found: FoundCue, start: int, end: int) -> bool:
        cue = found.cue
        if found.start < end and start < found.end and not (start < found.start < found.end < end):
            return False  # the mention's own words judge nothing, save a denial amid them
        if cue.direction is Direction.AFTER and start < found.start:
            return False
        if cue.direction is Direction.BEFORE and end > found.end:
            return False
        if cue.means is Meaning.PRIOR and self._bracketed(found, start):
            return False
        if cue.scope is Scope.SENTENCE:
            return True
        if cue.scope is Scope.CLAUSE:
            if self.clause(found.start) != self.clause(start):
                return False
            return not (
                cue.means is Meaning.ABSENT
                and cue.direction is Direction.AFTER
                and self._predicate_between(found.end, start)
            )
        low, high = min(end, found.end), max(start, found.start)
        between = self.text[low:high]
        if cue.scope is Scope.PART:
            return "," not in between
        return len(between) <= _NEAR and "," not in between

    def _bracketed(self, found: FoundCue, start: int) -> bool:
        """Whether a cue stands in brackets that the position lies outside of."""
        opening = self.text.rfind("(", 0, found.start)
        closing = self.text.find(")", found.end)
        inside = opening >= 0 and closing >= 0 and self.text.find(")", opening, found.start) < 0
        return inside and not opening < start < closing

    def _predicate_between(self, low: int, high: int) -> bool:
        return any(cue.cue.predicate and low <= cue.start and cue.end <= high for cue in self.cues)

    def beside(self, mention: Hit, hits: list[Hit]) -> list[Hit]:
        """Those of the hits that lie in the same clause as a mention."""
        if len(self.clauses) == 1:
            return hits
        clause = self.clause(mention.start)
        return [hit for hit in hits if self.clause(hit.start) == clause]

    def judge(self, end: int, governing: list[FoundCue]) -> Judgement:
        """The context of a mention that ends at `end`, given the cues that govern it."""
        question = self._question(end)
        if not governing and not question:
            return PLAIN
        by_meaning: dict[Meaning, FoundCue] = {}
        for found in governing:
            by_meaning.setdefault(found.cue.means, found)
        existence, decider = _existence(by_meaning, governing)
        if existence is Existence.PRESENT and question:
            existence, decider = Existence.UNCERTAIN, None
        assessability = Assessability.FULL
        if Meaning.UNASSESSABLE in by_meaning and decider is None:
            assessability, existence = Assessability.NONE, Existence.UNCERTAIN
            decider = by_meaning[Meaning.UNASSESSABLE]
        elif Meaning.LIMITED in by_meaning:
            assessability = Assessability.LIMITED
        is_prior = (
            Meaning.PRIOR in by_meaning
            and _OUTWEIGH_PRIOR.isdisjoint(by_meaning)
            and existence is not Existence.ABSENT
            and not _affirmed_after(by_meaning[Meaning.PRIOR], governing)
        )
        if is_prior:
            decider = by_meaning[Meaning.PRIOR]
        undecided = "?" if existence is Existence.UNCERTAIN else None
        return Judgement(
            existence,
            Temporality.PRIOR if is_prior else Temporality.CURRENT,
            next((change for means, change in _CHANGES.items() if means in by_meaning), None),
            Meaning.HYPOTHETICAL in by_meaning,
            Experiencer.OTHER if Meaning.OTHER_PERSON in by_meaning else Experiencer.PATIENT,
            assessability,
            self.text[decider.start : decider.end] if decider else undecided,
        )

    def _question(self, end: int) -> bool:
        mark = self.text.find("?", end, end + 60)
        return mark >= 0 and not any(stop in self.text[end:mark] for stop in ".;),")


def _existence(
    by_meaning: dict[Meaning, FoundCue], governing: list[FoundCue]
) -> tuple[Existence, FoundCue | None]:
    """The existence that the strongest cue gives, and that cue."""
    for found in governing:
        if found.cue.means is Meaning.PRESENT and found.cue.scope is Scope.PART:
            return Existence.PRESENT, found  # "except ..."
    for means, existence in _BY_STRENGTH:
        if means in by_meaning:
            return existence, by_meaning[means]
    return Existence.PRESENT, None


def _affirmed_after(prior: FoundCue, governing: list[FoundCue]) -> bool:
    """Whether it goes on: "which was seen in the previous examination, is observed in ..."."""
    return prior.cue.direction is Direction.BEFORE and any(
        found.cue.means is Meaning.PRESENT and found.start >= prior.end for found in governing
    )


def _without_overlaps(text: str, hits: list[Hit]) -> list[FoundCue]:
    kept: list[FoundCue] = []
    reached = 0
    for hit in hits:
        if hit.start >= reached:
            cue: CompiledCue = hit.item
            if cue.means is Meaning.ABSENT and text[: hit.start].rstrip(" ").endswith("-"):
                cue = replace(
                    cue, direction=Direction.BOTH, opens=False
                )  # "effusion - no thickening"
            kept.append(FoundCue(hit.start, hit.end, cue))
            reached = hit.end
    return kept


def _clause_starts(text: str, cues: list[FoundCue]) -> list[int]:
    """Where clauses begin: at words that open one, at a semicolon, and between two verbs."""
    starts = [0]
    verb_end: int | None = None
    relative_end = -_NEAR
    for found in cues:
        if found.cue.means is Meaning.NOTHING:
            continue
        if found.cue.means is Meaning.RELATIVE:
            relative_end = found.end
            continue
        if found.cue.opens:
            if found.start > starts[-1]:
                starts.append(found.start)
            verb_end = None
        if found.cue.predicate and not 0 <= found.start - relative_end < _RELATIVE_VERB:
            if verb_end is not None:
                border = _border(text, verb_end, found.start)
                if border is not None:
                    starts.append(border)
            verb_end = found.end
    semicolon = text.find(";")
    while semicolon >= 0:
        starts.append(semicolon + 1)
        semicolon = text.find(";", semicolon + 1)
    starts.sort()
    return starts


def _border(text: str, low: int, high: int) -> int | None:
    comma = text.find(",", low, high)
    if comma >= 0:
        return comma + 1
    conjunction = text.find(" and ", low, high)
    return conjunction + 1 if conjunction >= 0 else None
