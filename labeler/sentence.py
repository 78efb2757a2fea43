"""One sentence to facts: mentions, each with its place, context and attributes."""

from itertools import pairwise
from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.contracts import Existence
from configs.cue import CuePack, Meaning
from configs.finding import Finding, ancestors
from labeler.attributes import NO_ATTRIBUTES, AttributeReader, Attributes
from labeler.clauses import CompiledCue
from labeler.context import PLAIN, Context, Judgement
from labeler.fact import Fact
from labeler.lexicon import Entry, Hit, HitKind, Lexicon, lower
from labeler.places import ELSEWHERE, Places

LIMITED_PREFIX = "limited_"
"""`limited_mediastinum` is the fact that the mediastinum could not be judged, or not well."""
NORMAL_PREFIX = "normal_"
"""`normal_lung` is the fact that the lung as a whole is said to be normal."""


class SentenceFacts(NamedTuple):
    """What a sentence says, with offsets counted from its own start."""

    facts: tuple[Fact, ...]
    place: str | None
    """The place that the next sentence may go on speaking of."""
    open: bool
    """Some fact takes its place from the sentences before."""
    by_reference: bool
    no_contrast: bool


class SentenceReader:
    """Reads sentences one at a time; holds everything compiled, keeps no state between them."""

    def __init__(
        self, findings: dict[str, Finding], anatomy: Anatomy, packs: tuple[CuePack, ...]
    ) -> None:
        self._findings = findings
        self._anatomy = anatomy
        self._broader = {name: frozenset(ancestors(name, findings)) for name in findings}
        self._places = Places(findings, anatomy)
        self._lexicon = Lexicon(_entries(findings, anatomy, packs))

    def read(self, text: str, section: str, topic: str, inherited: str | None) -> SentenceFacts:
        """The facts of one sentence; `inherited` is the place that the text last spoke of."""
        lowered = lower(text)
        hits = self._lexicon.hits(lowered)
        named = self._places.named(hits[HitKind.PLACE])
        if topic:
            of_topic = self._places.named(self._lexicon.hits(topic)[HitKind.PLACE])
            inherited = of_topic[0].item if of_topic else inherited
        last_place = named[0].item if named else (inherited if topic else None)
        said = {hit.item.means for hit in hits[HitKind.CUE]}
        by_reference, no_contrast = Meaning.BY_REFERENCE in said, Meaning.NO_CONTRAST in said
        mentions = _mentions(hits[HitKind.FINDING], hits[HitKind.VETO])
        subjects = hits[HitKind.SUBJECT] + hits[HitKind.WHOLE]
        if not mentions and not subjects and not named:
            return SentenceFacts((), last_place, False, by_reference, no_contrast)
        context = Context(lowered, hits[HitKind.CUE])
        is_open = False
        placed: list[tuple[Hit, str | None]] = []
        for mention in mentions:
            place, is_inherited = self._places.of(mention, named, context, inherited)
            is_open = is_open or is_inherited
            if place is not ELSEWHERE:
                placed.append((mention, place))
        facts: list[Fact] = []
        if placed:
            placed = self._narrowest(placed)
            attributes = AttributeReader(self._anatomy, hits, [m for m, _ in placed], context)
            for mention, place in placed:
                governing = context.governing(mention.start, mention.end)
                if " no" in lowered:
                    governing += context.denials_within(mention.start, mention.end)
                judgement = context.judge(mention.end, governing)
                own = attributes.read(mention, governing)
                facts.append(_fact(text, section, mention, judgement, place, own))
        if subjects:
            facts += self._normal_facts(text, section, hits, context)
        if named and context.limits:
            facts += _limited_facts(text, section, named, context)
        return SentenceFacts(tuple(facts), last_place, is_open, by_reference, no_contrast)

    def judge(self, text: str, start: int, end: int) -> Judgement:
        """The context of any stretch of a sentence, be it a finding's words or not."""
        lowered = lower(text)
        context = Context(lowered, self._lexicon.hits(lowered)[HitKind.CUE])
        return context.judge(end, context.governing(start, end))

    def _narrowest(self, placed: list[tuple[Hit, str | None]]) -> list[tuple[Hit, str | None]]:
        """Without the broader findings that share words with a narrower one."""
        if all(one[1] <= following[0] for (one, _), (following, _) in pairwise(placed)):
            return placed
        return [
            (mention, place)
            for mention, place in placed
            if not any(
                other.start < mention.end
                and mention.start < other.end
                and mention.item in self._broader[other.item]
                for other, _ in placed
            )
        ]

    def _normal_facts(
        self, text: str, section: str, hits: list[list[Hit]], context: Context
    ) -> list[Fact]:
        """What normality says.

        "Heart size is normal" denies cardiomegaly; "lungs are clear" is a fact about the lung.
        """
        facts = []
        seen: set[str] = set()
        for kind in (HitKind.SUBJECT, HitKind.WHOLE):
            for hit in hits[kind]:
                if hit.item in seen:
                    continue
                governing = context.governing(hit.start, hit.end)
                cue = next((c for c in governing if c.cue.means is Meaning.NORMAL), None)
                if cue is None:
                    continue
                judgement = context.judge(hit.end, governing)
                judgement = judgement._replace(cue=context.text[cue.start : cue.end])
                if kind is HitKind.WHOLE:
                    if judgement.existence is not Existence.PRESENT:
                        continue
                    named, place = Hit(hit.start, hit.end, NORMAL_PREFIX + hit.item), hit.item
                else:
                    judgement = judgement._replace(existence=Existence.ABSENT)
                    named, place = hit, next(iter(self._findings[hit.item].anatomy), None)
                seen.add(hit.item)
                facts.append(_fact(text, section, named, judgement, place, NO_ATTRIBUTES))
        return facts


