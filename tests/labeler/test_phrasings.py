"""What the sentences of phrasings.yaml say is what is read from them."""

from pathlib import Path

import pytest
import yaml

from configs.contracts import Assessability, Existence, Experiencer, Temporality
from labeler import Fact, Labeler, load_labeler
from labeler.segment import EVIDENCE_SECTIONS

PHRASINGS: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("phrasings.yaml").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler("clinical")


@pytest.fixture(scope="module")
def by_ct_rate() -> Labeler:
    return load_labeler("ct_rate")


def standing(fact: Fact) -> str:
    if fact.section not in EVIDENCE_SECTIONS or fact.hypothetical:
        return "aside"
    if fact.experiencer is not Experiencer.PATIENT:
        return "aside"
    if fact.assessability is Assessability.NONE:
        return "unassessable"
    if fact.temporality is Temporality.PRIOR and fact.existence is not Existence.ABSENT:
        return "prior"
    return fact.existence.value


@pytest.mark.parametrize(("sentence", "wanted"), PHRASINGS.items(), ids=PHRASINGS)
def test_phrasing_is_understood(labeler: Labeler, sentence: str, wanted: dict[str, str]) -> None:
    report = labeler.label(sentence)
    for fact in report.facts:
        assert sentence[fact.start : fact.end] == fact.text
    for asked, answer in wanted.items():
        finding, _, side = asked.partition(".")
        existence, _, change = answer.partition(" ")
        facts = [f for f in report.facts if f.finding == finding and side in ("", f.side)]
        said = {standing(fact) for fact in facts} or {"silent"}
        if existence == "mixed":
            assert len(said) > 1
        elif "+" in existence:
            assert said == set(existence.split("+"))
        else:
            assert said <= set(existence.split("|"))
        assert not change or {fact.change for fact in facts} == {change}


VERDICTS = [
    ("Normal chest CT.", True),
    ("Unremarkable CT of the chest.", True),
    ("Otherwise normal chest CT examination.", True),
    ("No significant abnormality.", True),
    ("The lungs are clear. IMPRESSION: Unremarkable study.", True),
    ("No acute abnormality.", False),
    ("No focal abnormality or pleural effusion.", False),
    ("The prior CT was normal.", False),
    ("Normal CT of the abdomen.", False),
    ("The lungs are clear. No significant abnormality.", False),
]


@pytest.mark.parametrize(("text", "denies"), VERDICTS)
def test_a_normal_chest_denies_what_may_be_in_it(
    by_ct_rate: Labeler, text: str, *, denies: bool
) -> None:
    labels = by_ct_rate.label(text).labels
    assert (labels.pop("Hiatal hernia") == 0) is denies
    assert labels.pop("Medical material") is None  # what was put in is not denied by normality


def test_an_exception_to_a_normal_chest_stands(by_ct_rate: Labeler) -> None:
    text = "Normal chest CT except for a 4 mm nodule in the right upper lobe."
    labels = by_ct_rate.label(text).labels
    assert (labels["Lung nodule"], labels["Emphysema"]) == (1, 0)
