from types import ModuleType

import pytest
from pydantic import ValidationError

from configs.convention import load_convention
from configs.finding import load_findings
from tests.benchmarks.script import load_script


@pytest.fixture(scope="module")
def manners() -> ModuleType:
    return load_script("manners")


def test_every_label_of_rad_chestct_stands_in_gold_on_both_sides(manners: ModuleType) -> None:
    reports = manners.read_reports()
    assert [report.id for report in reports] == list(range(1, 61))
    for name in manners.CONVENTIONS:
        labels = set(load_convention(name).labels)
        for held_back in (False, True):
            golds = [getattr(r, name) for r in reports if r.held_back is held_back]
            assert set().union(*(gold.present | gold.uncertain for gold in golds)) <= labels
            assert name == "ct_rate" or set().union(*(gold.present for gold in golds)) == labels


def test_phrasings_name_labels_and_findings(manners: ModuleType) -> None:
    known = {name: set(load_convention(name).labels) for name in manners.CONVENTIONS}
    known[manners.FACTS] = set(load_findings())
    phrasings = manners.read_phrasings()
    assert {p.label for p in phrasings if p.read_as == "rad_chestct"} == known["rad_chestct"]
    assert all(phrasing.label in known[phrasing.read_as] for phrasing in phrasings)


def test_gold_says_nothing_twice(manners: ModuleType) -> None:
    with pytest.raises(ValidationError, match="present and uncertain"):
        manners.Gold(present=["nodule"], uncertain=["nodule"])


def test_figures_and_errors_of_a_report(manners: ModuleType) -> None:
    gold = manners.Gold(present=["nodule"], uncertain=[])
    text = "FINDINGS: A nodule. A pleural effusion."
    report = manners.Report(id=1, manner="any", rad_chestct=gold, ct_rate=gold, text=text)
    labelers = {"rad_chestct": manners.load_labeler("rad_chestct")}
    rows = list(
        manners.report_rows("x", [report], "rad_chestct", labelers["rad_chestct"], errors=True)
    )
    assert rows[0] == "  1 any: false pleural_effusion"
    assert "micro: precision 0.500, recall 1.000, F1 0.667" in rows[1]
    phrasing = manners.Phrasing(False, "facts", "nodule", False, "A nodule.")
    rows = list(manners.phrasing_rows("x", [phrasing], labelers, errors=True))
    assert rows == [
        "  false nodule: A nodule.",
        "x: 0 of 0 stated ones found, 1 of 1 others read as stated",
    ]
