"""One sentence to facts: mentions, each with its place, context and attributes."""

from functools import lru_cache
from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.cue import CuePack, Meaning
from configs.finding import Finding, Kind, PlaceRule, ancestors
from labeler.attributes import NO_ATTRIBUTES, AttributeReader, fact_of, may_have_attributes
from labeler.context import LIMITS, Context
from labeler.cues import is_verdict
from labeler.ellipsis import EllipticReader, words_to_go_on
from labeler.entries import entries
from labeler.fact import Fact
from labeler.judgement import Judgement
from labeler.lexicon import Hit, Hits, Lexicon, by_start_then_longest, lower
from labeler.normality import Normality, is_within, limited_facts
from labeler.places import ELSEWHERE, Places
from labeler.segment import IMPRESSION

_BY_REFERENCE = Meaning.BY_REFERENCE
_NO_CONTRAST = Meaning.NO_CONTRAST
_NORMAL = Meaning.NORMAL
_REQUIRED = PlaceRule.REQUIRED
_UMBRELLA = Kind.UMBRELLA
_KNOWN_HEADERS = 1_000
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
    subject: str = ""
    """The words of the finding that the next sentence may go on speaking of."""
    goes_on: bool = False
    """Itself names none, and says something of another side or place: "Small on the left."."""


