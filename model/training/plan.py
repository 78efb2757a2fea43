"""Which volumes each step sees: a function of seed and step alone, so that it needs no state."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

Rows = NDArray[np.int64]


class Plan:
    """Every epoch shows each scan once, through one of its volumes, in an order of its own.

    An epoch is cut into steps of equal size, give or take one, so that no scan is left over and
    no step holds fewer than `least`: batch norm needs two scans, and every process one.
    """

    def __init__(
        self, scan_ids: Sequence[str], batch_size: int, epochs: int, seed: int, *, least: int = 2
    ) -> None:
        _, scan_n = np.unique(np.asarray(scan_ids), return_inverse=True)
        self._rows_by_scan = np.argsort(scan_n, kind="stable")
        self._counts = np.bincount(scan_n)
        self._firsts = np.cumsum(self._counts) - self._counts
        self._seed = seed
        self.scans = len(self._counts)
        self.steps_per_epoch = max(1, min(-(-self.scans // batch_size), self.scans // least))
        self.steps = self.steps_per_epoch * epochs
        self._drawn: tuple[int, list[Rows]] | None = None

    def epoch_of(self, step: int) -> int:
        """The epoch that a step belongs to, from 0."""
        return step // self.steps_per_epoch

    def ends_epoch(self, step: int) -> bool:
        """True for the last step of an epoch."""
        return (step + 1) % self.steps_per_epoch == 0

    def rows(self, step: int) -> Rows:
        """The rows of the volumes that a step sees, over all devices."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, np.array_split(self._order(epoch), self.steps_per_epoch))
        return self._drawn[1][position]

    def _order(self, epoch: int) -> Rows:
        random = np.random.default_rng((self._seed, epoch))
        scans = random.permutation(self.scans)
        choice = (random.random(self.scans) * self._counts[scans]).astype(np.int64)
        rows: Rows = self._rows_by_scan[self._firsts[scans] + choice]
        return rows


class Steps(Sampler[list[int]]):
    """One rank's rows for every step from `start` on: a data loader's batch sampler.

    Rank r of w takes every w-th row of a step, so each sample is seen once, by one rank.
    """

    def __init__(self, plan: Plan, start: int, rank: int = 0, world: int = 1) -> None:
        self._plan, self._start, self._rank, self._world = plan, start, rank, world

    def __len__(self) -> int:
        return self._plan.steps - self._start

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self._start, self._plan.steps):
            yield self._plan.rows(step)[self._rank :: self._world].tolist()
