"""An archive's different sentences, and what speaks for or against the rules' reading of each."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from configs.contracts import Existence
from labeler import Labeler, ReportLabels
from labeler.neural import Fusion, NeuralStage
from labeler.neural.reading import BLANK, Floats, Reading, Values, as_values, read_reports
from pipelines.reports_in.rows import Report

_REPORTS_AT_ONCE = 500
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_Key = tuple[str, bytes]


@dataclass(slots=True)
class Sentence:
    """A sentence of an archive; those that differ in numbers alone are one if read alike."""

    text: str
    """Its words, under the head that it stands below ("pleura: ...")."""
    value_l: Values
    """What the rules read in these words alone."""
    probability_l: Floats | None
    """What the neural stage makes of these words alone."""
    before: str
    after: str
    """Its neighbours where it stands first."""
    reports: int = 0
    judged_reports: int = 0
    """Those of them that have gold."""
    occurrences: int = 0
    otherwise: int = 0
    """Occurrences that the rules read otherwise, for what stands around them."""
    contradicted: int = 0
    """Occurrences that state what another section of the same report denies, or the reverse."""
    blame: dict[int, float] = field(default_factory=dict)
    """By label: for how many reports' wrong label the sentence is at fault, in expected number."""


class SentenceBook:
    """Collects sentences from reports; memory grows with the different ones."""

    def __init__(
        self,
        labeler: Labeler,
        stage: NeuralStage | None = None,
        gold: Mapping[str, Floats] | None = None,
    ) -> None:
        """`gold` has for each report 1, 0 or NaN (not judged) a label."""
        self._labeler, self._stage, self._gold = labeler, stage, gold or {}
        self._sentences: dict[_Key, Sentence] = {}
        self.reports = 0
        self.judged_reports = 0

    def add(self, reports: Iterable[Report]) -> None:
        """Read reports, some hundreds at a time."""
        stream = iter(reports)
        while some := list(islice(stream, _REPORTS_AT_ONCE)):
            self._add(some)

    def sentences(self) -> Iterator[Sentence]:
        """All different ones, in the order in which they came."""
        return iter(self._sentences.values())

    def _add(self, reports: Sequence[Report]) -> None:
        reading = read_reports(self._labeler, [report.text for report in reports])
        words = reading.sentences
        value_ul = [as_values(self._labeler.label(text).labels.values()) for text in words]
        stage = self._stage
        chance_ul = (
            stage.judge(self._labeler, words, Fusion.NEURAL).probability_rl if stage else None
        )
        keys = [
            (_NUMBER.sub("#", text.lower()), value_l.tobytes())
            for text, value_l in zip(words, value_ul, strict=True)
        ]
        present_ol = reading.coding.present(reading.value_ol)
        present_ul = [reading.coding.present(value_l) for value_l in value_ul]
        cuts = np.searchsorted(reading.report_o, np.arange(len(reports) + 1))
        for number, report in enumerate(reports):
            here = range(cuts[number], cuts[number + 1])
            for o in here:
                u = int(reading.sentence_o[o])
                sentence = self._sentences.get(keys[u])
                if sentence is None:
                    before, after = (
                        words[reading.sentence_o[n]] if n in here else "" for n in (o - 1, o + 1)
                    )
                    chance_l = None if chance_ul is None else chance_ul[u].astype(np.float32)
                    sentence = Sentence(words[u], value_ul[u], chance_l, before, after)
                    self._sentences[keys[u]] = sentence
                sentence.occurrences += 1
                sentence.otherwise += not np.array_equal(present_ol[o], present_ul[u])
            different = {keys[reading.sentence_o[o]] for o in here}
            for key in different:
                self._sentences[key].reports += 1
            self.reports += 1
            for o in _contradicted(self._labeler.label(report.text), reading, here):
                self._sentences[keys[reading.sentence_o[o]]].contradicted += 1
            if (gold_l := self._gold.get(report.id)) is not None:
                self.judged_reports += 1
                for key in different:
                    self._sentences[key].judged_reports += 1
                for o, label, share in _blamed(reading, number, here, gold_l, chance_ul):
                    blame = self._sentences[keys[reading.sentence_o[o]]].blame
                    blame[label] = blame.get(label, 0.0) + share


def _contradicted(read: ReportLabels, reading: Reading, here: range) -> set[int]:
    """The occurrences that state a finding on which two sections contradict each other."""
    starts = reading.span_o2[here.start : here.stop, 0].tolist()
    found = set()
    for fact in read.facts:
        stated = fact.existence is not Existence.UNCERTAIN and not fact.hypothetical
        if fact.finding in read.contradictions and stated:
            place = bisect_right(starts, fact.start) - 1
            if place >= 0 and fact.start < reading.span_o2[here.start + place, 1]:
                found.add(here.start + place)
    return found


def _blamed(
    reading: Reading,
    report: int,
    here: range,
    gold_l: Floats,
    chance_ul: NDArray[np.float64] | None,
) -> Iterator[tuple[int, int, float]]:
    """Occurrence, label and share of the blame for each label that is not as gold has it.

    For a label too many those sentences that affirm it share the blame; for one that was missed
    those in which the rules read nothing of it, by the stage's probabilities where there is one.
    """
    coding = reading.coding
    ruled_l = coding.present(reading.value_rl[report])
    value_ol = reading.value_ol[here.start : here.stop]
    silent_ol = value_ol == BLANK
    said_ol = ~silent_ol & coding.present(value_ol)
    mute_o = silent_ol.all(axis=1)
    for label in np.flatnonzero(~np.isnan(gold_l) & (ruled_l != (gold_l == 1))):
        weight_o = said_ol[:, label].astype(np.float64)
        if not ruled_l[label]:
            suspects_o = silent_ol[:, label]
            if chance_ul is not None:
                chance_o = chance_ul[reading.sentence_o[here.start : here.stop], label]
                weight_o = suspects_o * chance_o
            else:  # sentences in which the rules read nothing at all, if there are any
                weight_o = (
                    suspects_o & mute_o if (suspects_o & mute_o).any() else suspects_o
                ) * 1.0
        if weight_o.sum() > 0:
            for place in np.flatnonzero(weight_o):
                yield here.start + int(place), int(label), float(weight_o[place] / weight_o.sum())


def sampled(reports: Iterable[Report], total: int, most: int, seed: int) -> Iterator[Report]:
    """About `most` of `total` reports, drawn at random; all where there are no more."""
    if total <= most:
        yield from reports
        return
    rng = np.random.default_rng(seed)
    for report in reports:
        if rng.random() < most / total:
            yield report


def marked(labeler: Labeler, text: str) -> list[tuple[str, str | None]]:
    """A sentence in pieces, each with the existence of the fact that it states, or None."""
    kind_c: list[str | None] = [None] * len(text)
    by_length = sorted(labeler.label(text).facts, key=lambda fact: fact.start - fact.end)
    for fact in by_length:  # of facts inside one another the shorter is shown
        kind_c[fact.start : fact.end] = [str(fact.existence)] * (fact.end - fact.start)
    pieces: list[tuple[str, str | None]] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or kind_c[end] != kind_c[start]:
            pieces.append((text[start:end], kind_c[start]))
            start = end
    return pieces


def stated(labeler: Labeler, text: str) -> dict[str, int]:
    """The labels that the rules read in these words alone, without the blank ones."""
    return {name: value for name, value in labeler.label(text).labels.items() if value is not None}
