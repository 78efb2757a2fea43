"""Stacks whose step changes: which of them may be brought to even steps, and at which places.

A scanner that changes its step makes runs of equal steps, with at most one other step between two
runs; a table that moves a little too fast or slow makes steps that are all nearly alike. Both are
whole scans whose slices say where they lie. Anything else may be slices that are missing or
misplaced, and stays refused.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.volumes.volume import HuArray

_SAME_STEP_MM = 0.2
_SAME_STEP_SHARE = 0.1
_SHORTEST_RUN = 3  # steps
_MAX_RUNS = 4
_MAX_RATIO = 4.0  # between the steps of runs: beyond it, most of the volume would be made up
_NEARLY_ALIKE = 0.25

Depths = NDArray[np.float64]


class Run(NamedTuple):
    """Consecutive steps that are equal."""

    first: int
    """The slice where the run starts."""
    steps: int
    mm: float


def even_depths(depths: Depths) -> Depths | None:
    """Even places from the first slice to the last, or None where unevenness has no such cause.

    `depths` rise. Of several runs the finest sets the step and keeps its slices as they are.
    """
    steps = np.diff(depths)
    if np.abs(steps / np.median(steps) - 1).max() <= _NEARLY_ALIKE:
        return np.linspace(depths[0], depths[-1], len(depths))
    runs = _runs(steps)
    long = [run for run in runs if run.steps >= _SHORTEST_RUN]
    between = zip(runs, runs[1:], runs[2:], strict=False)
    explained = (
        1 < len(long) <= _MAX_RUNS
        and runs[0] in long
        and runs[-1] in long
        and all(a.steps >= _SHORTEST_RUN or b.steps >= _SHORTEST_RUN for a, b in pairwise(runs))
        and all(
            run.steps >= _SHORTEST_RUN
            or (run.steps == 1 and run.mm < max(before.mm, after.mm) + _tolerance(run.mm))
            for before, run, after in between
        )
    )
    finest = min(long, key=lambda run: run.mm, default=None)
    if not explained or finest is None or max(run.mm for run in long) > _MAX_RATIO * finest.mm:
        return None
    anchor = depths[finest.first]
    below, above = ((depths[end] - anchor) / finest.mm for end in (0, -1))
    numbers = np.arange(np.ceil(below - 1e-3), np.floor(above + 1e-3) + 1)
    return np.asarray(np.clip(anchor + numbers * finest.mm, depths[0], depths[-1]))


def _runs(steps: Depths) -> list[Run]:
    runs: list[Run] = []
    start = 0
    for end in range(1, len(steps) + 1):
        mean = float(steps[start:end].mean())
        if end == len(steps) or abs(steps[end] - mean) > _tolerance(mean):
            runs.append(Run(start, end - start, mean))
            start = end
    return runs


def _tolerance(step_mm: float) -> float:
    return min(_SAME_STEP_MM, _SAME_STEP_SHARE * step_mm)


def slices_at(hu_kji: HuArray, at: Depths) -> HuArray:
    """Slices at fractional slice numbers, by linear interpolation between the two neighbours."""
    out = np.empty((len(at), *hu_kji.shape[1:]), np.int16)
    for number, place in enumerate(at):
        below = min(int(place), len(hu_kji) - 2)
        share = np.float32(place - below)
        if share < 1e-4:
            out[number] = hu_kji[below]
        elif share > 1 - 1e-4:
            out[number] = hu_kji[below + 1]
        else:
            mixed = (1 - share) * hu_kji[below] + share * hu_kji[below + 1]
            out[number] = np.rint(mixed)
    return out
