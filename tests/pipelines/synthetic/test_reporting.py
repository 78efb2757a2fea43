"""Reports of synthetic cases: they say what was seen, and nothing that was not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from configs.contracts import SYNTHETIC_NOTICE
from configs.convention import load_convention
from labeler import load_labeler
from labeler.scoring import score
from pipelines.synthetic.case import Acquisition, Case, Course, Idiom, Patient, PlannedFinding, Side
from pipelines.synthetic.hospital import plan
from pipelines.synthetic.kinds import KINDS
from pipelines.synthetic.reporting import Manner, statements, write_report

NODULE = PlannedFinding("nodule", Side.RIGHT, "right upper lobe", 8.0, "mild", "solid")
EFFUSION = PlannedFinding("pleural_effusion", Side.LEFT, None, 25.0, "moderate")


def case(*findings: PlannedFinding, idiom: Idiom = Idiom.US, seed: int = 1) -> Case:
    return Case(
        accession="SYN000001",
        study_uid="2.25.1",
        patient=Patient("SYN-P00001", "F", 61, 1.0),
        date="20210304",
        acquisition=Acquisition(128, 2.5, 2.5, 10.0, "soft", False, "HFS", "none"),
        findings=findings,
        variants=(),
        idiom=idiom,
        seed=seed,
    )


@pytest.fixture(scope="module")
def archive() -> list[Case]:
    return plan(400, seed=5)


def test_the_same_case_gives_the_same_text_and_another_seed_another() -> None:
    assert write_report(case(NODULE), None) == write_report(case(NODULE), None)
    assert write_report(case(NODULE, seed=2), None) != write_report(case(NODULE), None)


def test_every_report_says_that_it_is_synthetic(archive: list[Case]) -> None:
    assert all(SYNTHETIC_NOTICE in write_report(one, None) for one in archive)


def test_no_template_leaves_its_marks(archive: list[Case]) -> None:
    for one in archive:
        text = write_report(one, None)
        assert not re.search(r"[\[\]{}|]|a\(n\)|  |\s[.,]|\ba [aeio8]\w* ", text), text


@pytest.mark.parametrize("idiom", list(Idiom))
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("course", list(Course))
def test_every_kind_can_be_told_in_every_course(idiom: Idiom, kind: str, course: Course) -> None:
    rng = np.random.default_rng(7)
    for seed in range(12):
        findings = [
            replace(f, course=course, prior_size_mm=f.size_mm) for f in KINDS[kind].plan(rng)
        ]
        told = case(*findings, idiom=idiom, seed=seed)
        assert write_report(replace(told, prior_date="20200101"), None)


def test_idioms_differ_in_layout() -> None:
    us, turkish = (write_report(case(NODULE, idiom=idiom), None) for idiom in Idiom)
    assert "IMPRESSION:" in us
    assert "FINDINGS:" in us
    assert "IMPRESSION" not in turkish
    assert '"' in turkish


@pytest.mark.parametrize("idiom", list(Idiom))
def test_an_invisible_finding_is_never_stated(idiom: Idiom) -> None:
    hidden = replace(EFFUSION, visible=False)
    for seed in range(200):
        one = case(hidden, idiom=idiom, seed=seed)
        assert statements(one) == ()
        assert "25 mm" not in write_report(one, None)


def test_few_visible_findings_are_omitted(archive: list[Case]) -> None:
    present = {
        (one.accession, f.finding)
        for one in archive
        for f in one.findings
        if f.visible and f.course is not Course.RESOLVED
    }
    told = {
        (one.accession, s.finding.finding)
        for one in archive
        for s in statements(one)
        if s.manner is not Manner.RESOLVED
    }
    assert told <= present
    assert 0.005 < 1 - len(told) / len(present) < 0.06


def test_a_resolved_finding_is_told_as_gone() -> None:
    gone = replace(EFFUSION, course=Course.RESOLVED, prior_size_mm=25.0)
    mentions = "resol|no longer|disappeared|regressed|not (observed|detected)"
    for idiom in Idiom:
        for seed in range(60):
            one = replace(case(gone, idiom=idiom, seed=seed), prior_date="20200101")
            text = write_report(one, None).lower()
            if statements(one):
                assert re.search(mentions, text), text


def test_what_is_stated_is_not_denied_in_the_findings() -> None:
    for idiom in Idiom:
        for seed in range(150):
            one = case(EFFUSION, idiom=idiom, seed=seed)
            if not statements(one):
                continue
            body = re.split(r'IMPRESSION| ?"', write_report(one, None))[0].lower()
            assert not re.search(r"no (evidence of )?(pleural )?effusion(?! in the peri)", body), (
                body
            )


def test_the_comparison_carries_the_prior_date_as_the_idiom_writes_it() -> None:
    stable = replace(NODULE, course=Course.STABLE, prior_size_mm=8.0)
    prior = replace(case(NODULE), date="20200109")
    assert "01/09/2020" in write_report(case(stable), prior)
    assert "09.01.2020" in write_report(case(stable, idiom=Idiom.TR_EN), prior)


def test_measurements_appear_in_millimetres_and_centimetres() -> None:
    texts = [write_report(case(replace(NODULE, size_mm=14.0), seed=s), None) for s in range(60)]
    assert any("14 mm" in text or "14 x" in text for text in texts)
    assert any("1.4" in text for text in texts)


def test_an_unknown_finding_is_refused() -> None:
    with pytest.raises((KeyError, ValueError)):
        write_report(case(replace(NODULE, finding="unheard_of"), seed=3), None)


def test_reports_vary(archive: list[Case]) -> None:
    texts = {write_report(one, None) for one in archive}
    assert len(texts) == len(archive)


def test_contrast_is_told_as_it_was_given() -> None:
    for seed in range(80):
        one = case(NODULE, idiom=Idiom.TR_EN, seed=seed)
        given = replace(one, acquisition=replace(one.acquisition, contrast=True))
        assert "no contrast" not in write_report(given, None)


@pytest.mark.parametrize("idiom", list(Idiom))
def test_the_labeler_reads_what_the_reports_state(archive: list[Case], idiom: Idiom) -> None:
    labeler = load_labeler()
    rules = load_convention("ct_rate").labels
    kinds = {label: rule.findings[0] for label, rule in rules.items()}
    read, stated = [], []
    for one in archive:
        if one.idiom is not idiom:
            continue
        labels = labeler.label(write_report(one, None)).labels
        told = {s.finding.finding for s in statements(one) if s.manner is not Manner.RESOLVED}
        read.append([labels[name] == 1 for name in kinds])
        stated.append([finding in told for finding in kinds.values()])
    figures = score(np.array(read), np.array(stated), list(kinds), resamples=1)
    assert figures.macro.recall.value > 0.95
    assert figures.macro.f1.value > 0.9
