"""Predictions and labels without a network: what the parts of an evaluation are tested on."""

import numpy as np

from model.calibration import fit_calibration
from pipelines.evaluating.judged import Judged

LABELS = ("ct_rate:Emphysema", "ct_rate:Atelectasis", "ct_rate:Cardiomegaly")


def judged(
    n: int = 400, *, seed: int = 0, patients_of_scans: int = 1, noise: float = 1.0
) -> Judged:
    """Scans whose logits carry their labels; calibrated on themselves."""
    truth = np.random.default_rng(99)
    values = (truth.random((n, len(LABELS))) < (0.4, 0.3, 0.02)).astype(np.int8)
    random = np.random.default_rng(seed)
    logits = 2.0 * values - 1 + random.normal(0, noise, values.shape)
    calibrations = tuple(
        fit_calibration(x, v == 1) for x, v in zip(logits.T, values.T, strict=True)
    )
    probability = np.stack(
        [c.probability(x) for c, x in zip(calibrations, logits.T, strict=True)], axis=1
    )
    return Judged(
        "labels",
        "as given",
        LABELS,
        calibrations,
        [f"scan{i}" for i in range(n)],
        [f"patient{i // patients_of_scans}" for i in range(n)],
        logits,
        probability.astype(np.float64),
        values,
    )
