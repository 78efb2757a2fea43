"""The labeler: a report's text in, labels and the facts behind them out."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from configs.anatomy import load_anatomy
from configs.contracts import Existence, Temporality
from configs.convention import load_convention
from configs.cue import PACKS, load_cues
from configs.finding import load_findings
from labeler.conventions import CompiledConvention, Weight
from labeler.fact import Fact, ReportLabels
from labeler.judgeable import Judgeable
from labeler.judgement import PLAIN, Judgement
from labeler.locations import LabelLocation, label_locations
from labeler.segment import ADDENDUM, EVIDENCE_SECTIONS, Segmenter
from labeler.sentence import SentenceFacts, SentenceReader

_PRESENT = Existence.PRESENT
_UNCERTAIN = Existence.UNCERTAIN
_CURRENT = Temporality.CURRENT
_CACHED_SENTENCES = 24_000
_CACHED_REPORTS = 2_000  # archives hold a report once per reconstruction
_Key = tuple[str, str, str, str | None, str]
_Place = tuple[str, str, str | None]
"""A section, a finding, and where in the body."""


class _Read:
    """A sentence as it is remembered: few objects, for there are many, and all outlive their use.

    The garbage collector walks over each.
    """

    __slots__ = (
        "affirmed",
        "by_reference",
        "denied",
        "facts",
        "goes_on",
        "limited",
        "no_contrast",
        "place",
        "subject",
        "weights",
    )

    def __init__(self, read: SentenceFacts, convention: CompiledConvention) -> None:
        self.facts = read.facts
        """With offsets counted from the sentence's own start."""
        self.place = read.place
        self.by_reference = read.by_reference
        self.no_contrast = read.no_contrast
        self.limited = read.limited
        self.subject = read.subject
        self.goes_on = read.goes_on
        self.weights: tuple[Weight, ...] = ()
        self.affirmed: tuple[_Place, ...] = ()
        self.denied: tuple[_Place, ...] = ()
        for fact in read.facts:
            if weights := convention.weights(fact):
                self.weights += tuple(weights)
            if _is_statement(fact):
                if fact.existence is _PRESENT:
                    self.affirmed += (_place(fact),)
                else:
                    self.denied += (_place(fact),)


