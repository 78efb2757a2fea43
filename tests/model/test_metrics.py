import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    precision_score,
    roc_auc_score,
)

from model.metrics import (
    MEASURES,
    bootstrap_weights,
    evaluate,
)


def example(seed: int = 0, n: int = 200):
    random = np.random.default_rng(seed)
    values = (random.random((n, 2)) < 0.3).astype(np.int8)
    probability = np.clip(0.3 * values + random.random((n, 2)) * 0.7, 0, 1)
    return probability, values, [f"p{i // 2}" for i in range(n)]


def test_measures_agree_with_scikit_learn():
    probability, values, patients = example()
    measured = evaluate(probability, values, patients, ("a:x", "a:y"), np.array([0.5, 0.4]))
    first = measured.labels[0].measures
    called = probability[:, 0] >= 0.5
    assert set(first) == set(MEASURES)
    assert first["f1"].value == pytest.approx(f1_score(values[:, 0], called))
    assert first["brier"].value == pytest.approx(brier_score_loss(values[:, 0], probability[:, 0]))
    assert first["sensitivity"].value == pytest.approx(called[values[:, 0] == 1].mean())
    assert first["specificity"].value == pytest.approx((~called)[values[:, 0] == 0].mean())
    assert first["ppv"].value == pytest.approx(precision_score(values[:, 0], called))
    assert first["accuracy"].value == pytest.approx(accuracy_score(values[:, 0], called))
    alarms = 100 * (called & (values[:, 0] == 0)).mean()
    assert first["false_alarms_per_100"].value == pytest.approx(alarms)
    assert first["auroc"].low < first["auroc"].value < first["auroc"].high
    expected = np.mean([m.measures["auroc"].value for m in measured.labels])
    assert measured.macro["auroc"].value == pytest.approx(expected)
    assert (measured.scans, measured.patients) == (200, 100)


def test_few_patients_and_perfect_figures_have_no_interval():
    probability, _, patients = example(n=60)
    values = np.zeros((60, 2), np.int8)
    values[0, 0] = values[:24, 1] = 1  # one patient, twelve patients
    probability[:, 0] = np.linspace(1, 0, 60)
    probability[:, 1] = np.where(values[:, 1] == 1, 0.9, 0.1)
    measured = evaluate(
        probability, values, patients, ("a:x", "a:y"), np.array([0.5, 0.5]),
        points={"balanced": np.array([0.5, 0.5])},
    )  # fmt: skip
    few, perfect = (label.measures for label in measured.labels)
    assert few["auroc"].value == perfect["auroc"].value == 1
    told = [*few.values(), *measured.labels[0].points["balanced"].values(), perfect["auroc"]]
    assert all(np.isnan(estimate.low) and np.isnan(estimate.high) for estimate in told)
    assert perfect["brier"].value == pytest.approx(0.01)
    assert perfect["accuracy"].value == 1
    assert perfect["ppv"].value == 1
    assert perfect["false_alarms_per_100"].value == 0


def test_patients_are_drawn_whole():
    weights = bootstrap_weights(["a", "a", "b", "c", "c"], 50, 0)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all()
    assert (weights[1:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_unknown_values_are_left_out_and_one_class_is_said():
    probability, values, patients = example()
    values[:, 1] = 0
    values[:50, 0] = -1
    measured = evaluate(probability, values, patients, ("a:x", "a:y"), np.array([0.5, 0.5]))
    assert measured.labels[0].positives + measured.labels[0].negatives == 150
    assert measured.undefined == ("a:y",)
    assert np.isnan(measured.labels[1].measures["auroc"].value)
    assert measured.macro["auroc"].value == measured.labels[0].measures["auroc"].value


def test_perfect_calibration_has_no_error_and_a_wrong_one_has():
    values = np.tile([[0], [1]], (500, 1)).astype(np.int8)
    patients = [str(i) for i in range(1000)]
    honest = evaluate(np.full((1000, 1), 0.5), values, patients, ("a:x",), np.array([0.5]))
    boastful = evaluate(np.full((1000, 1), 0.9), values, patients, ("a:x",), np.array([0.5]))
    assert honest.labels[0].measures["ece"].value == pytest.approx(0)
    assert boastful.labels[0].measures["ece"].value == pytest.approx(0.4)


def test_a_calibration_error_lies_within_its_interval():
    random = np.random.default_rng(4)
    probability = random.uniform(0, 1, (120, 12))
    values = (random.random((120, 12)) < probability).astype(np.int8)
    labels = tuple(f"a:{number}" for number in range(12))
    measured = evaluate(
        probability, values, [str(i) for i in range(120)], labels, np.full(12, 0.5), resamples=200
    )
    error = measured.macro["ece"]
    assert error.low < error.value < error.high


def test_a_label_that_few_scans_tell_keeps_the_interval_of_the_calibration_error():
    random = np.random.default_rng(4)
    values = np.full((100, 1), -1, np.int8)
    values[:4, 0] = [0, 1, 0, 1]
    patients = [str(i) for i in range(100)]
    measured = evaluate(random.random((100, 1)), values, patients, ("a:x",), np.array([0.5]))
    assert np.isfinite(measured.macro["ece"].low)


def test_scores_rank_where_probabilities_tie():
    _, values, patients = example()
    scores = values + np.random.default_rng(0).normal(0, 0.5, values.shape)
    tied = np.full(values.shape, 0.3)
    labels, thresholds = ("a:x", "a:y"), np.array([0.5, 0.5])
    measured = evaluate(tied, values, patients, labels, thresholds, scores_nl=scores, resamples=5)
    expected = roc_auc_score(values[:, 0], scores[:, 0])
    assert measured.labels[0].measures["auroc"].value == pytest.approx(expected)
    assert measured.labels[0].measures["brier"].value == pytest.approx(
        brier_score_loss(values[:, 0], tied[:, 0])
    )


def test_operating_points_are_measured_where_they_exist():
    probability, values, patients = example()
    points = {"sensitive": np.array([0.2, np.nan])}
    measured = evaluate(
        probability, values, patients, ("a:x", "a:y"), np.array([0.5, 0.5]), points=points
    )
    found = measured.labels[0].points["sensitive"]["sensitivity"]
    assert found.value == pytest.approx((probability[:, 0] >= 0.2)[values[:, 0] == 1].mean())
    assert measured.labels[1].points == {}
