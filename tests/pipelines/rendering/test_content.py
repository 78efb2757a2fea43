"""What a report may and may not say."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from configs.contracts import INTENDED_USE
from model.calibration import CalibrationState
from pipelines.rendering.assemble import INDETERMINATE_LOGIT, decide
from pipelines.rendering.content import CautionCode, Decision, Finding, ScanReport, percent
from pipelines.rendering.finding_wording import frequency
from pipelines.rendering.pictures import Pictures
from pipelines.rendering.wording import cautions

SCHEMA = Path(__file__).parents[3] / "docs" / "report.schema.json"


def changed(report: ScanReport, **fields: object) -> ScanReport:
    return ScanReport.model_validate(report.model_dump() | fields)


def test_a_report_survives_json(report: ScanReport) -> None:
    assert ScanReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(
    "fields",
    [
        {"intended_use": "For diagnosis."},
        {"intended_use": ""},
        {"probability_meaning": "the chance of disease"},
        {"schema_version": "0.9"},
        {"status": "refused"},
        {"extra": 1},
    ],
)
def test_what_a_report_must_not_be(report: ScanReport, fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        changed(report, **fields)


def test_a_person_is_named_only_when_identified(report: ScanReport) -> None:
    scan = report.scan.model_dump() | {"patient_id": "someone"}
    with pytest.raises(ValidationError, match="names no person"):
        changed(report, scan=scan)


def test_the_published_schema_is_the_models_own() -> None:
    """After a change: python -m pipelines.rendering.content > docs/report.schema.json."""
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == ScanReport.model_json_schema()


def test_the_intended_use_stands_in_every_report(report: ScanReport) -> None:
    assert json.loads(report.model_dump_json())["intended_use"] == INTENDED_USE


@given(st.floats(0, 1))
def test_percents_never_claim_certainty(probability: float) -> None:
    shown = percent(probability)
    assert shown not in ("0 %", "100 %")
    if shown[0] not in "<>":
        assert abs(float(shown.split()[0]) / 100 - probability) <= 0.00501


@given(st.floats(0, 1), st.floats(0.01, 0.99))
def test_decisions_follow_the_threshold(probability: float, threshold: float) -> None:
    decision = decide(probability, threshold)
    if decision is Decision.PRESENT:
        assert probability > threshold
    if decision is Decision.ABSENT:
        assert probability < threshold
    assert decide(threshold, threshold) is Decision.INDETERMINATE
    assert INDETERMINATE_LOGIT > 0


def test_a_percentage_comes_with_the_counts_behind_it(report: ScanReport) -> None:
    def told(**fields: object) -> str:
        alike = {"low": 0.2, "high": 0.6, "scans": 20, "said_so": 9} | fields
        return frequency(
            Finding.model_validate(report.findings[0].model_dump() | {"alike": alike})
        ).replace("\N{NO-BREAK SPACE}", " ")

    assert told() == (
        "Of 100 training-site scans scored like this, 45 reports said so: 9 of the 20 validation "
        "scans scored 20 % to 60 %."
    )
    assert "fewer than 1 reports said so: 0 of" in told(said_so=0)
    assert told(low=0.0).endswith("scored below 60 %.")
    assert told(low=0.0, high=1.0).endswith("scored at all, too few to tell scores apart.")
    assert told(high=1.0).endswith("scored 20 % or more.")
    rank = report.findings[-1]
    assert rank.calibration is CalibrationState.FEW_CASES
    assert "not as a frequency" in frequency(rank)


def test_evidence_outside_the_body_is_a_caution_of_its_finding_alone(
    report: ScanReport, astray: tuple[ScanReport, Pictures]
) -> None:
    assert not any(finding.cautions for finding in report.findings)
    moved, _ = astray
    nodule, *others = moved.findings
    assert [caution.code for caution in nodule.cautions] == [CautionCode.OUTSIDE_BODY]
    assert not any(finding.cautions for finding in others)
    assert "unexplained" in nodule.cautions[0].meaning
    assert any(said.startswith(f"{nodule.name}: ") for said in cautions(moved))
    assert "outside the body" not in " ".join(cautions(report))
    assert "outside the body" in moved.draft
    assert ScanReport.model_validate_json(moved.model_dump_json()) == moved


def test_the_draft_says_what_it_is_and_names_every_finding(report: ScanReport) -> None:
    lines = report.draft.splitlines()
    assert lines[0].startswith("DRAFT, UNVERIFIED")
    assert lines[1] == INTENDED_USE
    for finding in report.findings:
        assert finding.name in report.draft
        assert percent(finding.probability) in report.draft
