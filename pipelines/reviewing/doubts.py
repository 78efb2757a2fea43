"""Which sentences to ask about: kinds of doubt, and how likely each means a wrong reading."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.anatomy import load_anatomy
from configs.contracts import Existence
from configs.convention import load_convention
from configs.cue import PACKS, Meaning, load_cues
from configs.finding import load_findings
from labeler import Fact, Labeler
from labeler.conventions import CompiledConvention
from labeler.lexicon import Entry, HitKind, Lexicon, lower
from labeler.neural.reading import BLANK, Coding
from pipelines.reviewing.sentences import Sentence

_HEDGED, _CONTRADICTED, _IN_CONTEXT, _SILENT = 0.3, 0.5, 0.5, 0.2
"""Guesses, not measurements: the order in which kinds of doubt come where nothing else speaks."""
_LEAST = 0.1
_NO_FINDING = (Meaning.NORMAL, Meaning.ABSENT, Meaning.UNASSESSABLE, Meaning.BY_REFERENCE)
_MEASURED = re.compile(r"\d\s*(?:mm|cm)\b", re.IGNORECASE)


class Doubt(StrEnum):
    """Why a sentence is asked."""

    GOLD = "gold"
    NEURAL = "neural"
    CONTRADICTION = "contradiction"
    HEDGE = "hedge"
    CONTEXT = "context"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Question:
    """One reason to ask about a sentence."""

    doubt: Doubt
    chance: float
    """How likely the rules' reading is wrong, from 0 to 1."""
    labels: tuple[str, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A sentence and all reasons to ask about it, the strongest first."""

    sentence: Sentence
    questions: tuple[Question, ...]

    @property
    def informative(self) -> float:
        """Chance of an error, times the binary logarithm of the reports that share it plus one."""
        return self.questions[0].chance * math.log2(1 + self.sentence.reports)


class Doubts:
    """Finds the questions of sentences, under one labeler."""

    def __init__(self, labeler: Labeler, convention: str, overlay: Path | None = None) -> None:
        """`convention` and `overlay` are those that the labeler was loaded with."""
        self._labeler = labeler
        self._names = labeler.label_names
        self._coding = Coding.of(labeler)
        anatomy = load_anatomy()
        self._convention = CompiledConvention(
            load_convention(convention, overlay=overlay), load_findings(overlay=overlay), anatomy
        )
        entries = [
            Entry(phrase, HitKind.PLACE, name)
            for name, place in anatomy.places.items()
            for phrase in place.phrases
        ]
        entries += [
            Entry(phrase, HitKind.CUE, cue.means)
            for pack in load_cues(PACKS, overlay=overlay)
            for cue in pack.cues
            if cue.means in _NO_FINDING
            for phrase in cue.phrases
        ]
        self._lexicon = Lexicon(entries)

    def rank(self, sentences: Iterable[Sentence], most: int) -> list[Asked]:
        """The sentences with a doubt, most informative first; ties by their words."""
        found = [
            Asked(sentence, questions)
            for sentence in sentences
            if (questions := self._questions(sentence))
        ]
        found.sort(key=lambda asked: (-asked.informative, asked.sentence.text))
        return found[:most]

    def _questions(self, sentence: Sentence) -> tuple[Question, ...]:
        found = [*self._of_gold(sentence), *self._of_stage(sentence), *self._of_rules(sentence)]
        kept = (question for question in found if question.chance >= _LEAST)
        return tuple(sorted(kept, key=lambda question: -question.chance))

    def _of_gold(self, sentence: Sentence) -> Iterable[Question]:
        for label, blame in sentence.blame.items():
            chance = min(1.0, blame / sentence.judged_reports)
            name = self._names[label]
            too_many = self._present(sentence, label)
            what = "has not" if too_many else "has"
            told = f"Gold {what} {name} in reports with this sentence, unlike the rules."
            yield Question(Doubt.GOLD, chance, (name,), told)

    def _of_stage(self, sentence: Sentence) -> Iterable[Question]:
        if sentence.probability_l is None:
            return
        for label, name in enumerate(self._names):
            chance = float(sentence.probability_l[label])
            present = self._present(sentence, label)
            said = self._said(sentence, label)
            told = f"{name}: the rules read {said}, the network gives {_percent(chance)}."
            yield Question(Doubt.NEURAL, 1 - chance if present else chance, (name,), told)

    def _of_rules(self, sentence: Sentence) -> Iterable[Question]:
        stated = self._labels(sentence.value_l != BLANK)
        facts = self._labeler.label(sentence.text).facts
        hedged = [fact for fact in facts if fact.existence is Existence.UNCERTAIN]
        sure = [fact for fact in facts if fact.existence is Existence.PRESENT]
        if only_hedged := self._fed(hedged) - self._fed(sure):
            cues = ", ".join(sorted({fact.cue for fact in hedged if fact.cue}))
            labels = tuple(name for name in self._names if name in only_hedged)
            yield Question(Doubt.HEDGE, _HEDGED, labels, f"It is hedged: {cues or '?'}.")
        if stated and sentence.contradicted:
            share = sentence.contradicted / sentence.occurrences
            told = "Another section of the report says the opposite."
            yield Question(Doubt.CONTRADICTION, _CONTRADICTED * share, stated, told)
        if sentence.otherwise:
            share = sentence.otherwise / sentence.occurrences
            told = f"In {100 * share:.0f} % of its places the rules read it otherwise than alone."
            yield Question(Doubt.CONTEXT, _IN_CONTEXT * share, stated, told)
        if not facts and (what := self._unread(sentence.text)):
            told = f"It names {what}, and the rules read nothing in it."
            yield Question(Doubt.SILENT, _SILENT, (), told)

    def _fed(self, facts: Iterable[Fact]) -> set[str]:
        """The labels that facts make present or uncertain."""
        return {name for fact in facts for name, _ in self._convention.values(fact)}

    def _unread(self, text: str) -> str | None:
        """What lets a sentence without facts seem to state something; None where nothing does."""
        if _MEASURED.search(text):
            return "a measurement"
        hits = self._lexicon.hits(lower(text))
        is_lead = text.endswith((";", ":"))
        return "a place in the body" if hits.places and not hits.cues and not is_lead else None

    def _present(self, sentence: Sentence, label: int) -> bool:
        return bool(self._coding.present(sentence.value_l[label : label + 1])[0])

    def _labels(self, chosen_l: NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(name for name, chosen in zip(self._names, chosen_l, strict=True) if chosen)

    def _said(self, sentence: Sentence, label: int) -> str:
        words = {1: "present", 0: "absent", -1: "uncertain", BLANK: "nothing"}
        return words[int(sentence.value_l[label])]


def asked_labels(asked: Asked, proposal: Sequence[str]) -> tuple[str, ...]:
    """The labels to show: those in doubt by their order, then all others that the rules read."""
    doubted = [label for question in asked.questions for label in question.labels]
    return tuple(dict.fromkeys([*doubted, *proposal]))


def _percent(chance: float) -> str:
    return (
        f"{100 * chance:.0f} %" if 0.01 <= chance <= 0.99 else "<1 %" if chance < 0.5 else ">99 %"
    )
