"""One sentence to facts: mentions, each with its place, context and attributes."""

from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.contracts import Existence
from configs.cue import CuePack, Meaning
from configs.finding import Finding, ancestors
from labeler.attributes import NO_ATTRIBUTES, AttributeReader, Attributes
from labeler.context import LIMITS, Context
from labeler.cues import is_verdict
from labeler.ellipsis import find_ellipsis
from labeler.entries import entries
from labeler.fact import Fact
from labeler.judgement import PLAIN, Judgement
from labeler.lexicon import Hit, Hits, Lexicon, by_start_then_longest, lower
from labeler.places import ELSEWHERE, Places
from labeler.segment import IMPRESSION

LIMITED_PREFIX = "limited_"
"""`limited_mediastinum` is the fact that the mediastinum could not be judged, or not well."""
NORMAL_PREFIX = "normal_"
"""`normal_lung` is the fact that the lung as a whole is said to be normal."""


_Placed = tuple[Hit[str], str | None]
"""A mention and its place."""


class SentenceFacts(NamedTuple):
    """What a sentence says, with offsets counted from its own start."""

    facts: tuple[Fact, ...]
    place: str | None
    """The place that the next sentence may go on speaking of."""
    open: bool
    """Some fact takes its place from the sentences before."""
    by_reference: bool
    no_contrast: bool
    limited: bool
    """Some fact says that something could not be judged, or not well."""


class SentenceReader:
    """Reads sentences one at a time; holds everything compiled, keeps no state between them."""

    def __init__(
        self, findings: dict[str, Finding], anatomy: Anatomy, packs: tuple[CuePack, ...]
    ) -> None:
        self._findings = findings
        self._side_in_lobe = {name: lobe.side for name, lobe in anatomy.lobes.items()}
        self._broader = {name: frozenset(ancestors(name, findings)) for name in findings}
        self._places = Places(findings, anatomy)
        self._normal = {name for name, at in anatomy.places.items() if at.normal_rules_out}
        self._lexicon = Lexicon(entries(findings, anatomy, packs))

    def read(self, text: str, section: str, topic: str, inherited: str | None) -> SentenceFacts:
        """The facts of one sentence; `inherited` is the place that the text last spoke of.

        A sentence under a header that only names a place is read as if it began with the header.
        """
        lowered = lower(text)
        if not topic:
            return self._read(text, lowered, section, inherited)
        header = self._lexicon.hits(lower(topic))
        places = self._places.named(header.places)
        has_header = _has_header(lowered, topic)
        if has_header:
            lowered = lowered.replace(":", "/", 1)
        if not places:
            return self._read(text, lowered, section, inherited)
        shift = 0
        if not (has_header or header.findings or header.cues):
            shift = len(topic) + 2
            text, lowered = f"{topic}/ {text}", f"{lower(topic)}/ {lowered}"
        read = self._read(text, lowered, section, places[0].item)
        facts = tuple(_moved(fact, shift) for fact in read.facts if fact.end > shift)
        return read._replace(
            facts=facts if shift else read.facts, place=read.place or places[0].item
        )

    def _read(self, text: str, lowered: str, section: str, inherited: str | None) -> SentenceFacts:
        hits = self._lexicon.hits(lowered)
        named = self._places.named(hits.places)
        last_place = named[0].item if named else None
        said = {hit.item.means for hit in hits.cues}
        by_reference, no_contrast = Meaning.BY_REFERENCE in said, Meaning.NO_CONTRAST in said
        mentions = _mentions(hits.findings, hits.vetoes)
        is_normal = Meaning.NORMAL in said and bool(
            hits.subjects or hits.wholes or any(map(is_verdict, hits.cues))
        )
        is_limited = bool(named) and not said.isdisjoint(LIMITS)
        if not (mentions or is_normal or is_limited):
            return SentenceFacts((), last_place, False, by_reference, no_contrast, False)
        borders: list[int] = []
        if mentions and len(hits.sides) > 1:
            elliptic, borders, heads = find_ellipsis(lowered, mentions, hits)
            named_again = [one for one in mentions if one.start not in heads]
            mentions = sorted(named_again + elliptic, key=by_start_then_longest)
        context = Context(lowered, hits, mentions, borders)
        placed, is_open = self._placed(mentions, named, context, inherited)
        facts = self._mentioned(text, section, placed, hits, context) if placed else []
        if is_normal:
            normal = self._normal_facts(text, section, hits, context)
            if context.verdicts and not normal:
                about = {hit.item for hit in named}
                is_open = is_open or not about
                if about or inherited is None or section == IMPRESSION:
                    normal = self._verdicts(text, section, about, context)
            facts += normal
        limits = _limited_facts(text, section, named, context) if is_limited else []
        return SentenceFacts(
            tuple(facts + limits), last_place, is_open, by_reference, no_contrast, bool(limits)
        )

    def judge(self, text: str, start: int, end: int) -> Judgement:
        """The context of any stretch of a sentence, be it a finding's words or not."""
        lowered = lower(text)
        context = Context(lowered, self._lexicon.hits(lowered), [Hit(start, end, None)])
        return context.judge(start, end, context.governing(start, end))

    def _placed(
        self,
        mentions: list[Hit[str]],
        named: list[Hit[str]],
        context: Context,
        inherited: str | None,
    ) -> tuple[list[_Placed], bool]:
        """The mentions that mean their finding where they sit, without broader ones there.

        And whether some place hangs on the sentences before.
        """
        placed: list[_Placed] = []
        is_open = overlap = False
        reached = 0
        for mention in mentions:
            place, is_inherited = self._places.of(mention, named, context, inherited)
            is_open = is_open or is_inherited
            if place is not ELSEWHERE:
                placed.append((mention, place))
                overlap = overlap or mention.start < reached
                reached = mention.end
        if overlap:
            placed = [one for one in placed if not self._is_broader(one[0], placed)]
        return placed, is_open

    def _is_broader(self, mention: Hit[str], placed: list[_Placed]) -> bool:
        """Whether some other mention says the same more narrowly with some of the same words."""
        for other, _ in placed:
            if (
                other.start < mention.end
                and mention.start < other.end
                and mention.item in self._broader[other.item]
            ):
                return True
        return False

    def _mentioned(
        self, text: str, section: str, placed: list[_Placed], hits: Hits, context: Context
    ) -> list[Fact]:
        """The facts of mentions, each with its context and attributes."""
        attributes = AttributeReader(
            self._side_in_lobe, hits, [mention for mention, _ in placed], context
        )
        facts: list[Fact] = []
        for number, (mention, place) in enumerate(placed):
            governing = context.governing(mention.start, mention.end)
            if governing:
                governing = context.own(mention.start, mention.end, governing)
            if context.inner:
                governing += context.within(mention.start, mention.end)
            judgement = context.judge(mention.start, mention.end, governing)
            own = NO_ATTRIBUTES
            if not attributes.is_silent:
                own = attributes.read(
                    number,
                    governing,
                    has_lobe=self._places.has_lobe(mention, place),
                    is_midline=place in self._places.midline,
                )
            facts.append(_fact(text, section, mention, judgement, place, own))
        return facts

    def _normal_facts(self, text: str, section: str, hits: Hits, context: Context) -> list[Fact]:
        """What normality says.

        "Heart size is normal" denies cardiomegaly; "lungs are clear" is a fact about the lung.
        """
        facts: list[Fact] = []
        seen: set[str] = set()
        for hit in hits.subjects:
            if hit.item in seen or (judgement := _normal(hit, context)) is None:
                continue
            seen.add(hit.item)
            judgement = judgement._replace(existence=Existence.ABSENT)
            place = next(iter(self._findings[hit.item].anatomy), None)
            facts.append(_fact(text, section, hit, judgement, place, NO_ATTRIBUTES))
        for hit in hits.wholes:
            if hit.item in seen or (judgement := _normal(hit, context)) is None:
                continue
            if judgement.existence is Existence.PRESENT:
                seen.add(hit.item)
                whole = Hit(hit.start, hit.end, NORMAL_PREFIX + hit.item)
                facts.append(_fact(text, section, whole, judgement, hit.item, NO_ATTRIBUTES))
        return facts

    def _verdicts(self, text: str, section: str, about: set[str], context: Context) -> list[Fact]:
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
            if judgement.existence is Existence.PRESENT:
                judgement = judgement._replace(cue=context.text[found.start : found.end])
                whole = Hit(found.start, found.end, f"{NORMAL_PREFIX}{place}")
                facts.append(_fact(text, section, whole, judgement, place, NO_ATTRIBUTES))
        return facts


