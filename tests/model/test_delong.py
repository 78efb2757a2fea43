import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from model.delong import delong


def drawn(seed: int, n: int = 120, gain: float = 1.0):
    random = np.random.default_rng(seed)
    positive = random.random(n) < 0.4
    shared = random.normal(0, 1, n)
    first = gain * positive + shared + random.normal(0, 0.7, n)
    second = positive + shared + random.normal(0, 0.7, n)
    return first, second, positive


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_difference_is_that_of_the_areas_also_with_ties(seed):
    first, second, positive = drawn(seed)
    first, second = np.round(first), np.round(second)
    found = delong(first, second, positive)
    expected = roc_auc_score(positive, first) - roc_auc_score(positive, second)
    assert found.difference == pytest.approx(expected, abs=1e-12)


def test_no_difference_is_rarely_significant_and_a_large_one_is():
    p = [delong(*drawn(seed)).p for seed in range(300)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert delong(*drawn(1, n=600, gain=2.5)).p < 1e-4


def test_the_error_is_the_spread_over_samples():
    found = [delong(*drawn(seed)) for seed in range(300)]
    spread = np.std([f.difference for f in found])
    assert np.mean([f.error for f in found]) == pytest.approx(spread, rel=0.15)


def test_too_few_cases_have_no_error():
    first, second, _ = drawn(0, n=10)
    assert np.isnan(delong(first, second, np.arange(10) == 0).p)