class SentenceReader:
    """Reads sentences one at a time; holds everything compiled, keeps no state between them."""

    def __init__(
        self, findings: dict[str, Finding], anatomy: Anatomy, packs: tuple[CuePack, ...]
    ) -> None:
        self._findings = findings
        self._side_in_lobe = {name: lobe.side for name, lobe in anatomy.lobes.items()}
        self._broader = {name: frozenset(ancestors(name, findings)) for name in findings}
        self._places = Places(findings, anatomy)
        self._normality = Normality(findings, anatomy)
        self._ellipsis = EllipticReader(packs)
        self._lexicon = Lexicon(entries(findings, anatomy, packs))
        self._header = lru_cache(_KNOWN_HEADERS)(self._read_header)

    def read(
        self, text: str, section: str, topic: str, inherited: str | None, subject: str = ""
    ) -> SentenceFacts:
        """The facts of one sentence; `inherited` is the place that the text last spoke of.

        `subject` are the words of the sentence before that this one goes on with, if it does.

        A sentence that names neither place nor finding is read as if it began with the header that
        it stands under, where that only names a place: "HEART: Rhythm is regular. Enlarged."
        """
        if subject:
            return self._behind(subject, text, section, inherited)
        lowered = lower(text)
        if not topic:
            return self._read(text, lowered, section, inherited)
        places, says_more = self._header(topic)
        colon = _colon(lowered, topic)
        if colon >= 0:
            lowered = lowered.replace(":", "/", 1)
        if not places:
            return self._read(text, lowered, section, inherited, colon)
        shift = 0
        hits = self._lexicon.hits(lowered)
        if not (colon >= 0 or says_more or self._names_its_own(hits)):
            shift = len(topic) + 2
            text, lowered = f"{topic}/ {text}", f"{lower(topic)}/ {lowered}"
            hits = self._lexicon.hits(lowered)
        header_places = frozenset(places)
        read = self._read(text, lowered, section, places[0], colon, header_places, hits=hits)
        facts = tuple(_moved(fact, shift) for fact in read.facts if fact.end > shift)
        return read._replace(facts=facts if shift else read.facts, place=read.place or places[0])

    def _behind(
        self, subject: str, text: str, section: str, inherited: str | None
    ) -> SentenceFacts:
        """The facts of a sentence read behind words of the one before: "effusion/ left small".

        What lies in the midline has no other side: "No pericardial effusion. Small on the right."
        goes on with something else.
        """
        shift = len(subject) + 2
        whole = f"{subject}/ {text}"
        read = self._read(whole, lower(whole), section, inherited, is_behind=True)
        facts = tuple(
            _moved(fact, shift)
            for fact in read.facts
            if fact.end > shift and not (fact.side and fact.anatomy in self._places.midline)
        )
        return read._replace(facts=facts, open=True)

    def _read_header(self, topic: str) -> tuple[tuple[str, ...], bool]:
        """The places that a header names, and whether it says anything else that counts."""
        hits = self._lexicon.hits(lower(topic))
        places = tuple(hit.item for hit in self._places.named(hits.places))
        return places, bool(hits.findings or hits.cues)

    def _names_its_own(self, hits: Hits) -> bool:
        return bool(hits.places or hits.lobes) or any(
            self._findings[hit.item].place is not _REQUIRED for hit in hits.findings
        )

    def _read(
        self,
        text: str,
        lowered: str,
        section: str,
        inherited: str | None,
        colon: int = -1,
        header: frozenset[str] = frozenset(),
        *,
        is_behind: bool = False,
        hits: Hits | None = None,
    ) -> SentenceFacts:
        """The facts of a text that `lower` has prepared; `hits` are its own, where known."""
        if hits is None:
            hits = self._lexicon.hits(lowered)
        named = self._places.named(hits.places)
        last_place = named[0].item if named else None
        said = {hit.item.means for hit in hits.cues}
        by_reference, no_contrast = _BY_REFERENCE in said, _NO_CONTRAST in said
        mentions = _mentions(hits.findings, hits.vetoes)
        is_normal = _NORMAL in said and bool(
            hits.subjects or hits.wholes or any(map(is_verdict, hits.cues))
        )
        is_limited = bool(named) and not said.isdisjoint(LIMITS)
        if not (mentions or is_normal or is_limited):
            goes_on = self._ellipsis.goes_on(lowered, hits)
            return SentenceFacts(
                (), last_place, False, by_reference, no_contrast, False, goes_on=goes_on
            )
        spoken_of = mentions
        borders: list[int] = []
        places = len(hits.sides) + len(hits.lobes) + len(hits.places)
        if mentions and (places > 1 or is_behind):
            elliptic, borders, heads = self._ellipsis.find(lowered, mentions, hits)
            named_again = [one for one in mentions if one.start not in heads]
            mentions = sorted(named_again + elliptic, key=by_start_then_longest)
        context = Context(lowered, hits, mentions, borders)
        placed, is_open = self._placed(mentions, named, context, inherited)
        if header:
            placed = self._by_header(placed, mentions, named, header)
        if colon >= 0:
            placed = self._beyond_header(placed, colon)
        facts = self._mentioned(text, section, placed, hits, context) if placed else []
        if is_normal:
            normal = self._normality.facts(text, section, hits, context)
            if context.verdicts and not normal:
                about = {hit.item for hit in named}
                is_open = is_open or not about
                if about or inherited is None or section == IMPRESSION:
                    normal = self._normality.verdicts(text, section, about, context)
            facts = [fact for fact in facts if not is_within(fact, normal)] + normal
        limits = limited_facts(text, section, named, hits, context) if is_limited else []
        return SentenceFacts(
            tuple(facts + limits),
            last_place,
            is_open,
            by_reference,
            no_contrast,
            bool(limits),
            words_to_go_on(lowered, spoken_of) if placed else "",
            not (placed or is_normal or limits) and self._ellipsis.goes_on(lowered, hits),
        )

    def _by_header(
        self,
        placed: list[_Placed],
        mentions: list[Hit[str]],
        named: list[Hit[str]],
        header: frozenset[str],
    ) -> list[_Placed]:
        """With the findings that words mean under a header; what else they mean has no place there.

        An effusion under "HEART" is no pleural effusion.
        """
        meant = {
            mention: place
            for mention in mentions
            if (place := self._places.under(mention.item, named, header)) is not None
        }
        if not meant:
            return placed
        words = {(mention.start, mention.end) for mention in meant}
        others = [
            (mention, place)
            for mention, place in placed
            if mention not in meant
            and (
                (mention.start, mention.end) not in words
                or self._places.may_sit(mention.item, header)
            )
        ]
        return sorted([*others, *meant.items()], key=lambda one: by_start_then_longest(one[0]))

    def _beyond_header(self, placed: list[_Placed], colon: int) -> list[_Placed]:
        """Without what a header names and the text behind it speaks of in words of its own.

        "Pleural effusion: No effusion is seen." affirms none, nor do "Lymph nodes: No adenopathy."
        """
        behind = [mention.item for mention, _ in placed if mention.end > colon]
        return [
            (mention, place)
            for mention, place in placed
            if mention.end > colon or not self._is_spoken_of(mention.item, behind)
        ]

    def _is_spoken_of(self, finding: str, others: list[str]) -> bool:
        if self._findings[finding].kind is _UMBRELLA:
            return bool(others)
        return any(
            finding == other or finding in self._broader[other] or other in self._broader[finding]
            for other in others
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
        attributes: AttributeReader | None = None
        if may_have_attributes(hits, context):
            mentions = [mention for mention, _ in placed]
            attributes = AttributeReader(self._side_in_lobe, hits, mentions, context)
        facts: list[Fact] = []
        for number, (mention, place) in enumerate(placed):
            governing = context.governing(mention.start, mention.end)
            if governing:
                governing = context.own(mention.start, mention.end, governing)
            if context.inner:
                governing += context.within(mention.start, mention.end)
            judgement = context.judge(mention.start, mention.end, governing)
            own = NO_ATTRIBUTES
            if attributes is not None:
                own = attributes.read(
                    number,
                    governing,
                    has_lobe=self._places.has_lobe(mention, place),
                    is_midline=place in self._places.midline,
                )
            facts.append(fact_of(text, section, mention, judgement, place, own))
        return facts


def _colon(lowered: str, topic: str) -> int:
    """Where the header ends of a sentence that begins with it, "heart: enlarged", else -1."""
    colon = lowered.find(":")
    return colon if colon >= 0 and lowered[:colon].rstrip().endswith(topic) else -1


def _moved(fact: Fact, shift: int) -> Fact:
    """A fact of a sentence that was read behind its header, without that."""
    start = max(fact.start - shift, 0)
    end = fact.end - shift
    return fact._replace(
        start=start, end=end, text=fact.text[fact.end - fact.start - end + start :]
    )


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