def _has_header(lowered: str, topic: str) -> bool:
    """Whether a sentence is the one that begins with its header: "heart: enlarged"."""
    colon = lowered.find(":")
    return colon >= 0 and lowered[:colon].rstrip().endswith(topic)


def _moved(fact: Fact, shift: int) -> Fact:
    """A fact of a sentence that was read behind its header, without that."""
    start = max(fact.start - shift, 0)
    end = fact.end - shift
    return fact._replace(
        start=start, end=end, text=fact.text[fact.end - fact.start - end + start :]
    )


def _normal(hit: Hit[str], context: Context) -> Judgement | None:
    """The context of a subject or place that is called normal, with that word as cue."""
    governing = context.governing(hit.start, hit.end)
    for found in governing:
        if found.item.means is Meaning.NORMAL:
            judgement = context.judge(hit.start, hit.end, governing)
            return judgement._replace(cue=context.text[found.start : found.end])
    return None


def _limited_facts(text: str, section: str, named: list[Hit[str]], context: Context) -> list[Fact]:
    """A fact for each place that could not be judged, or not well, with the reason if named."""
    facts = []
    for found, level in context.limits:
        reason = f" ({context.reason})" if context.reason else ""
        judgement = PLAIN._replace(
            assessability=level, cue=context.text[found.start : found.end] + reason
        )
        for hit in context.beside(found, named):
            place = Hit(hit.start, hit.end, LIMITED_PREFIX + hit.item)
            facts.append(_fact(text, section, place, judgement, hit.item, NO_ATTRIBUTES))
    return facts


def _mentions(hits: list[Hit[str]], vetoes: list[Hit[str]]) -> list[Hit[str]]:
    """Each finding's leftmost and longest hits, save those inside one of its vetoes."""
    vetoed: dict[str, list[Hit[str]]] = {}
    for veto in vetoes:
        vetoed.setdefault(veto.item, []).append(veto)
    reached: dict[str, int] = {}
    mentions: list[Hit[str]] = []
    for hit in hits:
        start, end, finding = hit.start, hit.end, hit.item
        if start < reached.get(finding, 0):
            continue
        if finding in vetoed and any(v.start <= start and end <= v.end for v in vetoed[finding]):
            continue
        reached[finding] = end
        mentions.append(hit)
    return mentions


def _fact(
    text: str,
    section: str,
    mention: Hit[str],
    judgement: Judgement,
    place: str | None,
    attributes: Attributes,
) -> Fact:
    start, end = mention.start, mention.end
    words = section, 0, start, end, text[start:end], mention.item
    return tuple.__new__(Fact, words + judgement[:-1] + (place,) + attributes + judgement[-1:])
