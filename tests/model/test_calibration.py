from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss

from model.calibration import (
    CalibrationMethod,
    CalibrationState,
    Knot,
    fit_calibration,
    fit_isotonic,
)
from model.operating import best_f1_threshold, sensitive_threshold


def drawn(n: int, slope: float, intercept: float, seed: int = 0):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, n)
    return logits, random.random(n) < 1 / (1 + np.exp(-(slope * logits + intercept)))


def test_finds_the_sigmoid_that_made_the_data():
    logits, positive = drawn(5000, 0.6, -1.0)
    fitted = fit_calibration(logits, positive)
    assert fitted.state is CalibrationState.FITTED
    assert fitted.slope == pytest.approx(0.6, abs=0.08)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.15)
    assert fitted.probability(logits).mean() == pytest.approx(positive.mean(), abs=0.01)


def test_few_cases_move_the_intercept_more_than_the_slope():
    logits = np.linspace(-4, 4, 30)
    positive = np.arange(30) >= 27
    fitted = fit_calibration(logits, positive)
    assert fitted.state is CalibrationState.FEW_CASES
    assert 0.5 < fitted.slope < 2
    assert fitted.positives == 3


def test_one_class_is_said_and_changes_nothing():
    fitted = fit_calibration(np.zeros(5), np.zeros(5, dtype=bool))
    assert fitted.state is CalibrationState.NONE
    assert fitted.probability(np.array([0.0])) == pytest.approx(0.5)


def test_order_is_kept():
    """A reversed score must not be turned round: the maps would then show the opposite."""
    logits, positive = drawn(300, -1.0, 0.0)
    assert fit_calibration(logits, positive).slope > 0


def test_threshold_never_parts_equal_scores():
    probability = np.array([0.2, 0.5, 0.5, 0.5, 0.9])
    positive = np.array([False, True, False, True, True])
    assert best_f1_threshold(probability, positive) == pytest.approx(0.35)


def test_bins_count_every_validation_scan_once_and_none_where_cases_are_few() -> None:
    generator = np.random.default_rng(3)
    positive = generator.random(237) < 0.3
    logits = np.round(generator.normal(positive.astype(float), 1.0), 1)  # with equal scores
    fitted = fit_calibration(logits, positive)
    assert sum(found.scans for found in fitted.bins) == 237
    assert sum(found.positives for found in fitted.bins) == positive.sum()
    for found in fitted.bins:
        inside = [fitted.alike(p) is found for p in fitted.probability(logits).astype(float)]
        assert sum(inside) == found.scans >= 15  # equal scores stay together
    few = fit_calibration(logits[:12], np.arange(12) < 3)
    assert few.bins == ()
    assert few.alike(0.5) is None


def stepped(n: int, seed: int = 1):
    """Logits whose frequency rises in one step: no sigmoid of a gentle slope fits it."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, n)
    return logits, random.random(n) < np.where(logits > 1, 0.55, 0.25)


def test_the_curve_with_the_lower_loss_on_left_out_patients_is_taken():
    logits, positive = stepped(3000)
    stepwise = fit_calibration(logits, positive)
    assert stepwise.method is CalibrationMethod.ISOTONIC
    assert fit_calibration(*drawn(3000, 0.8, -1.0)).method is CalibrationMethod.PLATT
    fresh, outcome = stepped(5000, seed=2)
    platt = replace(stepwise, knots=())
    losses = [log_loss(outcome, c.probability(fresh).astype(float)) for c in (stepwise, platt)]
    assert losses[0] < losses[1]


def test_patients_are_not_parted_when_curves_are_compared():
    """Noise repeated within patients would look like a curve if their scans were parted."""
    random = np.random.default_rng(4)
    logits = np.repeat(random.normal(0, 1, 40), 20)
    positive = np.repeat(random.random(40) < 0.4, 20)
    patients = [f"p{i // 20}" for i in range(800)]
    assert fit_calibration(logits, positive).method is CalibrationMethod.ISOTONIC
    assert fit_calibration(logits, positive, patients).method is CalibrationMethod.PLATT


def test_few_cases_are_never_isotonic():
    logits, positive = stepped(60)
    assert fit_calibration(logits, positive).method is CalibrationMethod.PLATT


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-6, 6), st.booleans()), min_size=4, max_size=60))
def test_an_isotonic_curve_rises_and_is_never_certain(cases):
    logits, positive = (np.array(column) for column in zip(*cases, strict=True))
    knots = fit_isotonic(logits.astype(float), positive)
    steps = list(pairwise(knots))
    assert all(a.logit < b.logit and a.probability < b.probability for a, b in steps)
    assert all(0 < knot.probability < 1 for knot in knots)


def test_knots_out_of_order_are_refused():
    fitted = fit_calibration(*drawn(100, 1.0, 0.0))
    with pytest.raises(ValueError, match="must rise"):
        replace(fitted, knots=(Knot(1.0, 0.2), Knot(0.0, 0.4)))


def test_points_are_fitted_from_fifty_positives_on():
    logits, positive = drawn(400, 1.5, -1.0)
    few = np.flatnonzero(positive)[49:]
    rows = np.setdiff1d(np.arange(400), few)
    unvalidated = fit_calibration(logits[rows], positive[rows])
    assert unvalidated.positives == 49
    assert not unvalidated.validated
    assert unvalidated.sensitive is None
    assert 0 < unvalidated.threshold < 1
    rows = np.setdiff1d(np.arange(400), few[1:])
    assert fit_calibration(logits[rows], positive[rows]).validated


def test_points_say_what_they_cost():
    logits, positive = drawn(1000, 1.5, -1.0)
    fitted = fit_calibration(logits, positive)
    probability = fitted.probability(logits).astype(float)
    balanced, sensitive = fitted.balanced, fitted.sensitive
    assert balanced.threshold == fitted.threshold
    called = probability >= fitted.threshold
    best = max(f1_score(positive, probability >= t) for t in np.unique(probability))
    assert f1_score(positive, called) == pytest.approx(best)
    assert sensitive.sensitivity >= 0.95
    assert sensitive.sensitivity_low < sensitive.sensitivity
    found = probability >= sensitive.threshold
    assert sensitive.ppv == pytest.approx(positive[found].mean())
    assert sensitive.false_alarms_per_100 == pytest.approx(100 * (found & ~positive).mean())
    assert fit_calibration(logits, positive, sensitivity=0.5).sensitive.sensitivity < 0.55


def test_a_sensitive_threshold_is_the_highest_that_finds_enough():
    probability = np.linspace(0.01, 0.99, 99)
    positive = np.arange(99) % 3 == 0
    threshold = sensitive_threshold(probability, positive, 0.9)
    found = (probability >= threshold) & positive
    assert found.sum() == np.ceil(0.9 * positive.sum())
