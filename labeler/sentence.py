"""One sentence to facts: mentions, each with its place, context and attributes."""

from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.contracts import Existence
from configs.cue import CuePack, Meaning
from configs.finding import Finding, PlaceRule, ancestors
from labeler.attributes import Measurement, measurements
from labeler.context import CompiledCue, Context, Judgement
from labeler.fact import Fact
from labeler.lexicon import Entry, Hit, HitKind, Lexicon, lower

NORMAL_PREFIX = "normal_"
_REACH = 90


class SentenceFacts(NamedTuple):
    """What a sentence says, with offsets counted from its own start."""

    facts: tuple[Fact, ...]
    place: str | None
    """The place that the next sentence may go on speaking of."""
    open: bool
    """Some fact takes its place from the sentence before."""
    by_reference: bool


class Mention(NamedTuple):
    """A finding's words in a sentence."""

    start: int
    end: int
    finding: str


class SentenceReader:
    """Reads sentences one at a time; holds everything compiled, keeps no state between them."""

    def __init__(
        self, findings: dict[str, Finding], anatomy: Anatomy, packs: tuple[CuePack, ...]
    ) -> None:
        self.findings = findings
        self.anatomy = anatomy
        self._broader = {name: frozenset(ancestors(name, findings)) for name in findings}
        self._allowed = {
            name: frozenset(p for p in anatomy.places if anatomy.within(p, finding.anatomy))
            for name, finding in findings.items()
        }
        self._around = {
            name: frozenset(
                p for p in anatomy.places if any(anatomy.within(a, (p,)) for a in finding.anatomy)
            )
            for name, finding in findings.items()
        }
        self._lexicon = Lexicon(_entries(findings, anatomy, packs))

    def read(self, text: str, section: str, topic: str, inherited: str | None) -> SentenceFacts:
        """The facts of one sentence; `inherited` is the place that the text last spoke of."""
        lowered = lower(text)
        by_kind: list[list[Hit]] = [[] for _ in HitKind]
        for hit in self._lexicon.hits(lowered):
            by_kind[hit.kind].append(hit)
        places = self._places(by_kind[HitKind.PLACE])
        if topic:
            topic_places = self._places(
                [hit for hit in self._lexicon.hits(topic) if hit.kind is HitKind.PLACE]
            )
            inherited = topic_places[0].item if topic_places else inherited
        mentions = self._mentions(by_kind[HitKind.FINDING], by_kind[HitKind.VETO])
        subjects = by_kind[HitKind.SUBJECT] + by_kind[HitKind.WHOLE]
        last_place = places[0].item if places else (inherited if topic else None)
        if not mentions and not subjects:
            by_reference = any(
                hit.item.means is Meaning.BY_REFERENCE for hit in by_kind[HitKind.CUE]
            )
            return SentenceFacts((), last_place, False, by_reference)
        context = Context(lowered, by_kind[HitKind.CUE])
        sizes = measurements(lowered)
        placed: list[tuple[Mention, str | None]] = []
        is_open = False
        for mention in mentions:
            place, is_inherited = self._place_of(mention, places, context, inherited)
            is_open = is_open or is_inherited
            if place is not _ELSEWHERE:
                placed.append((mention, place))
        facts = [
            self._fact(
                text, section, mention, place, context.judge(*mention[:2]), by_kind, sizes, context
            )
            for mention, place in self._narrowest(placed)
        ]
        facts.extend(self._normal_facts(text, section, subjects, context))
        by_reference = any(cue.cue.means is Meaning.BY_REFERENCE for cue in context.cues)
        return SentenceFacts(tuple(facts), last_place, is_open, by_reference)

    def judge(self, text: str, start: int, end: int) -> Judgement:
        """The context of any stretch of a sentence, be it a finding's words or not."""
        lowered = lower(text)
        cues = [hit for hit in self._lexicon.hits(lowered) if hit.kind is HitKind.CUE]
        return Context(lowered, cues).judge(start, end)

    def _mentions(self, hits: list[Hit], vetoes: list[Hit]) -> list[Mention]:
        reached: dict[str, int] = {}
        mentions: list[Mention] = []
        for start, end, _, finding in hits:
            if start < reached.get(finding, 0):
                continue
            if any(
                veto.item == finding and veto.start <= start and end <= veto.end for veto in vetoes
            ):
                continue
            reached[finding] = end
            mentions.append(Mention(start, end, finding))
        return mentions

    def _narrowest(
        self, placed: list[tuple[Mention, str | None]]
    ) -> list[tuple[Mention, str | None]]:
        """Without the broader findings that share words with a narrower one."""
        if len(placed) < 2:
            return placed
        return [
            (mention, place)
            for mention, place in placed
            if not any(
                mention.finding in self._broader[other.finding]
                and other.start < mention.end
                and mention.start < other.end
                for other, _ in placed
            )
        ]

    def _places(self, hits: list[Hit]) -> list[Hit]:
        kept: list[Hit] = []
        reached = 0
        for hit in hits:
            if hit.start >= reached:
                kept.append(hit)
                reached = hit.end
        strong = [hit for hit in kept if not self.anatomy.places[hit.item].weak]
        if strong:
            return strong
        return [hit._replace(item=self.anatomy.places[hit.item].parent) for hit in kept]

    def _place_of(
        self, mention: Mention, places: list[Hit], context: Context, inherited: str | None
    ) -> tuple[str | None, bool]:
        """The mention's place (`_ELSEWHERE`: not this finding), and whether it was inherited."""
        finding = self.findings[mention.finding]
        allowed = self._allowed[mention.finding]
        assumed = finding.anatomy[0] if finding.anatomy else None
        clause = context.clause(mention.start)
        near = [hit for hit in places if context.clause(hit.start) == clause]
        chosen = _nearest(mention, [hit for hit in near if hit.item in allowed])
        if chosen is not None:
            return chosen.item, False
        if finding.place is PlaceRule.ASSUMED and assumed is not None:
            return assumed, False
        if finding.place is PlaceRule.REQUIRED:
            chosen = _nearest(mention, [hit for hit in places if hit.item in allowed])
            if chosen is None and not near:
                return (inherited if inherited in allowed else _ELSEWHERE), True
            return (chosen.item if chosen else _ELSEWHERE), False
        chosen = _nearest(mention, near) or _nearest(mention, places)
        place, is_inherited = (chosen.item, False) if chosen else (inherited, True)
        if finding.place is not PlaceRule.EXCLUSIVE:
            return place or assumed, is_inherited
        if is_inherited or place in self._around[mention.finding]:
            return assumed, is_inherited
        return _ELSEWHERE, False

    def _fact(
        self,
        text: str,
        section: str,
        mention: Mention,
        place: str | None,
        judgement: Judgement,
        by_kind: list[list[Hit]],
        sizes: list[Measurement],
        context: Context,
    ) -> Fact:
        start, end = mention.start, mention.end
        clause = context.clause(start)
        side_hit = _attached(mention, by_kind[HitKind.SIDE], context, clause)
        lobe_hit = _attached(mention, by_kind[HitKind.LOBE], context, clause)
        segment_hit = _attached(mention, by_kind[HitKind.SEGMENT], context, clause)
        side = side_hit.item if side_hit else None
        lobe = lobe_hit.item if lobe_hit else None
        if lobe is not None:
            side = self.anatomy.lobes[lobe].side or side
            if lobe in ("upper_lobe", "lower_lobe") and side in ("right", "left"):
                lobe = f"{side}_{lobe}"
        measured = _attached_size(mention, sizes, context, clause)
        severity = next(
            (
                found.cue.value
                for found in context.governing(start, end)
                if found.cue.means is Meaning.SEVERITY
            ),
            None,
        )
        return Fact(
            section,
            0,
            start,
            end,
            text[start:end],
            mention.finding,
            judgement.existence,
            judgement.temporality,
            judgement.change,
            judgement.hypothetical,
            judgement.experiencer,
            judgement.assessability,
            place,
            side,
            lobe,
            segment_hit.item if segment_hit else None,
            max(measured) if measured else None,
            measured,
            None,
            severity,
            None,
            judgement.cue,
        )

    def _normal_facts(
        self, text: str, section: str, subjects: list[Hit], context: Context
    ) -> list[Fact]:
        """Absent facts from normality: "heart size is normal" denies cardiomegaly."""
        facts = []
        seen: set[str] = set()
        for hit in subjects:
            cue = next(
                (
                    found
                    for found in context.governing(hit.start, hit.end)
                    if found.cue.means is Meaning.NORMAL
                ),
                None,
            )
            whole = hit.kind is HitKind.WHOLE
            finding = NORMAL_PREFIX + hit.item if whole else hit.item
            if cue is None or finding in seen:
                continue
            seen.add(finding)
            judgement = context.judge(hit.start, hit.end)
            if whole and judgement.existence is not Existence.PRESENT:
                continue
            existence = Existence.PRESENT if whole else Existence.ABSENT
            anatomy = self.findings[finding].anatomy[:1] if not whole else (hit.item,)
            facts.append(
                Fact(
                    section, 0, hit.start, hit.end, text[hit.start : hit.end], finding, existence,
                    judgement.temporality, judgement.change, judgement.hypothetical,
                    judgement.experiencer, judgement.assessability,
                    anatomy[0] if anatomy else None, None, None, None, None, (), None, None, None,
                    context.text[cue.start : cue.end],
                )
            )  # fmt: skip
        return facts


_ELSEWHERE = "elsewhere"


def _nearest(mention: Mention, hits: list[Hit]) -> Hit | None:
    return min(hits, key=lambda hit: _distance(mention, hit.start, hit.end), default=None)


def _distance(mention: Mention, start: int, end: int) -> int:
    if end <= mention.start:
        return mention.start - end
    return max(start - mention.end, 0)


def _attached(mention: Mention, hits: list[Hit], context: Context, clause: int) -> Hit | None:
    near = [hit for hit in hits if context.clause(hit.start) == clause]
    return _nearest(mention, near)


def _attached_size(
    mention: Mention, sizes: list[Measurement], context: Context, clause: int
) -> tuple[float, ...]:
    near = [
        size
        for size in sizes
        if context.clause(size.start) == clause
        and _distance(mention, size.start, size.end) <= _REACH
    ]
    if not near:
        return ()
    return min(near, key=lambda size: _distance(mention, size.start, size.end)).diameters_mm


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
