"""The plan of a synthetic hospital: exact, repeatable, with courses that hold together."""

from collections import defaultdict
from itertools import pairwise

import pytest

from configs.contracts import InputError
from pipelines.synthetic.case import Case, Course
from pipelines.synthetic.hospital import plan
from pipelines.synthetic.kinds import KINDS, LOBES, side_of


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return plan(600, seed=3)


def test_same_seed_same_plan_and_another_seed_another(cases: list[Case]) -> None:
    assert plan(600, seed=3) == cases
    assert plan(600, seed=4) != cases


def test_a_longer_plan_begins_with_the_shorter(cases: list[Case]) -> None:
    assert plan(37, seed=3) == cases[:37]


def test_no_studies_are_refused() -> None:
    with pytest.raises(InputError, match="at least 1"):
        plan(0, seed=1)


def test_identifiers_are_unique_and_say_synthetic(cases: list[Case]) -> None:
    assert len({case.accession for case in cases}) == len(cases)
    assert len({case.study_uid for case in cases}) == len(cases)
    assert all(case.accession.startswith("SYN") for case in cases)
    assert all(case.study_uid.startswith("2.25.") and len(case.study_uid) <= 64 for case in cases)
    assert {case.study_uid for case in plan(50, 4)}.isdisjoint(case.study_uid for case in cases)


def test_rates_are_those_of_a_real_archive(cases: list[Case]) -> None:
    for name in KINDS:
        share = sum(any(f.finding == name for f in case.present) for case in cases) / len(cases)
        low, high = (0.03, 0.12) if name == "pneumothorax" else (0.07, 0.58)
        assert low < share < high, name


def test_few_findings_are_invisible(cases: list[Case]) -> None:
    findings = [f for case in cases for f in case.present]
    assert 0.02 < sum(not f.visible for f in findings) / len(findings) < 0.09


def test_a_lobe_lies_on_its_side(cases: list[Case]) -> None:
    for finding in (f for case in cases for f in case.findings):
        if finding.lobe is not None:
            assert finding.lobe in LOBES
            assert finding.side is side_of(finding.lobe)


def test_studies_of_a_patient_follow_one_another(cases: list[Case]) -> None:
    studies = defaultdict(list)
    for case in cases:
        studies[case.patient.patient_id].append(case)
    assert any(len(group) == 3 for group in studies.values())
    for group in studies.values():
        dates = [case.date for case in group]
        assert dates == sorted(set(dates))
        assert [case.prior_date for case in group] == [None, *dates[:-1]]
        assert all(f.course is Course.FIRST for f in group[0].findings)
        for earlier, later in pairwise(group):
            _check_course(earlier, later)


def _check_course(earlier: Case, later: Case) -> None:
    before = {f.place_seed: f for f in earlier.present}
    for finding in later.findings:
        was = before.pop(finding.place_seed, None)
        if finding.course is Course.NEW:
            assert was is None
            continue
        assert was is not None
        assert finding.prior_size_mm == was.size_mm
        if finding.size_mm is not None and was.size_mm is not None:
            if finding.course is Course.LARGER:
                assert finding.size_mm > was.size_mm
            elif finding.course is Course.SMALLER:
                assert finding.size_mm < was.size_mm
            else:
                assert finding.size_mm == was.size_mm
    assert not before, "a finding vanished without being resolved"
