"""The radiologist's report beside the network: what each says, and the sentences behind it."""

import pytest

from pipelines.rendering.content import Decision, ScanReport
from pipelines.rendering.second_reader import agreement, beside
from pipelines.rendering.text_report import Agreement, TextReport, TextValue

TEXT = """INDICATION: Cough, 61 years. Known lung nodule?

FINDINGS: There is no nodule. Large left pleural effusion. Emphysema in both upper lobes.
IMPRESSION: Pleural effusion.
"""


@pytest.fixture(scope="module")
def told(report: ScanReport) -> TextReport:
    told = beside(report, TEXT).text_report
    assert told is not None
    return told


def test_labels_follow_the_text_under_the_labels_own_convention(told: TextReport) -> None:
    assert {f.label.partition(":")[2]: (f.value, f.agreement) for f in told.findings} == {
        "Lung nodule": (TextValue.ABSENT, Agreement.NETWORK_ONLY),
        "Lung opacity": (TextValue.NOT_MENTIONED, Agreement.NOT_MENTIONED),
        "Consolidation": (TextValue.NOT_MENTIONED, Agreement.NOT_MENTIONED),
        "Pleural effusion": (TextValue.PRESENT, Agreement.OPEN),  # the network: indeterminate
        "Emphysema": (TextValue.PRESENT, Agreement.TEXT_ONLY),
    }


def test_sentences_and_indication_are_word_for_word(told: TextReport) -> None:
    for finding in told.findings:
        for quote in finding.quotes:
            assert TEXT[quote.start : quote.end] == quote.text
    quotes = {f.label.partition(":")[2]: [q.text for q in f.quotes] for f in told.findings}
    assert quotes["Lung nodule"] == ["There is no nodule."]
    assert quotes["Pleural effusion"] == ["Large left pleural effusion.", "Pleural effusion."]
    assert told.indication == "Cough, 61 years. Known lung nodule?"


def test_contradictions_come_before_silence(told: TextReport) -> None:
    kinds = [finding.agreement for finding in told.disagreements]
    assert kinds == [
        Agreement.TEXT_ONLY, Agreement.NETWORK_ONLY, Agreement.NOT_MENTIONED,
        Agreement.NOT_MENTIONED,
    ]  # fmt: skip


def test_a_site_s_own_convention_is_named_and_not_guessed(report: ScanReport) -> None:
    finding = report.findings[0].model_copy(update={"label": "our_site:nodule"})
    told = beside(report.model_copy(update={"findings": (finding,)}), TEXT).text_report
    assert told is not None
    assert told.not_compared == ("our_site:nodule",)
    assert told.findings == ()


def test_every_pair_has_an_answer() -> None:
    for decision in Decision:
        for value in TextValue:
            assert agreement(decision, value) in Agreement
    assert agreement(Decision.NOT_ASSESSABLE, TextValue.PRESENT) is Agreement.OPEN
    assert agreement(Decision.PRESENT, TextValue.UNCERTAIN) is Agreement.OPEN
