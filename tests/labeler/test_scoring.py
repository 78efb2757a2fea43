"""Figures against scikit-learn, intervals against what they promise."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from configs.contracts import Estimate
from labeler.scoring import compare, score

LABELS = ("common", "rare", "never")


def drawn(seed: int = 0, reports: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gold = rng.random((reports, 3)) < (0.4, 0.06, 0.0)
    wrong = rng.random((reports, 3)) < (0.1, 0.05, 0.0)
    return gold ^ wrong, gold


def test_figures_are_scikit_learns() -> None:
    predicted, gold = drawn()
    result = score(predicted, gold, LABELS, resamples=50)
    for index, label in enumerate(LABELS[:2]):
        figures = result.by_label[label]
        column = gold[:, index], predicted[:, index]
        assert figures.support == column[0].sum()
        assert figures.predicted == column[1].sum()
        assert figures.precision.value == pytest.approx(precision_score(*column))
        assert figures.recall.value == pytest.approx(recall_score(*column))
        assert figures.f1.value == pytest.approx(f1_score(*column))
        assert figures.kappa.value == pytest.approx(cohen_kappa_score(*column))
    assert result.micro.f1.value == pytest.approx(f1_score(gold, predicted, average="micro"))
    kept = f1_score(gold[:, :2], predicted[:, :2], average="macro")
    assert result.macro.f1.value == pytest.approx(kept)


def test_a_label_that_never_occurs_has_no_figures_and_no_part_in_the_macro() -> None:
    predicted, gold = drawn()
    figures = score(predicted, gold, LABELS, resamples=50).by_label["never"]
    assert figures.support == 0
    assert all(math.isnan(f.value) for f in (figures.precision, figures.recall, figures.f1))


def test_perfect_and_empty_predictions() -> None:
    _, gold = drawn()
    perfect = score(gold, gold, LABELS, resamples=50)
    assert perfect.macro.f1 == Estimate(1.0, 1.0, 1.0)
    assert perfect.micro.kappa.value == 1.0
    empty = score(np.zeros_like(gold), gold, LABELS, resamples=50)
    assert empty.macro.f1.value == 0.0
    assert math.isnan(empty.by_label["common"].precision.value)


def test_intervals_hold_their_point_and_narrow_with_more_reports() -> None:
    few, many = (score(*drawn(reports=n), LABELS).by_label["common"].f1 for n in (100, 3000))
    for estimate in (few, many):
        assert estimate.low < estimate.value < estimate.high
    assert many.high - many.low < 0.4 * (few.high - few.low)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = score(*drawn(99, reports=200_000), LABELS[:3], resamples=1).by_label["common"].f1.value
    hits = 0
    for seed in range(100):
        estimate = score(*drawn(seed, reports=200), LABELS, resamples=200).by_label["common"].f1
        hits += estimate.low <= truth <= estimate.high
    assert 86 <= hits <= 100


def test_the_interval_matches_a_plain_loop() -> None:
    predicted, gold = drawn()
    rng = np.random.default_rng(5)
    values = []
    for _ in range(2000):
        rows = rng.integers(len(gold), size=len(gold))
        values.append(f1_score(gold[rows, 0], predicted[rows, 0]))
    low, high = np.percentile(values, (2.5, 97.5))
    estimate = score(predicted, gold, LABELS, resamples=2000).by_label["common"].f1
    assert estimate.low == pytest.approx(low, abs=0.006)
    assert estimate.high == pytest.approx(high, abs=0.006)


def test_the_seed_decides_the_interval() -> None:
    one, again, other = (
        score(*drawn(), LABELS, resamples=100, seed=seed).macro.f1 for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_cells_that_do_not_count_are_left_out() -> None:
    predicted, gold = drawn()
    counted = predicted == gold
    result = score(predicted, gold, LABELS, counted_rl=counted, resamples=50)
    assert result.micro.f1.value == 1.0
    assert result.by_label["common"].support == (gold & counted)[:, 0].sum()


def test_comparison_is_paired() -> None:
    predicted, gold = drawn()
    same = compare(predicted, predicted, gold, LABELS, resamples=100)
    assert same.macro == Estimate(0.0, 0.0, 0.0)
    better = predicted.copy()
    better[:, 0] = gold[:, 0]
    gain = compare(better, predicted, gold, LABELS, resamples=300)
    assert gain.by_label["common"].low > 0
    one = score(better, gold, LABELS, resamples=2).macro.f1.value
    other = score(predicted, gold, LABELS, resamples=2).macro.f1.value
    assert gain.macro.value == pytest.approx(one - other)


def test_shapes_must_agree() -> None:
    predicted, gold = drawn()
    with pytest.raises(ValueError, match="differ"):
        score(predicted[:5], gold, LABELS)
    with pytest.raises(ValueError, match="names"):
        score(predicted, gold, LABELS[:2])
    with pytest.raises(ValueError, match="0 reports"):
        score(predicted[:0], gold[:0], LABELS)
