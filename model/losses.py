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
NOT_ASSESSABLE = -3
"""How a label stands there that is blank because the examination could not show it."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftValues:
    """What another reader gives a report's labels; NaN where it gave none."""

    probability_nl: NDArray[np.float32]
    confidence_nl: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What is taught: `target_nl` in [0, 1] and `weight_nl` in [0, 1], 0 where nothing is known."""

    target_nl: NDArray[np.float32]
    weight_nl: NDArray[np.float32]


def targets_of(
    values_nl: NDArray[np.int8], policy: LabelPolicy, soft: SoftValues | None = None
) -> Targets:
    """Label values (1, 0, -1, BLANK, NOT_ASSESSABLE) under a policy.

    An open `blank_weight` counts as 1. Soft labels take the place of blanks and uncertain values,
    or of all: their probability is the target, their confidence the weight.

    >>> values = np.array([[1, 0, -1, BLANK, NOT_ASSESSABLE]], dtype=np.int8)
    >>> taught = targets_of(values, LabelPolicy())
    >>> taught.target_nl.tolist(), taught.weight_nl.tolist()
    ([[1.0, 0.0, 0.5, 0.0, 0.0]], [[1.0, 1.0, 0.0, 1.0, 0.0]])
    """
    uncertain, blank = values_nl == LabelValue.UNCERTAIN, values_nl == BLANK
    target = (values_nl == LabelValue.PRESENT).astype(np.float32)
    target[uncertain] = policy.uncertain_target
    weight = np.ones_like(target)
    weight[uncertain] = policy.uncertain_weight
    weight[blank] = 1.0 if policy.blank_weight is None else policy.blank_weight
    weight[values_nl == NOT_ASSESSABLE] = policy.not_assessable_weight
    if soft is not None:
        taken = np.isfinite(soft.probability_nl)
        if policy.soft_labels == "fill":
            taken &= uncertain | blank
        target[taken] = soft.probability_nl[taken]
        weight[taken] = soft.confidence_nl[taken]
    return Targets(target, weight)


def known_values(values_nl: NDArray[np.int8]) -> NDArray[np.int8]:
    """Values to choose and to measure by: blank is absent; -1 (uncertain, unassessable) stays out.

    >>> known_values(np.array([[1, 0, -1, BLANK, NOT_ASSESSABLE]], dtype=np.int8)).tolist()
    [[1, 0, -1, 0, -1]]
    """
    absent = np.where(values_nl == BLANK, LabelValue.ABSENT, values_nl)
    return np.maximum(absent, LabelValue.UNCERTAIN).astype(np.int8)


def positive_weights(targets: Targets, largest: float) -> NDArray[np.float32]:
    """clip(sqrt(negatives / positives), 1, largest) per label (l), counted by weight."""
    positives = (targets.target_nl * targets.weight_nl).sum(axis=0)
    negatives = ((1 - targets.target_nl) * targets.weight_nl).sum(axis=0)
    ratio = np.sqrt(negatives / np.maximum(positives, 1e-9))
    return np.asarray(np.clip(ratio, 1, largest), dtype=np.float32)


def summed_bce(
    logits_bl: Tensor,
    target_bl: Tensor,
    weight_bl: Tensor,
    positive_weight_l: Tensor,
    smoothing: float = 0.0,
) -> Tensor:
    """Weighted binary cross-entropy, summed over what is known.

    `smoothing` moves every target that far towards 1/2.
    """
    softened = target_bl * (1 - smoothing) + 0.5 * smoothing
    loss_bl = functional.binary_cross_entropy_with_logits(
        logits_bl.float(), softened, pos_weight=positive_weight_l, reduction="none"
    )
    return (loss_bl * weight_bl).sum()


def masked_bce(
    logits_bl: Tensor,
    target_bl: Tensor,
    weight_bl: Tensor,
    positive_weight_l: Tensor,
    smoothing: float = 0.0,
) -> Tensor:
    """`summed_bce` as an average over the weight of what is known."""
    total = summed_bce(logits_bl, target_bl, weight_bl, positive_weight_l, smoothing)
    return total / weight_bl.sum().clamp_min(1e-9)


def as_tensors(targets: Targets) -> tuple[Tensor, Tensor]:
    """Targets and weights as tensors that share their memory."""
    return torch.from_numpy(targets.target_nl), torch.from_numpy(targets.weight_nl)
