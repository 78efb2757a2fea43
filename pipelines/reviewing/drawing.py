"""A random draw of reports, stratified by label, with the weights that undo the strata."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.contracts import InputError

NO_LABEL = "none present"
_FEWEST = 2
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Rows drawn from an archive."""

    row_d: NDArray[np.int64]
    stratum_d: tuple[str, ...]
    """A report's stratum: its rarest present label, or that it has none."""
    weight_d: NDArray[np.float64]
    """Reports of the archive that each drawn one stands for."""


def draw(present_rl: Bools, labels: Sequence[str], count: int, seed: int) -> Draw:
    """Draw `count` reports without replacement; raises InputError where they cannot be so few.

    Each stratum gets two at least, else a share by the square root of its size (power allocation,
    Bankier 1988): rare labels are seen often, and the archive's bulk is not forgotten.
    """
    stratum_r = _strata(present_rl)
    occurring, size_h = np.unique(stratum_r, return_counts=True)
    count = min(count, len(stratum_r))
    least_h = np.minimum(size_h, _FEWEST)
    if count < least_h.sum():
        raise InputError(
            f"--audit {count}: too few for this archive; give at least {least_h.sum()}"
        )
    drawn_h = _shares(size_h, least_h, count)
    rng = np.random.default_rng(seed)
    rows, names, weights = [], [], []
    for stratum, size, drawn in zip(occurring, size_h, drawn_h, strict=True):
        rows.append(rng.choice(np.flatnonzero(stratum_r == stratum), drawn, replace=False))
        names += [labels[stratum] if stratum >= 0 else NO_LABEL] * int(drawn)
        weights.append(np.full(drawn, size / drawn))
    return Draw(np.concatenate(rows), tuple(names), np.concatenate(weights))


def _strata(present_rl: Bools) -> NDArray[np.int64]:
    """By report the number of its rarest present label; -1 for none."""
    order_l = np.argsort(present_rl.sum(axis=0), kind="stable")
    stratum_r = order_l[present_rl[:, order_l].argmax(axis=1)]
    return np.where(present_rl.any(axis=1), stratum_r, -1)


def _shares(size_h: NDArray[np.int64], least_h: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Draws by stratum, `count` in all: one more at a time where the share is furthest behind."""
    wanted_h = np.sqrt(size_h)
    drawn_h = least_h.copy()
    for _ in range(count - int(drawn_h.sum())):
        behind_h = np.where(drawn_h < size_h, wanted_h / (drawn_h + 1), -1.0)
        drawn_h[behind_h.argmax()] += 1
    return drawn_h
