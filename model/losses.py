"""From label values to targets and weights, and the loss between them and logits."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from configs.contracts import LabelValue
from configs.training import LabelPolicy

BLANK = -2
"""How a blank label stands in an integer array."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What is taught: `target_nl` in [0, 1] and `weight_nl` in [0, 1], 0 where nothing is known."""

    target_nl: NDArray[np.float32]
    weight_nl: NDArray[np.float32]


def targets_of(values_nl: NDArray[np.int8], policy: LabelPolicy) -> Targets:
    """Label values (1, 0, -1, BLANK) under a policy.

    >>> taught = targets_of(np.array([[1, 0, -1, BLANK]], dtype=np.int8), LabelPolicy())
    >>> taught.target_nl.tolist(), taught.weight_nl.tolist()
    ([[1.0, 0.0, 0.5, 0.0]], [[1.0, 1.0, 0.0, 1.0]])
    """
    uncertain, blank = values_nl == LabelValue.UNCERTAIN, values_nl == BLANK
    target = (values_nl == LabelValue.PRESENT).astype(np.float32)
    target[uncertain] = policy.uncertain_target
    weight = np.ones_like(target)
    weight[uncertain] = policy.uncertain_weight
    weight[blank] = policy.blank_weight
    return Targets(target, weight)


def positive_weights(targets: Targets, largest: float) -> NDArray[np.float32]:
    """clip(sqrt(negatives / positives), 1, largest) per label (l), counted by weight."""
    positives = (targets.target_nl * targets.weight_nl).sum(axis=0)
    negatives = ((1 - targets.target_nl) * targets.weight_nl).sum(axis=0)
    ratio = np.sqrt(negatives / np.maximum(positives, 1e-9))
    return np.asarray(np.clip(ratio, 1, largest), dtype=np.float32)


def masked_bce(
    logits_bl: Tensor,
    target_bl: Tensor,
    weight_bl: Tensor,
    positive_weight_l: Tensor,
    smoothing: float = 0.0,
) -> Tensor:
    """Weighted binary cross-entropy, averaged over the weight of what is known.

    `smoothing` moves every target that far towards 1/2.
    """
    softened = target_bl * (1 - smoothing) + 0.5 * smoothing
    loss_bl = functional.binary_cross_entropy_with_logits(
        logits_bl.float(), softened, pos_weight=positive_weight_l, reduction="none"
    )
    return (loss_bl * weight_bl).sum() / weight_bl.sum().clamp_min(1e-9)


def as_tensors(targets: Targets) -> tuple[Tensor, Tensor]:
    """Targets and weights as tensors that share their memory."""
    return torch.from_numpy(targets.target_nl), torch.from_numpy(targets.weight_nl)
