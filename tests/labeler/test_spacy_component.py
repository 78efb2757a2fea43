"""The spaCy face says what the labeler says."""

import csv
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

import labeler.spacy_component  # noqa: F401  # registers the factory where none is installed
from labeler import load_labeler

REAL_REPORTS = Path(__file__).parents[2].parent / "shared" / "data" / "reports"


@pytest.fixture(scope="module")
def nlp() -> Language:
    language = spacy.blank("en")
    language.add_pipe("chest_ct_findings", config={"convention": "clinical"})
    return language


PLAIN = load_labeler("clinical")


def assert_same(nlp: Language, texts: list[str]) -> None:
    for document in nlp.pipe(texts):
        report = PLAIN.label(document.text)
        spans = document.spans["findings"]
        assert tuple(span._.fact for span in spans) == report.facts
        assert document._.chest_ct.labels == report.labels
        for span in spans:
            assert span._.fact.text in span.text


def test_spans_hold_the_facts(nlp: Language) -> None:
    document = nlp("A 7 mm nodule in the left lung; no pleural effusion.")
    nodule, effusion = document.spans["findings"]
    assert (nodule.text, nodule.label_, nodule._.fact.size_mm) == ("nodule", "nodule", 7.0)
    assert effusion._.fact.existence == "absent"
    assert document[0:1]._.fact is None


@given(st.lists(st.sampled_from(["No effusion.", "nodule/mass", " ", "\n", "emphysema?", "é"])))
@settings(max_examples=40, deadline=None)
def test_faces_agree_on_any_text(pieces: list[str]) -> None:
    assert_same(SHARED, ["".join(pieces)])


SHARED = spacy.blank("en")
SHARED.add_pipe("chest_ct_findings", config={"convention": "clinical"})


def test_faces_agree_on_real_reports(nlp: Language) -> None:
    table = REAL_REPORTS / "ct_rate_train.csv"
    if not table.exists():
        pytest.skip(f"needs the real reports beside the repository: {table.name}")
    with table.open(newline="", encoding="utf-8") as lines:
        assert_same(nlp, [row["report_text"] for row in csv.DictReader(lines)])
