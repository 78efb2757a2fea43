import numpy as np
import pytest

from model.calibration import CalibrationState, best_f1_threshold, fit_calibration


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
