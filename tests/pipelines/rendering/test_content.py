"""What a report may and may not say."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from configs.contracts import INTENDED_USE
from pipelines.rendering.assemble import INDETERMINATE_LOGIT, decide
from pipelines.rendering.content import Decision, ScanReport, percent

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
