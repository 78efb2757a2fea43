"""The regional branch in closed form: ridge regression with weights, one solve per label.

Seconds where gradient descent needs hours, and exact. Out-of-fold predictions tell the trunk
what the branch will leave unexplained on chests it has not seen.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.calibration import fit_calibration
from model.losses import Targets
from model.networks.regional import RegionalReading

Floats = NDArray[np.float64]

FOLDS = 5
PENALTIES = (3e1, 1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5)
MOST_ROWS = 6_000
"""Volumes that the branch learns from; the Gram matrix of a larger archive would not fit."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionalFit:
    """What fitting the regional branch found.

    `out_of_fold_nl` are the logits, bias included, of models that had not seen the patient.
    """

    bias_l: NDArray[np.float32]
    out_of_fold_nl: NDArray[np.float32]
    penalty_l: Floats


def fit_regional(
    branch: RegionalReading, features_nrk: Tensor, targets: Targets, patients: list[str]
) -> RegionalFit:
    """Set the branch's mean, scale and weights from its features (n, regions, kinds).

    Per label the penalty with the least weighted out-of-fold error is taken (patients are never
    parted by the folds); a sigmoid fitted on the out-of-fold predictions turns them into logits.
    """
    flat = features_nrk.flatten(1).numpy()
    mean, scale = flat.mean(axis=0), flat.std(axis=0)
    # A kind that hardly occurs must not be blown up to unit variance: it would be all noise.
    scale = np.maximum(scale, max(1e-4, float(np.median(scale))))
    x = (flat - mean) / scale
    rows = _learning_rows(patients)
    gram = (x @ x[rows].T).astype(np.float64)
    fold_n = _folds(patients)
    n, labels = targets.target_nl.shape
    weight_ld = np.zeros((labels, x.shape[1]))
    bias_l, penalty_l = np.zeros(labels), np.full(labels, np.nan)
    out_of_fold = np.zeros((n, labels))
    for label in range(labels):
        y, w = targets.target_nl[:, label].astype(float), targets.weight_nl[:, label].astype(float)
        known, positive = w > 0, y > 0.5
        if not (known & positive)[rows].any() or not (known & ~positive)[rows].any():
            continue
        predicted_pn = _cross_predict(gram, rows, y, w, fold_n)
        best = int(np.argmin((w * (predicted_pn - y) ** 2).sum(axis=1)))
        penalty_l[label] = PENALTIES[best]
        alpha, offset = _solve(gram[rows], y[rows], w[rows], PENALTIES[best])
        sigmoid = fit_calibration(predicted_pn[best][known], positive[known], log_slope_spread=2.0)
        weight_ld[label] = sigmoid.slope * (x[rows].T @ alpha)
        bias_l[label] = sigmoid.slope * offset + sigmoid.intercept
        out_of_fold[:, label] = sigmoid.slope * predicted_pn[best] + sigmoid.intercept
    shape = branch.mean.shape
    branch.mean.copy_(torch.from_numpy(mean).view(shape))
    branch.scale.copy_(torch.from_numpy(scale).view(shape))
    with torch.no_grad():
        branch.weight.copy_(torch.from_numpy(weight_ld).view(branch.weight.shape))
    return RegionalFit(bias_l.astype(np.float32), out_of_fold.astype(np.float32), penalty_l)


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
