"""Facts of what a text calls normal, and of what it says could not be judged."""

from configs.anatomy import Anatomy
from configs.contracts import Existence
from configs.cue import Meaning
from configs.finding import Finding
from labeler.attributes import NO_ATTRIBUTES, fact_of
from labeler.context import Context
from labeler.fact import Fact
from labeler.judgement import PLAIN, Judgement
from labeler.lexicon import Hit, Hits

_ABSENT = Existence.ABSENT
_PRESENT = Existence.PRESENT
_NORMAL = Meaning.NORMAL
LIMITED_PREFIX = "limited_"
"""`limited_mediastinum` is the fact that the mediastinum could not be judged, or not well."""
NORMAL_PREFIX = "normal_"
"""`normal_lung` is the fact that the lung as a whole is said to be normal."""


class Normality:
    """Reads what sentences call normal."""

    def __init__(self, findings: dict[str, Finding], anatomy: Anatomy) -> None:
        self._findings = findings
        self._normal = {name for name, at in anatomy.places.items() if at.normal_rules_out}

    def facts(self, text: str, section: str, hits: Hits, context: Context) -> list[Fact]:
        """What normality says.

        "Heart size is normal" denies cardiomegaly; "lungs are clear" is a fact about the lung.
        """
        facts: list[Fact] = []
        seen: set[str] = set()
        for hit in hits.subjects:
            if hit.item in seen or (judgement := _normal(hit, context)) is None:
                continue
            seen.add(hit.item)
            judgement = judgement._replace(existence=_ABSENT)
            place = next(iter(self._findings[hit.item].anatomy), None)
            facts.append(fact_of(text, section, hit, judgement, place, NO_ATTRIBUTES))
        for hit in hits.wholes:
            if hit.item in seen or (judgement := _normal(hit, context)) is None:
                continue
            if judgement.existence is _PRESENT:
                seen.add(hit.item)
                whole = Hit(hit.start, hit.end, NORMAL_PREFIX + hit.item)
                facts.append(fact_of(text, section, whole, judgement, hit.item, NO_ATTRIBUTES))
        return facts

    def verdicts(self, text: str, section: str, about: set[str], context: Context) -> list[Fact]:
        """What words say that call by themselves a place normal: "no significant abnormality".

        That is the one place that the sentence is about, else the one that the words mean.
        """
        facts: list[Fact] = []
        for found in context.verdicts:
            place = found.item.value if not about or found.item.value in about else min(about)
            governing = context.governing(found.start, found.end)
            judgement = context.judge(found.start, found.end, governing)
            if place not in self._normal or (about and {place} != about):
                continue
            if judgement.existence is _PRESENT:
                judgement = judgement._replace(cue=context.text[found.start : found.end])
                whole = Hit(found.start, found.end, f"{NORMAL_PREFIX}{place}")
                facts.append(fact_of(text, section, whole, judgement, place, NO_ATTRIBUTES))
        return facts


def is_within(fact: Fact, normal: list[Fact]) -> bool:
    """Whether a mention is of what the text calls normal: "the lymph nodes are unremarkable"."""
    return any(one.start <= fact.start and fact.end <= one.end for one in normal)


def limited_facts(
    text: str, section: str, named: list[Hit[str]], hits: Hits, context: Context
) -> list[Fact]:
    """A fact for each place that could not be judged, or not well, with the reason if named.

    Of a part of it the fact has side, lobe or segment: "the apices cannot be evaluated".
    """
    facts = []
    for found, level in context.limits:
        reason = f" ({context.reason})" if context.reason else ""
        judgement = PLAIN._replace(
            assessability=level, cue=context.text[found.start : found.end] + reason
        )
        part = NO_ATTRIBUTES._replace(
            side=_only(context.beside(found, hits.sides)),
            lobe=_only(context.beside(found, hits.lobes)),
            segment=_only(context.beside(found, hits.segments)),
        )
        for hit in context.beside(found, named):
            place = Hit(hit.start, hit.end, LIMITED_PREFIX + hit.item)
            facts.append(fact_of(text, section, place, judgement, hit.item, part))
    return facts


def _only(hits: list[Hit[str]]) -> str | None:
    items = {hit.item for hit in hits}
    return items.pop() if len(items) == 1 else None


def _normal(hit: Hit[str], context: Context) -> Judgement | None:
    """The context of a subject or place that is called normal, with that word as cue."""
    governing = context.governing(hit.start, hit.end)
    for found in governing:
        if found.item.means is _NORMAL:
            judgement = context.judge(hit.start, hit.end, governing)
            return judgement._replace(cue=context.text[found.start : found.end])
    return None
