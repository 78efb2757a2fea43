"""Reports as the neural stage reads them: bags of sentences, and what the rules say of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.contracts import LabelValue
from labeler.fact import Fact, ReportLabels
from labeler.labeler import Labeler
from labeler.segment import EVIDENCE_SECTIONS, Sentence

BLANK = -2
"""A value that is not mentioned, where an array of small integers has no None."""

Values = NDArray[np.int8]
"""Label values as in `LabelValue`, or BLANK."""
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Coding:
    """Whether an uncertain and a blank value count as present."""

    uncertain: bool
    blank: bool

    @classmethod
    def of(cls, labeler: Labeler) -> "Coding":
        """The coding of a labeler's convention."""
        name = labeler.label_names[0]
        uncertain = labeler.binary({name: int(LabelValue.UNCERTAIN)})[name]
        return cls(bool(uncertain), bool(labeler.binary({name: None})[name]))

    def present(self, values: Values) -> Bools:
        """Values as present or not."""
        uncertain = (values == LabelValue.UNCERTAIN) & self.uncertain
        blank = (values == BLANK) & self.blank
        return np.asarray((values == LabelValue.PRESENT) | uncertain | blank)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Reports taken apart. An occurrence is one sentence of one report."""

    sentences: tuple[str, ...]
    """Each different sentence once (u)."""
    sentence_o: NDArray[np.int32]
    """Which sentence each occurrence is."""
    report_o: NDArray[np.int32]
    """In which report it stands; in order."""
    span_o2: NDArray[np.int32]
    """Its first character and the one behind its last in the report's text."""
    value_ol: Values
    """What the rules read in it."""
    value_rl: Values
    """What the rules say of each report."""
    coding: "Coding"
    """What blank and uncertain become, as the labeler's convention says."""

    @property
    def reports(self) -> int:
        """Number of reports."""
        return len(self.value_rl)

    def bags(self) -> list[NDArray[np.int32]]:
        """The different sentences of each report."""
        if not self.reports:
            return []
        cuts = np.searchsorted(self.report_o, np.arange(1, self.reports))
        return [np.unique(bag) for bag in np.split(self.sentence_o, cuts)]


def read_reports(
    labeler: Labeler, texts: Sequence[str], labelled: Iterable[ReportLabels] | None = None
) -> Reading:
    """Take reports apart; what stands in sections that are no evidence is left out.

    `labelled` is what the labeler says of them, where that is known already.
    """
    number_of: dict[str, int] = {}
    sentence_o: list[int] = []
    report_o: list[int] = []
    span_o2: list[tuple[int, int]] = []
    value_ol: list[Values] = []
    value_rl: list[Values] = []
    silent = np.full(len(labeler.label_names), BLANK, np.int8)
    known = map(labeler.label, texts) if labelled is None else labelled
    for report, (text, read) in enumerate(zip(texts, known, strict=True)):
        value_rl.append(as_values(read.labels.values()))
        spoken = _by_sentence(read)
        # The labeler's own walk, so that positions are those that its facts count by.
        for number, sentence in enumerate(labeler.segmenter.sentences(text)):
            if sentence.section not in EVIDENCE_SECTIONS:
                continue
            shown = _shown(text, sentence)
            sentence_o.append(number_of.setdefault(shown, len(number_of)))
            report_o.append(report)
            span_o2.append((sentence.start, sentence.end))
            facts = spoken.get(number)
            value_ol.append(_said(labeler, facts) if facts else silent)
    labels = len(silent)
    return Reading(
        tuple(number_of),
        np.array(sentence_o, np.int32),
        np.array(report_o, np.int32),
        np.array(span_o2, np.int32).reshape(-1, 2),
        np.array(value_ol, np.int8).reshape(-1, labels),
        np.array(value_rl, np.int8).reshape(-1, labels),
        Coding.of(labeler),
    )


def as_values(labels: Iterable[int | None]) -> Values:
    """Label values as an array."""
    return np.array([BLANK if value is None else value for value in labels], np.int8)


def as_labels(names: Sequence[str], values: Values) -> dict[str, int | None]:
    """The way back: label values by name."""
    return {
        name: None if value == BLANK else int(value)
        for name, value in zip(names, values, strict=True)
    }


def _by_sentence(read: ReportLabels) -> dict[int, list[Fact]]:
    spoken: dict[int, list[Fact]] = {}
    for fact in read.facts:
        spoken.setdefault(fact.sentence, []).append(fact)
    return spoken


def _said(labeler: Labeler, facts: Sequence[Fact]) -> Values:
    """What a sentence's facts alone would make of the labels."""
    weights = [weight for fact in facts for weight in labeler.convention.weights(fact)]
    return as_values(labeler.convention.labels(weights, incomplete_by_reference=False).values())


def _shown(text: str, sentence: Sentence) -> str:
    """The words that the encoder sees: the sentence, under the header that it stands below."""
    words = " ".join(text[sentence.start : sentence.end].split())
    if not sentence.topic or words.lower().startswith(sentence.topic):
        return words
    return f"{sentence.topic}: {words}"


@dataclass(frozen=True, slots=True, eq=False)
class WeakTargets:
    """What the rules teach of each sentence: a target within 0 and 1, and how much it weighs."""

    target_ul: Floats
    weight_ul: Floats


def weak_targets(
    reading: Reading, *, silent_weight: float, gold_rl: Floats | None = None
) -> WeakTargets:
    """Sentence targets from the rules, averaged over a sentence's occurrences.

    Where the rules say nothing the target is 0, with `silent_weight`. Where `gold_rl` (1, 0, NaN
    unknown) contradicts their reading of a report, the sentences that may be to blame teach nothing
    of that label: those that affirm it, or those that are silent.
    """
    value_ol = reading.value_ol
    affirmed_ol = (value_ol != BLANK) & reading.coding.present(value_ol)
    weight_ol = np.where(value_ol == BLANK, np.float32(silent_weight), np.float32(1))
    if gold_rl is not None:
        gold_ol = gold_rl[reading.report_o]
        missed_rl = (gold_rl == 1) & ~reading.coding.present(reading.value_rl)
        weight_ol[(gold_ol == 0) & affirmed_ol] = 0
        weight_ol[missed_rl[reading.report_o] & (value_ol == BLANK)] = 0
    sentences, labels = len(reading.sentences), value_ol.shape[1]
    weight_ul = np.zeros((sentences, labels), np.float32)
    target_ul = np.zeros((sentences, labels), np.float32)
    np.add.at(weight_ul, reading.sentence_o, weight_ol)
    np.add.at(target_ul, reading.sentence_o, weight_ol * affirmed_ol)
    count_u = np.bincount(reading.sentence_o, minlength=sentences).astype(np.float32)
    mean_ul = target_ul / np.maximum(weight_ul, 1e-9)
    share_ul = weight_ul / np.maximum(count_u, 1)[:, None]
    return WeakTargets(mean_ul.astype(np.float32), share_ul.astype(np.float32))
