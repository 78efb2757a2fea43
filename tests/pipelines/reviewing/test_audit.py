"""Audits: exact where all is judged, honest where little is, right on average."""

import numpy as np
import pytest

from pipelines.reviewing.audit import Audit, audit
from pipelines.reviewing.drawing import draw


def of_draw(
    predicted_rl: np.ndarray, true_rl: np.ndarray, count: int, seed: int = 0, **more: object
) -> Audit:
    labels = [f"L{number}" for number in range(predicted_rl.shape[1])]
    found = draw(predicted_rl, labels, count, seed)
    rows = found.row_d
    return audit(
        predicted_rl[rows],
        true_rl[rows].astype(float),
        found.weight_d,
        predicted_rl.sum(axis=0).tolist(),
        len(predicted_rl),
        labels,
        **more,  # type: ignore[arg-type]
    )


def archive(reports: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with 10 % of the positives missed and some false, common to rare."""
    rng = np.random.default_rng(seed)
    true_rl = rng.random((reports, 3)) < [0.3, 0.1, 0.02]
    missed = true_rl & (rng.random(true_rl.shape) < 0.1)
    false = ~true_rl & (rng.random(true_rl.shape) < [0.03, 0.01, 0.005])
    return (true_rl & ~missed) | false, true_rl


def test_a_census_gives_the_figures_themselves() -> None:
    predicted_rl, true_rl = archive(400, 0)
    found = of_draw(predicted_rl, true_rl, 400)
    hit = (predicted_rl & true_rl).sum(axis=0)
    for number, one in enumerate(found.by_label.values()):
        assert one.precision.value == pytest.approx(hit[number] / predicted_rl[:, number].sum())
        assert one.recall.value == pytest.approx(hit[number] / true_rl[:, number].sum())
        assert one.prevalence.value == pytest.approx(true_rl[:, number].mean())
        assert one.recall.low <= one.recall.value <= one.recall.high
    assert found.macro.recall.value == pytest.approx((hit / true_rl.sum(axis=0)).mean())


def test_no_miss_among_few_draws_does_not_make_recall_certain() -> None:
    predicted_rl = np.zeros((10_000, 1), np.bool_)
    predicted_rl[:100] = True
    one = of_draw(predicted_rl, predicted_rl.copy(), 60).by_label["L0"]
    assert one.recall.value == 1.0
    assert one.recall.low < 0.4  # 2 % of the 9,900 others would be 198 missed reports


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    inside = {"precision": 0, "recall": 0}
    trials = 60
    predicted_rl, true_rl = archive(3_000, 1)
    hit = (predicted_rl & true_rl)[:, 0].sum()
    truth = {
        "precision": hit / predicted_rl[:, 0].sum(),
        "recall": hit / true_rl[:, 0].sum(),
    }
    for seed in range(trials):
        one = of_draw(predicted_rl, true_rl, 150, seed).by_label["L0"]
        for name, value in truth.items():
            estimate = getattr(one, name)
            inside[name] += estimate.low <= value <= estimate.high
    assert inside["precision"] >= 0.88 * trials
    assert inside["recall"] >= 0.88 * trials


def test_open_cells_do_not_count_and_kappa_is_the_readers_own() -> None:
    predicted = np.array([[True], [True], [False], [False]])
    gold = np.array([[1.0], [np.nan], [0.0], [0.0]])
    one = np.array([[True], [True], [False], [False]])
    other = np.array([[True], [False], [False], [False]])
    found = audit(predicted, gold, np.full(4, 10.0), [20], 40, ["L"], (one, other))
    assert found.open_cells == 1
    assert found.by_label["L"].precision.value == 1.0
    assert found.by_label["L"].kappa is not None
    assert found.by_label["L"].kappa.value == pytest.approx(0.5)


def test_a_label_that_nobody_has_is_not_defined() -> None:
    found = audit(np.zeros((5, 1), np.bool_), np.zeros((5, 1)), np.ones(5), [0], 5, ["L"])
    assert np.isnan(found.by_label["L"].precision.value)
    assert np.isnan(found.macro.f1.value)
    assert found.by_label["L"].prevalence.value == 0.0
