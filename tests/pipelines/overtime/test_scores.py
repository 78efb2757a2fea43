"""Noise and verdicts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.overtime.content import Reconstruction, Study, Verdict
from pipelines.overtime.scores import Scored, differences, repeatability, traces, verdict
from pipelines.rendering.content import Decision, Finding, Scan

MOVED = st.floats(-20, 20, allow_nan=False)


def scored(
    probability: float, kernel: str = "B30f", step: float = 3.0, contrast: bool | None = None
) -> Scored:
    finding = Finding(
        label="ct_rate:Nodule", name="Nodule", group="lung", logit=0, probability=probability,
        calibrated=True, calibration="fitted", threshold=0.5, decision=Decision.ABSENT,
        evidence=None,
    )  # fmt: skip
    scan = Scan(identified=False, kernel=kernel, contrast=contrast)
    return Scored(Reconstruction(scan=scan, step_mm=step), {finding.label: finding}, kernel)


def traced(*scores: list[Scored]):
    studies = [
        Study(number=n, day=n, reconstructions=tuple(s.shown for s in of_study), shown=0)
        for n, of_study in enumerate(scores, start=1)
    ]
    names = {label: f for of_study in scores for s in of_study for label, f in s.findings.items()}
    return traces(studies, scores, names)


def test_kernel_thickness_and_contrast_part_two_scans() -> None:
    assert differences(scored(0.1), scored(0.9)) == ()
    assert differences(scored(0.1), scored(0.1, kernel="B70f")) == ("kernel B30f, then B70f",)
    assert differences(scored(0.1), scored(0.1, step=5)) == ("slices every 3 mm, then 5 mm",)
    assert differences(scored(0.1, contrast=True), scored(0.1, contrast=False)) != ()
    assert differences(scored(0.1, contrast=True), scored(0.1)) == ()  # nobody knows


def test_of_several_series_those_that_compare_are_taken() -> None:
    first = [scored(0.2, kernel="B70f"), scored(0.3)]
    ((trace,), known) = traced(first, [scored(0.9)])
    (change,) = trace.changes
    assert change.why == ()
    assert change.verdict is Verdict.HIGHER
    assert known is not None
    assert known.pairs == 1


def test_without_two_reconstructions_nothing_is_claimed() -> None:
    ((trace,), known) = traced([scored(0.01)], [scored(0.99)])
    assert known is None
    assert trace.noise is None
    assert trace.changes[0].verdict is Verdict.NOISE_NOT_KNOWN


def test_a_study_that_was_not_read_is_stepped_over() -> None:
    ((trace,), _) = traced([scored(0.1)], [], [scored(0.1)])
    assert trace.probabilities == (0.1, None, 0.1)
    assert [(c.before, c.after) for c in trace.changes] == [(1, 3)]


@given(MOVED, st.floats(0, 20))
def test_only_more_than_the_noise_is_a_change(moved: float, noise: float) -> None:
    said = verdict(moved, noise, comparable=True)
    assert (said is Verdict.WITHIN_NOISE) == (abs(moved) <= noise)
    assert verdict(moved, noise, comparable=False) is Verdict.NOT_COMPARABLE


def test_the_coefficient_holds_95_percent_of_repeats() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (2, 20_000))
    limit = repeatability(list(first - second))
    assert limit == pytest.approx(1.96 * np.sqrt(2), rel=0.02)
    assert np.mean(np.abs(first - second) < limit) == pytest.approx(0.95, abs=0.005)
