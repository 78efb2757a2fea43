"""Public codes are the standard's own, and agree with those of the findings."""

import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

# pydicom's dictionary of PS3.16 is the one there is; it has no public listing by code.
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.coding import Code

from configs.catalog import load_findings
from pipelines.rendering.dicom import codes

STANDARD = {
    (scheme, value): {
        meaning for name in names.values() for v, (meaning, _) in name.items() if v == value
    }
    for scheme, names in concepts.items()
    for entries in names.values()
    for value in entries
}
"""Every meaning that the standard gives a code."""


def meanings(code: Code) -> set[str]:
    return {
        meaning.lower().partition(" (")[0]
        for meaning in STANDARD[code.scheme_designator, code.value]
    }


@pytest.mark.parametrize(
    "code",
    [*codes.FINDINGS.values(), *codes.SIDES.values(), codes.THORAX, codes.SPATIAL_CONCEPT]
    + [code for code in codes.DECISIONS.values() if isinstance(code, Code)],
    ids=lambda code: code.meaning,
)
def test_the_standard_gives_a_public_code_this_meaning(code: Code) -> None:
    assert code.meaning.lower() in meanings(code)


def test_findings_that_carry_a_code_of_the_standard_have_it_here_too() -> None:
    coded = {
        finding.name.lower(): finding.code.snomed
        for finding in load_findings().values()
        if finding.code and ("SCT", finding.code.snomed) in STANDARD
    }
    assert coded
    here = {words: code.value for words, code in codes.FINDINGS.items()}
    assert {words: here.get(words) for words in coded if words in here} == {
        words: value for words, value in coded.items() if words in here
    }
    assert set(coded) - set(here) == {"coronary artery bypass grafting"}  # a procedure


def test_private_codes_fit_their_elements_and_differ() -> None:
    private = [
        value
        for value in vars(codes).values()
        if getattr(value, "scheme_designator", "") == codes.SCHEME
    ]
    private += [*codes.CALIBRATIONS.values(), *codes.ZONES.values(), *codes.IN_BODY.values()]
    assert len({code.value for code in private}) == len(private) > 15
    for code in private:
        assert len(code.value) <= 16
        assert 0 < len(code.meaning) <= 64
