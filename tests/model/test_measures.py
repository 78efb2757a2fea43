import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from model.measures import auroc, average_precision, calibration_slope

cases = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=4, max_size=40
).filter(lambda rows: len({hit for _, hit, w in rows if w}) == 2)


@settings(deadline=None, max_examples=60)
@given(cases)
def test_weighted_areas_agree_with_scikit_learn_also_with_ties(rows):
    score, hit, weight = (np.array(column) for column in zip(*rows, strict=True))
    weights = weight[None].astype(float)
    area = auroc(score.astype(float), hit, weights)[0]
    assert area == pytest.approx(roc_auc_score(hit, score, sample_weight=weight))
    precision = average_precision(score.astype(float), hit, weights)[0]
    assert precision == pytest.approx(average_precision_score(hit, score, sample_weight=weight))


def test_the_slope_is_that_of_a_weighted_logistic_regression():
    random = np.random.default_rng(2)
    probability = random.uniform(0.02, 0.98, 300)
    logit = np.log(probability / (1 - probability))
    positive = random.random(300) < 1 / (1 + np.exp(-0.5 * logit + 0.3))
    weights = np.vstack([np.ones(300), random.integers(0, 3, (70, 300))]).astype(float)
    slopes = calibration_slope(probability, positive, weights)
    for row in (0, 1, 70):
        model = LogisticRegression(C=1e9, tol=1e-9).fit(
            logit[:, None], positive, sample_weight=weights[row]
        )
        assert slopes[row] == pytest.approx(model.coef_[0, 0], abs=1e-3)


def test_a_slope_that_is_not_defined_is_nan():
    probability = np.array([0.1, 0.2, 0.8, 0.9])
    separable = np.array([False, False, True, True])
    weights = np.ones((1, 4))
    assert np.isnan(calibration_slope(probability, separable, weights)[0])
    assert np.isnan(calibration_slope(probability, np.zeros(4, dtype=bool), weights)[0])
