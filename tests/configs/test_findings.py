"""What every finding of the shipped ontology keeps to."""

import pytest

from configs.anatomy import load_anatomy
from configs.finding import Finding, Group, Kind, load_findings

FINDINGS = list(load_findings().values())


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.id)
def test_finding_names_known_places_and_defines_itself_in_a_sentence(finding: Finding) -> None:
    places = load_anatomy().places
    assert set(finding.anatomy) <= set(places)
    assert finding.definition.endswith(".")
    assert len(finding.definition) < 160


@pytest.mark.parametrize(
    "finding", [f for f in FINDINGS if f.kind is Kind.DEVICE], ids=lambda finding: finding.id
)
def test_no_normality_denies_what_surgery_left(finding: Finding) -> None:
    ruled_out = {
        group for place in load_anatomy().places.values() for group in place.normal_rules_out
    }
    assert finding.group is Group.DEVICES
    assert finding.group not in ruled_out


def test_no_two_findings_say_the_same() -> None:
    seen: dict[tuple[object, ...], str] = {}
    for finding in FINDINGS:
        key = (finding.phrases, finding.anatomy, finding.place)
        assert key not in seen, f"{finding.id} repeats {seen.get(key)}"
        seen[key] = finding.id
