"""Every finding's own examples are read as its file says."""

import pytest

from configs.contracts import Existence
from configs.finding import Finding, ancestors, load_findings
from labeler import Labeler, load_labeler

FINDINGS = load_findings()
WANTED = {
    "positive": Existence.PRESENT,
    "negative": Existence.ABSENT,
    "uncertain": Existence.UNCERTAIN,
}
CASES = [
    pytest.param(finding.id, kind, sentence, id=f"{finding.id}-{kind}-{number}")
    for finding in FINDINGS.values()
    for kind in (*WANTED, "silent")
    for number, sentence in enumerate(getattr(finding.examples, kind))
]


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler("ct_rate")


def is_or_inside(found: str, wanted: str) -> bool:
    return found == wanted or (found in FINDINGS and wanted in ancestors(found, FINDINGS))


@pytest.mark.parametrize(("finding", "kind", "sentence"), CASES)
def test_example_is_read_as_said(labeler: Labeler, finding: str, kind: str, sentence: str) -> None:
    said = {
        fact.existence
        for fact in labeler.label(sentence).facts
        if is_or_inside(fact.finding, finding)
    }
    if kind == "silent":
        assert not said
    else:
        assert WANTED[kind] in said
        assert said <= {WANTED[kind]} or kind != "negative"


def test_every_finding_says_what_it_is() -> None:
    for finding in FINDINGS.values():
        assert isinstance(finding, Finding)
        assert finding.definition.endswith("."), finding.id
