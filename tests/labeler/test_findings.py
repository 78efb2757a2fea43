"""Every finding's own examples are read as its file says."""

from pathlib import Path

import pytest

from configs.contracts import InputError
from configs.finding import Finding, load_findings
from labeler import Labeler, load_labeler
from labeler.examples import check_examples, misread_examples

FINDINGS = load_findings()


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return load_labeler("ct_rate")


@pytest.mark.parametrize("finding", FINDINGS.values(), ids=FINDINGS)
def test_examples_are_read_as_said(labeler: Labeler, finding: Finding) -> None:
    assert list(misread_examples(finding, FINDINGS, labeler)) == []


def test_every_finding_says_what_it_is() -> None:
    for finding in FINDINGS.values():
        assert isinstance(finding, Finding)
        assert finding.definition.endswith("."), finding.id


def test_a_site_s_own_examples_are_checked(own_configs: Path) -> None:
    check_examples(None)
    check_examples(own_configs)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("A snow globe is seen.", "A globe.", "read as not mentioned, not as present"),
        ("A snow globe is seen.", "A possible snow globe.", "read as uncertain, not as present"),
        ("No snow globe.", "A snow globe.", "read as present, not as absent"),
        ("No snow globe.]", "No snow globe.], silent: [Snow globe.]", "not as not mentioned"),
    ],
)
def test_a_misread_example_is_answered_with_its_line(
    own_configs: Path, old: str, new: str, answer: str
) -> None:
    path = own_configs / "findings" / "own.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=rf"own\.yaml:7: .*'snow_globe' is .*{answer}"):
        check_examples(own_configs)