def _limited_facts(text: str, section: str, named: list[Hit], context: Context) -> list[Fact]:
    """A fact for each place that could not be judged, or not well, with the reason if named."""
    facts = []
    for found, level in context.limits:
        spoken_of = Hit(found.start, found.end, None)
        reason = f" ({context.reason})" if context.reason else ""
        judgement = PLAIN._replace(
            assessability=level, cue=context.text[found.start : found.end] + reason
        )
        for hit in context.beside(spoken_of, named):
            place = Hit(hit.start, hit.end, LIMITED_PREFIX + hit.item)
            facts.append(_fact(text, section, place, judgement, hit.item, NO_ATTRIBUTES))
    return facts


def _mentions(hits: list[Hit], vetoes: list[Hit]) -> list[Hit]:
    """Each finding's leftmost and longest hits, save those inside one of its vetoes."""
    vetoed: dict[str, list[Hit]] = {}
    for veto in vetoes:
        vetoed.setdefault(veto[2], []).append(veto)
    reached: dict[str, int] = {}
    mentions: list[Hit] = []
    for hit in hits:
        start, end, finding = hit
        if start < reached.get(finding, 0):
            continue
        if finding in vetoed and any(v[0] <= start and end <= v[1] for v in vetoed[finding]):
            continue
        reached[finding] = end
        mentions.append(hit)
    return mentions


def _fact(
    text: str,
    section: str,
    mention: Hit,
    judgement: Judgement,
    place: str | None,
    attributes: Attributes,
) -> Fact:
    start, end, finding = mention
    *context, cue = judgement
    columns = (section, 0, start, end, text[start:end], finding, *context, place, *attributes, cue)
    return tuple.__new__(Fact, columns)


def _entries(
    findings: dict[str, Finding], anatomy: Anatomy, packs: tuple[CuePack, ...]
) -> list[Entry]:
    entries: list[Entry] = []
    for name, finding in findings.items():
        entries += [Entry(phrase, HitKind.FINDING, name) for phrase in finding.phrases]
        entries += [Entry(phrase, HitKind.VETO, name) for phrase in finding.vetoes]
        entries += [Entry(phrase, HitKind.SUBJECT, name) for phrase in finding.subjects]
    for name, place in anatomy.places.items():
        entries += [Entry(phrase, HitKind.PLACE, name) for phrase in place.phrases]
        entries += [Entry(phrase, HitKind.WHOLE, name) for phrase in place.whole]
    for kind, table in (
        (HitKind.SIDE, anatomy.sides),
        (HitKind.LOBE, anatomy.lobes),
        (HitKind.SEGMENT, anatomy.segments),
    ):
        for name, words in table.items():
            entries += [Entry(phrase, kind, name) for phrase in words.phrases]
    for pack in packs:
        for cue in pack.cues:
            compiled = CompiledCue(
                cue.means, cue.direction, cue.scope, cue.predicate, cue.opens, cue.value
            )
            entries += [Entry(phrase, HitKind.CUE, compiled) for phrase in cue.phrases]
    return entries
