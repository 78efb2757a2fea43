"""Sentences: each once, with its reports. Doubts: likely errors that many reports share first."""

import numpy as np
import pytest

from labeler import Labeler, load_labeler
from pipelines.reports_in.rows import Report
from pipelines.reviewing.doubts import Asked, Doubt, Doubts, asked_labels
from pipelines.reviewing.sentences import Sentence, SentenceBook, marked, sampled, stated


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler()


def book_of(labeler: Labeler, *texts: str, **gold: dict[str, int]) -> SentenceBook:
    names = labeler.label_names
    rows = {
        report: np.array([said.get(name, np.nan) for name in names], np.float32)
        for report, said in gold.items()
    }
    book = SentenceBook(labeler, None, rows)
    book.add(Report(f"r{number}", text, "") for number, text in enumerate(texts))
    return book


def asked_of(labeler: Labeler, book: SentenceBook, most: int = 50) -> list[Asked]:
    return Doubts(labeler, "ct_rate").rank(book.sentences(), most)


def doubts(asked: Asked) -> list[Doubt]:
    return [question.doubt for question in asked.questions]


def test_numbers_alone_make_no_other_sentence(labeler: Labeler) -> None:
    book = book_of(
        labeler,
        "A 5 mm nodule is seen. The liver is normal.",
        "A 7 mm nodule is seen. A 6 mm nodule is seen.",
        "HISTORY: A 5 mm nodule is seen.",
    )
    found = {sentence.text: sentence for sentence in book.sentences()}
    assert list(found) == ["A 5 mm nodule is seen.", "The liver is normal."]
    nodule = found["A 5 mm nodule is seen."]
    assert (nodule.reports, nodule.occurrences, nodule.after) == (2, 3, "The liver is normal.")
    assert book.reports == 3


def test_gold_blames_those_that_affirm_or_those_that_are_silent(labeler: Labeler) -> None:
    book = book_of(
        labeler,
        "Emphysema is seen. Emphysematous lungs. Heart size is normal.",
        "Zones of Hampton are seen. Grotesque flufferies. Emphysema is seen.",
        "Emphysema is seen.",
        r0={"Emphysema": 0, "Cardiomegaly": 0},
        r1={"Hiatal hernia": 1},
    )
    names = labeler.label_names
    blame = {s.text: {names[n]: share for n, share in s.blame.items()} for s in book.sentences()}
    assert blame == {
        "Emphysema is seen.": {"Emphysema": 0.5},
        "Emphysematous lungs.": {"Emphysema": 0.5},
        "Heart size is normal.": {},
        "Zones of Hampton are seen.": {"Hiatal hernia": 0.5},
        "Grotesque flufferies.": {"Hiatal hernia": 0.5},
    }
    found = {asked.sentence.text: asked.questions[0] for asked in asked_of(labeler, book)}
    assert {text: question.chance for text, question in found.items()} == {
        "Emphysema is seen.": 0.25,  # in two judged reports, to blame for half of one's label
        "Emphysematous lungs.": 0.5,
        "Zones of Hampton are seen.": 0.5,
        "Grotesque flufferies.": 0.5,
    }
    assert found["Emphysematous lungs."].told == (
        "Gold has not Emphysema in reports with this sentence, unlike the rules."
    )


def test_without_gold_or_stage_the_rules_own_doubts_are_asked(labeler: Labeler) -> None:
    book = book_of(
        labeler,
        "Possible emphysema. The lungs have a queer look. Liver is normal. Hello there.",
        "A nodule may be a granuloma.",
        "The pancreas measures 30 mm.",
        'No pleural effusion. "Bilateral pleural effusion."',
    )
    found = {asked.sentence.text: doubts(asked) for asked in asked_of(labeler, book)}
    assert found == {
        "Possible emphysema.": [Doubt.HEDGE],
        "The lungs have a queer look.": [Doubt.SILENT],
        "The pancreas measures 30 mm.": [Doubt.SILENT],
        "No pleural effusion.": [Doubt.CONTRADICTION],
        "Bilateral pleural effusion.": [Doubt.CONTRADICTION],
    }


def test_more_reports_and_a_likelier_error_come_first(labeler: Labeler) -> None:
    names = labeler.label_names

    def sentence(text: str, reports: int, chance: float) -> Sentence:
        chance_l = np.full(len(names), 0.01, np.float32)
        chance_l[names.index("Emphysema")] = chance
        blank_l = np.full(len(names), -2, np.int8)
        return Sentence(text, blank_l, chance_l, "", "", reports, occurrences=reports)

    given = [sentence("a", 1, 0.9), sentence("b", 100, 0.5), sentence("c", 100, 0.9)]
    ranked = Doubts(labeler, "ct_rate").rank([*given, sentence("d", 100, 0.02)], 9)
    assert [asked.sentence.text for asked in ranked] == ["c", "b", "a"]
    assert ranked[0].informative > ranked[1].informative
    assert (
        ranked[0].questions[0].told == "Emphysema: the rules read nothing, the network gives 90 %."
    )
    assert asked_labels(ranked[0], ("Cardiomegaly",)) == ("Emphysema", "Cardiomegaly")


def test_marks_cover_the_words_in_order(labeler: Labeler) -> None:
    text = "Possible emphysema, no pleural effusion."
    pieces = marked(labeler, text)
    assert "".join(words for words, _ in pieces) == text
    assert ("emphysema", "uncertain") in pieces
    assert ("pleural effusion", "absent") in pieces
    assert stated(labeler, text) == {"Emphysema": 1, "Pleural effusion": 0}


def test_a_sample_is_whole_where_it_can_be() -> None:
    reports = [Report(str(number), "", "") for number in range(1_000)]
    assert list(sampled(reports, 1_000, 1_000, 0)) == reports
    some = list(sampled(reports, 1_000, 200, 0))
    assert 120 < len(some) < 280
    assert some == list(sampled(reports, 1_000, 200, 0))
