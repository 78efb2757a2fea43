"""Rules and network as one calibrated probability, learnt from gold by logistic regression."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from configs.contracts import LabelValue
from labeler.neural.network import logit_of
from labeler.neural.reading import Values

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SHARED_SPREAD, _OWN_SPREAD = 3.0, 0.7
"""Prior standard deviations: of what all labels share, and of how one label departs from it."""
_LARGEST_LOGIT = 8.0
_SLOPE_UNIT = 4.0
"""Logits are divided by this, so that one prior fits slopes and offsets."""


class Fusion(StrEnum):
    """Whose word decides a label."""

    RULES = "rules"
    NEURAL = "neural"
    FUSED = "fused"


def features(fusion: Fusion, value_rl: Values, hazard_rl: NDArray[np.float32]) -> Floats:
    """What a combination sees of each cell (reports, labels, features).

    1 and the network's logit; for `fused` also whether the rule's value is present, absent or
    uncertain (none of these: blank).
    """
    found = logit_of(torch.from_numpy(hazard_rl)).numpy().astype(np.float64)
    logit = np.clip(found, -_LARGEST_LOGIT, _LARGEST_LOGIT) / _SLOPE_UNIT
    columns = [np.ones_like(logit), logit]
    if fusion is Fusion.FUSED:
        columns += [(value_rl == value).astype(np.float64) for value in LabelValue]
    return np.stack(columns, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """P(present) = sigmoid(weights . features) for each label; present from `threshold` on."""

    weight_lf: Floats
    threshold_l: Floats

    def probability(self, features_rlf: Floats) -> Floats:
        """Calibrated probabilities (reports, labels)."""
        logit = np.einsum("rlf,lf->rl", features_rlf, self.weight_lf)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -60, 60))))


def fit_combination(features_rlf: Floats, present_rl: Bools, known_rl: Bools) -> Combination:
    """The most probable weights: shared ones, and each label's own departure, held by priors.

    The network's logits must come from a network that has not seen the report's gold. A label
    that is rare or all of one value leans on what the others share.
    """
    labels, count = features_rlf.shape[1:]
    row_n, label_n = np.nonzero(known_rl)
    cell_nf = features_rlf[row_n, label_n]
    own = sparse.csr_matrix(
        (
            (_OWN_SPREAD * cell_nf).ravel(),
            (label_n[:, None] * count + np.arange(count)).ravel(),
            np.arange(len(cell_nf) + 1) * count,
        ),
        shape=(len(cell_nf), labels * count),
    )
    design = sparse.hstack([sparse.csr_matrix(_SHARED_SPREAD * cell_nf), own]).tocsr()
    # C = 1 on columns scaled by their spread is a normal prior of that spread.
    model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=2_000, tol=1e-6)
    found = model.fit(design, present_rl[row_n, label_n]).coef_[0]
    shared, own_l = _SHARED_SPREAD * found[:count], _OWN_SPREAD * found[count:]
    weight_lf = shared + own_l.reshape(labels, count)
    even = Combination(weight_lf, np.full(labels, 0.5))
    probability_rl = even.probability(features_rlf)
    threshold = [f1_threshold(probability_rl[known_rl[:, label], label]) for label in range(labels)]
    return Combination(weight_lf, np.array(threshold))


def f1_threshold(probability_n: Floats) -> float:
    """The threshold of highest expected F1: half that F1 (Lipton et al., 2014).

    It follows from calibrated probabilities alone, so a rare label's few cases cannot mislead it.

    >>> f1_threshold(np.array([1.0, 1.0, 0.0, 0.0]))
    0.5
    >>> round(f1_threshold(np.array([0.6, 0.6, 0.1, 0.1])), 2)
    0.35
    """
    if not len(probability_n):
        return 0.5
    ranked = np.sort(probability_n)[::-1]
    called = np.arange(1, len(ranked) + 1)
    expected_f1 = 2 * ranked.cumsum() / (called + ranked.sum())
    return float(expected_f1.max() / 2)


def decided(value_rl: Values, ruled_rl: Bools, present_rl: Bools) -> Values:
    """Label values: the rule's own where the decision agrees with it, else 1 or 0.

    So blank and uncertain stay told apart wherever the network does not overrule the rules;
    `ruled_rl` is the rules' values as present or not.
    """
    return np.where(present_rl == ruled_rl, value_rl, present_rl.astype(np.int8))
