"""Draws: without replacement, every stratum seen, weights that give the archive back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from configs.contracts import InputError
from pipelines.reviewing.drawing import NO_LABEL, draw

LABELS = ("A", "B", "C")


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.bool_, st.tuples(st.integers(1, 80), st.just(3))),
    st.integers(8, 100),
    st.integers(0, 5),
)
def test_weights_add_up_to_each_stratum(present_rl: np.ndarray, count: int, seed: int) -> None:
    found = draw(present_rl, LABELS, count, seed)
    assert len(set(found.row_d.tolist())) == len(found.row_d) == min(count, len(present_rl))
    assert found.weight_d.sum() == pytest.approx(len(present_rl))
    none = ~present_rl.any(axis=1)
    inside = np.array([stratum == NO_LABEL for stratum in found.stratum_d])
    assert found.weight_d[inside].sum() == pytest.approx(none.sum())
    for row, stratum in zip(found.row_d, found.stratum_d, strict=True):
        assert none[row] if stratum == NO_LABEL else present_rl[row, LABELS.index(stratum)]


def test_rare_labels_are_seen_more_often_than_by_chance() -> None:
    present_rl = np.zeros((10_000, 3), np.bool_)
    present_rl[:4_000, 0] = present_rl[:30, 2] = True
    found = draw(present_rl, LABELS, 100, 0)
    assert sum(stratum == "C" for stratum in found.stratum_d) >= 3
    assert sum(stratum == NO_LABEL for stratum in found.stratum_d) >= 40


def test_a_report_belongs_to_its_rarest_label_and_a_seed_repeats_the_draw() -> None:
    present_rl = np.array([[True, True, False]] + [[True, False, False]] * 9)
    found = draw(present_rl, LABELS, 10, 3)
    assert found.stratum_d.count("B") == 1
    assert found.stratum_d.count("A") == 9
    again = draw(present_rl, LABELS, 5, 3)
    assert again.row_d.tolist() == draw(present_rl, LABELS, 5, 3).row_d.tolist()
    assert again.row_d.tolist() != draw(present_rl, LABELS, 5, 4).row_d.tolist()


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(InputError, match="at least 6"):
        draw(np.repeat(np.eye(3, dtype=np.bool_), 4, axis=0), LABELS, 5, 0)
