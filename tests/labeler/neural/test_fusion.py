"""Combinations against what they promise: calibration, shared strength, the best threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeler.neural.fusion import Fusion, decided, f1_threshold, features, fit_combination
from labeler.neural.reading import BLANK


def drawn(seed: int = 0, reports: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, rules that miss a third of it, and a network that is right on average."""
    rng = np.random.default_rng(seed)
    truth = rng.random((reports, 4)) < (0.3, 0.2, 0.2, 0.01)
    seen = truth & (rng.random(truth.shape) < 0.67)
    values = np.where(seen, 1, np.where(rng.random(truth.shape) < 0.5, 0, BLANK)).astype(np.int8)
    logit = np.where(truth, 2.0, -2.0) + rng.normal(size=truth.shape) * 1.5
    return truth, values, np.logaddexp(0, logit).astype(np.float32)


def brier(probability: np.ndarray, truth: np.ndarray) -> float:
    return float(((probability.astype(float) - truth) ** 2).mean())


def test_fused_knows_more_than_network_or_rules() -> None:
    truth, values, hazards = drawn()
    other_truth, other_values, other_hazards = drawn(seed=1)
    known = np.ones_like(truth)
    error = {}
    for fusion in (Fusion.NEURAL, Fusion.FUSED):
        fitted = fit_combination(features(fusion, values, hazards), truth, known)
        probability = fitted.probability(features(fusion, other_values, other_hazards))
        error[fusion] = brier(probability, other_truth)
        assert probability.mean() == pytest.approx(other_truth.mean(), abs=0.02)
    assert error[Fusion.FUSED] < 0.8 * error[Fusion.NEURAL]
    assert error[Fusion.FUSED] < 0.8 * brier(other_values == 1, other_truth)


def test_a_label_without_gold_leans_on_the_others() -> None:
    truth, values, hazards = drawn()
    known = np.ones_like(truth)
    known[:, 1] = False
    seen = features(Fusion.FUSED, values, hazards)
    fitted = fit_combination(seen, truth, known)
    assert brier(fitted.probability(seen)[:, 1], truth[:, 1]) < 0.05


def test_the_logit_alone_decides_without_rules() -> None:
    _, values, hazards = drawn()
    without = features(Fusion.NEURAL, values, hazards)
    np.testing.assert_array_equal(without, features(Fusion.NEURAL, 0 * values, hazards))


@given(hnp.arrays(float, st.integers(1, 30), elements=st.floats(0.01, 1)))
def test_no_threshold_has_a_higher_expected_f1(probability: np.ndarray) -> None:
    def expected_f1(threshold: float) -> float:
        called = probability >= threshold
        return 2 * probability[called].sum() / (called.sum() + probability.sum())

    best = max(expected_f1(threshold) for threshold in probability)
    assert expected_f1(f1_threshold(probability) - 1e-9) == pytest.approx(best)


def test_values_stay_the_rules_own_where_the_decision_agrees() -> None:
    values = np.array([[1, 0, -1, BLANK, 1, 0, -1, BLANK]], np.int8)
    ruled = np.isin(values, (1, -1))
    agreeing = decided(values, ruled, ruled)
    np.testing.assert_array_equal(agreeing, values)
    overruled = decided(values, ruled, ~ruled)
    np.testing.assert_array_equal(overruled, [[0, 1, 0, 1, 0, 1, 0, 1]])
