"""The regional branch in closed form: ridge regression with weights, one solve per label.

Seconds where gradient descent needs hours, and exact. Out-of-fold predictions tell the trunk
what the branch will leave unexplained on chests it has not seen.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.calibration import fit_sigmoid
from model.losses import Targets
from model.networks.regional import RegionalReading

Floats = NDArray[np.float64]

FOLDS = 5
PENALTIES = (3e1, 3e2, 1e3, 3e3, 3e4, 3e5)
EMPHASES = (0.0, 1.0, 3.0, 6.0, 12.0, 24.0)
"""How strongly shapes may count beside tissues, which are some sixty times as many features."""
MOST_ROWS = 4_000
"""Volumes that the branch learns from; the Gram matrix of a larger archive would not fit."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionalFit:
    """What fitting the regional branch found.

    `out_of_fold_nl` are the logits, bias included, of models that had not seen the patient.
    """

    bias_l: NDArray[np.float32]
    out_of_fold_nl: NDArray[np.float32]
    penalty_l: Floats
    emphasis_l: Floats


def fit_regional(
    branch: RegionalReading, features_nd: Tensor, targets: Targets, patients: list[str]
) -> RegionalFit:
    """Set the branch's scale and weights from its features (n, d); see its `set_typical` first.

    Per label the penalty and the emphasis on shapes with the least weighted out-of-fold error are
    taken (patients are never parted by the folds); a sigmoid fitted on the out-of-fold predictions
    turns them into logits.
    """
    x, mean, scale = _standard(features_nd.numpy(), branch.n_tissues)
    shift = (branch.centre().numpy() - mean) / scale
    tissues, shapes = slice(0, branch.n_tissues), slice(branch.n_tissues, None)
    rows, fold_n = _learning_rows(patients), _folds(patients)
    of_tissues, of_shapes = (
        (x[:, part] @ x[rows][:, part].T).astype(np.float64) for part in (tissues, shapes)
    )
    n, labels = targets.target_nl.shape
    weight_ld = np.zeros((labels, x.shape[1]))
    bias_l, penalty_l, emphasis_l = (np.full(labels, start) for start in (0.0, np.nan, np.nan))
    out_of_fold = np.zeros((n, labels))
    for label in range(labels):
        y, w = targets.target_nl[:, label].astype(float), targets.weight_nl[:, label].astype(float)
        known, positive = w > 0, y > 0.5
        if not (known & positive)[rows].any() or not (known & ~positive)[rows].any():
            continue
        least = np.inf
        for emphasis in EMPHASES:
            gram = of_tissues + emphasis**2 * of_shapes
            predicted_pn = _cross_predict(gram, rows, y, w, fold_n)
            error_p = (w * (predicted_pn - y) ** 2).sum(axis=1)
            if error_p.min() < least:
                least, best = error_p.min(), int(np.argmin(error_p))
                penalty_l[label], emphasis_l[label] = PENALTIES[best], emphasis
                predicted = predicted_pn[best]
        gram = of_tissues + emphasis_l[label] ** 2 * of_shapes
        alpha, offset = _solve(gram[rows], y[rows], w[rows], penalty_l[label])
        slope, intercept = fit_sigmoid(predicted[known], positive[known], log_slope_spread=2.0)
        weight_ld[label] = slope * (x[rows].T @ alpha)
        weight_ld[label, shapes] *= emphasis_l[label] ** 2
        # The branch reads against its typical chest, not against the features' mean.
        bias_l[label] = slope * offset + intercept + weight_ld[label] @ shift
        out_of_fold[:, label] = slope * predicted + intercept
    branch.set_reading(torch.from_numpy(scale), torch.from_numpy(weight_ld))
    return RegionalFit(
        bias_l.astype(np.float32), out_of_fold.astype(np.float32), penalty_l, emphasis_l
    )


def _standard(
    features_nd: NDArray[np.float32], n_tissues: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Features of mean 0 and spread 1, and the mean and spread (d) that they had."""
    mean, scale = features_nd.mean(axis=0), features_nd.std(axis=0)
    for part in (scale[:n_tissues], scale[n_tissues:]):
        # A kind that hardly occurs must not be blown up to unit variance: it would be all noise.
        np.maximum(part, max(1e-4, float(np.median(part))), out=part)
    return (features_nd - mean) / scale, mean, scale


def _learning_rows(patients: list[str]) -> NDArray[np.int64]:
    order = np.random.default_rng(0).permutation(len(patients))
    return np.sort(order[:MOST_ROWS])


def _folds(patients: list[str]) -> NDArray[np.int64]:
    _, patient_n = np.unique(np.asarray(patients), return_inverse=True)
    fold_of_patient = np.random.default_rng(0).permutation(int(patient_n.max()) + 1) % FOLDS
    return fold_of_patient[patient_n]


def _cross_predict(
    gram: Floats, rows: NDArray[np.int64], y: Floats, w: Floats, fold_n: NDArray[np.int64]
) -> Floats:
    """Predictions (penalties, n) for every volume by rows of the other folds alone.

    `gram` (n, rows) holds the inner products of all volumes with the learning rows.
    """
    predicted = np.zeros((len(PENALTIES), len(y)))
    for fold in range(FOLDS):
        held, others = np.flatnonzero(fold_n == fold), np.flatnonzero(fold_n[rows] != fold)
        rest = rows[others]
        system, reach = gram[np.ix_(rest, others)], gram[np.ix_(held, others)]
        for index, penalty in enumerate(PENALTIES):
            alpha, offset = _solve(system, y[rest], w[rest], penalty)
            predicted[index, held] = reach @ alpha + offset
    return predicted


def _solve(gram: Floats, y: Floats, w: Floats, penalty: float) -> tuple[Floats, float]:
    """Weighted kernel ridge with a free intercept: coefficients of the rows, and the intercept.

    Minimises Σ w (y - Gα - b)² + penalty αᵀGα; rows of weight 0 get coefficient 0.
    """
    used = np.flatnonzero(w > 0)
    system = np.zeros((len(used) + 1, len(used) + 1))
    system[:-1, :-1] = gram[np.ix_(used, used)] + np.diag(penalty / w[used])
    system[:-1, -1] = system[-1, :-1] = 1.0
    solution = np.linalg.solve(system, np.append(y[used], 0.0))
    alpha = np.zeros(len(y))
    alpha[used] = solution[:-1]
    return alpha, float(solution[-1])