class Labeler:
    """Labels reports under one convention; remembers what it has read.

    Not safe to share between threads; give each process or thread its own.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        reader: SentenceReader,
        judgeable: Judgeable,
        convention: CompiledConvention,
    ) -> None:
        self._segmenter = segmenter
        self._reader = reader
        self._judgeable = judgeable
        self._convention = convention
        self._cache: dict[_Key, _Read] = {}
        self._reports: dict[str, ReportLabels] = {}

    @property
    def segmenter(self) -> Segmenter:
        """What cuts reports into the sentences that facts are counted by."""
        return self._segmenter

    @property
    def convention(self) -> CompiledConvention:
        """What makes labels of facts."""
        return self._convention

    @property
    def label_names(self) -> tuple[str, ...]:
        """The convention's labels, in its order."""
        return self._convention.names

    def binary(self, labels: dict[str, int | None]) -> dict[str, int]:
        """Labels as 0 and 1 only: uncertain and blank as the convention says."""
        return self._convention.binary(labels)

    def label(self, text: str) -> ReportLabels:
        """The labels of one report and every fact found. Any string gives an answer."""
        known = self._reports.get(text)
        if known is None:
            known = self._label(text)
            if len(self._reports) >= _CACHED_REPORTS:
                self._reports.clear()
            self._reports[text] = known
        return replace(known, labels=known.labels.copy())

    def _label(self, text: str) -> ReportLabels:
        facts: list[Fact] = []
        weights: list[Weight] = []
        affirmed: set[_Place] = set()
        denied: set[_Place] = set()
        place: str | None = None
        by_reference = no_contrast = limited = False
        before = subject = ""
        for number, (start, end, section, topic) in enumerate(self._segmenter.sentences(text)):
            if section == ADDENDUM != before:
                place = None  # written on another day, about whatever was forgotten
            if section != before:
                before, subject = section, ""
            read = self._read(text[start:end], section, topic, place)
            if not read.goes_on:
                subject = read.subject
            elif subject:
                read = self._read(text[start:end], section, topic, place, subject)
            place = read.place or place
            by_reference = by_reference or read.by_reference
            no_contrast = no_contrast or read.no_contrast
            limited = limited or read.limited
            if read.facts:
                weights += read.weights
                affirmed.update(read.affirmed)
                denied.update(read.denied)
                for fact in read.facts:
                    placed = section, number, fact[2] + start, fact[3] + start
                    facts.append(tuple.__new__(Fact, placed + fact[4:]))
        if no_contrast or limited:
            facts = self._judgeable.adjusted(facts, no_contrast=no_contrast)
            weights = [weight for fact in facts for weight in self._convention.weights(fact)]
        return ReportLabels(
            self._convention.labels(weights, incomplete_by_reference=by_reference),
            tuple(facts),
            _contradictions(facts, affirmed - denied, denied - affirmed),
            by_reference,
        )

    def label_many(self, texts: Iterable[str]) -> Iterator[ReportLabels]:
        """The labels of many reports, in order, one at a time."""
        for text in texts:
            yield self.label(text)

    def context(self, text: str, start: int, end: int) -> Judgement:
        """The context of any stretch of a report, be it a finding's words or not."""
        for sentence in self._segmenter.sentences(text):
            if sentence.start <= start < sentence.end:
                offset = sentence.start
                inside = text[offset : sentence.end]
                return self._reader.judge(inside, start - offset, min(end, sentence.end) - offset)
        return PLAIN

    def forget_reports(self) -> None:
        """Drop the reports seen before; the sentences stay."""
        self._reports.clear()

    def locations(self, report: ReportLabels) -> tuple[LabelLocation, ...]:
        """Where the labels lie, for a convention that has locations; else nothing."""
        return label_locations(report.facts, self._convention)

    def _read(
        self, sentence: str, section: str, topic: str, place: str | None, subject: str = ""
    ) -> _Read:
        known = self._cache.get((sentence, section, topic, None, subject))
        if known is not None:
            return known
        inherited = place or ""
        known = self._cache.get((sentence, section, topic, inherited, subject))
        if known is not None:
            return known
        read = self._reader.read(sentence, section, topic, place, subject)
        known = _Read(read, self._convention)
        if len(self._cache) >= _CACHED_SENTENCES:  # what is said often soon comes back
            for oldest in [*islice(self._cache, _CACHED_SENTENCES // 4)]:
                del self._cache[oldest]
        self._cache[sentence, section, topic, inherited if read.open else None, subject] = known
        return known


def _is_statement(fact: Fact) -> bool:
    return (
        fact.section in EVIDENCE_SECTIONS
        and fact.temporality is _CURRENT
        and fact.existence is not _UNCERTAIN
        and not fact.hypothetical
    )


def _place(fact: Fact) -> _Place:
    return fact.section, fact.finding, fact.anatomy


def _contradictions(
    facts: list[Fact], affirmed: set[_Place], denied: set[_Place]
) -> tuple[str, ...]:
    """Findings that one section only affirms and another only denies, at the same place."""
    if not (affirmed and denied):
        return ()
    opposed = {place[1:] for place in affirmed} & {place[1:] for place in denied}
    if not opposed:
        return ()
    stated = (fact for fact in facts if _is_statement(fact))
    in_order = (fact.finding for fact in stated if (fact.finding, fact.anatomy) in opposed)
    return tuple(dict.fromkeys(in_order))


def load_labeler(convention: str = "ct_rate", overlay: Path | None = None) -> Labeler:
    """Compile findings, anatomy, cues and a convention (a name, or a path to a .yaml file).

    `overlay` is a folder of a site's own findings, cues and conventions, which add to the
    product's or replace those of the same name. Raises InputError with file and line when a file
    is wrong.
    """
    findings, anatomy = load_findings(overlay=overlay), load_anatomy()
    packs = load_cues(PACKS, overlay=overlay)
    return Labeler(
        Segmenter(packs),
        SentenceReader(findings, anatomy, packs),
        Judgeable(findings, anatomy),
        CompiledConvention(load_convention(convention, overlay=overlay), findings, anatomy),
    )
