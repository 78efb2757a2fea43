import numpy as np
import pytest
import torch

from configs.training import LabelPolicy
from model.losses import (
    BLANK,
    SoftValues,
    Targets,
    as_tensors,
    masked_bce,
    positive_weights,
    targets_of,
)

VALUES = np.array([[1, 0], [0, -1], [BLANK, 1]], dtype=np.int8)


def test_policy_decides_what_blank_and_uncertain_teach():
    policy = LabelPolicy(blank_weight=0.5, uncertain_weight=0.25, uncertain_target=0.7)
    taught = targets_of(VALUES, policy)
    assert taught.target_nl == pytest.approx(np.array([[1, 0], [0, 0.7], [0, 1]]))
    assert taught.weight_nl == pytest.approx(np.array([[1, 1], [1, 0.25], [0.5, 1]]))


def test_soft_labels_fill_or_replace():
    nothing = np.nan
    soft = SoftValues(
        np.array([[0.2, nothing], [nothing, 0.9], [0.3, 0.1]], np.float32),
        np.array([[0.4, nothing], [nothing, 0.5], [0.6, 0.7]], np.float32),
    )
    filled = targets_of(VALUES, LabelPolicy(), soft)
    assert filled.target_nl == pytest.approx(np.array([[1, 0], [0, 0.9], [0.3, 1]]))
    assert filled.weight_nl == pytest.approx(np.array([[1, 1], [1, 0.5], [0.6, 1]]))
    replaced = targets_of(VALUES, LabelPolicy(soft_labels="replace"), soft)
    assert replaced.target_nl == pytest.approx(np.array([[0.2, 0], [0, 0.9], [0.3, 0.1]]))
    assert replaced.weight_nl == pytest.approx(np.array([[0.4, 1], [1, 0.5], [0.6, 0.7]]))


def test_masked_labels_have_no_gradient():
    target, weight = as_tensors(targets_of(VALUES, LabelPolicy()))
    logits = torch.zeros(3, 2, requires_grad=True)
    masked_bce(logits, target, weight, torch.ones(2)).backward()
    assert logits.grad is not None
    assert (logits.grad == 0).tolist() == [[False, False], [False, True], [False, False]]


def test_loss_is_the_mean_over_what_is_known():
    target, weight = as_tensors(targets_of(VALUES, LabelPolicy()))
    loss = masked_bce(torch.zeros(3, 2), target, weight, torch.ones(2))
    assert float(loss) == pytest.approx(np.log(2))
    unknown = masked_bce(torch.zeros(3, 2), target, torch.zeros(3, 2), torch.ones(2))
    assert float(unknown) == 0


def test_smoothing_makes_certainty_costly():
    sure = torch.full((1, 1), 12.0)
    one = torch.ones(1, 1)
    assert masked_bce(sure, one, one, torch.ones(1), smoothing=0.1) > 0.3
    assert masked_bce(sure, one, one, torch.ones(1)) < 1e-4


def test_rare_positives_weigh_more_within_bounds():
    target = np.zeros((1000, 3), dtype=np.float32)
    target[:100, 0] = 1
    target[:1, 1] = 1
    target[:800, 2] = 1
    weights = positive_weights(Targets(target, np.ones_like(target)), 10)
    assert weights == pytest.approx([3.0, 10.0, 1.0])
