"""How fast a store's volumes reach a training step, as training reads them.

    OMP_NUM_THREADS=1 BLOSC_NTHREADS=1 python benchmarks/reading.py STORE [--workers 0 1 2]

Reads, verifies, decodes, batches and hands over, again and again from the system's page cache, so
the disk is not measured. Volumes a second by the clock, and by the processor time of the processes
that read, which other programs' share of a busy machine does not change.
"""

import argparse
import resource
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from configs.training import TrainConfig
from model.data import Part, Volumes
from model.training import Epoch, Step, fit
from model.volumes.store import Store

_CPU = torch.device("cpu")
_WARM_UP = 4


EPOCHS, _STEPS_AN_EPOCH = 2, 16


@dataclass(frozen=True, slots=True)
class Reading:
    """How fast volumes came."""

    per_second: float
    """By the clock, once the workers ran."""
    processor_s: float
    """Of all processes, for a volume."""


def main() -> None:
    """Print a line for every number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    store = Store.open(options.store)
    print(
        f"profile {store.profile.name}, {len(store)} different volumes, batches of {options.batch}"
    )
    for workers in options.workers:
        found = read_all(store, workers, options.batch, options.volumes)
        print(
            f"{workers} workers: {found.per_second:.1f} volumes/s by the clock, "
            f"{1e3 * found.processor_s:.1f} ms of processor time a volume, so "
            f"{max(1, workers) / found.processor_s:.0f} volumes/s on cores of their own"
        )


def read_all(
    store: Store, workers: int, batch: int, volumes: int, device: torch.device = _CPU
) -> Reading:
    """Read so many volumes of a store as a data loader of training does, and bring them there."""
    ids = [str(name) for name in store.manifest["volume_id"]]
    wanted = [ids[row % len(ids)] for row in range(volumes)]
    before = _processor_s()
    loader = DataLoader(
        Volumes(wanted, store.read, store.profile.grid_zyx, in_memory=False),
        batch_size=batch,
        num_workers=workers,
        pin_memory=device.type == "cuda",
    )
    batches = iter(loader)
    for _ in range(_WARM_UP):
        next(batches)
    began, read = time.perf_counter(), 0
    for hu_bzyx, _ in batches:
        hu_bzyx.to(device, non_blocking=True)
        read += len(hu_bzyx)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    per_second = read / (time.perf_counter() - began)
    del batches  # ends the workers, whose time counts from then on
    return Reading(per_second, (_processor_s() - before) / volumes)


def train_on(store: Store, recipe: TrainConfig, labels: int) -> tuple[float, float]:
    """Volumes a second and share of waiting of `fit`, over the last of EPOCHS epochs.

    On a store's volumes, again and again, with drawn labels; `recipe` has as many epochs.
    """
    ids = [str(name) for name in store.manifest["volume_id"]]
    count, held = _STEPS_AN_EPOCH * recipe.batch_size, max(8, recipe.batch_size)
    drawn = np.random.default_rng(0).integers(0, 2, (max(count, held), labels))
    values_nl = drawn.astype(np.int8)

    def part(size: int) -> Part:
        rows = [str(row) for row in range(size)]
        return Part([ids[row % len(ids)] for row in range(size)], rows, rows, values_nl[:size])

    watch = _Watch()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(
            recipe,
            store.profile,
            part(count),
            part(held),
            store.read,
            resume_folder=Path(folder),
            watcher=watch,
        )
    return watch.rate, watch.wait


class _Watch:
    """What the last epoch's steps took, its first left out, which a checkpoint comes before."""

    def __init__(self) -> None:
        self.rate = self.wait = float("nan")
        self._first: tuple[float, float] | None = None

    def resumed(self, history: list[Epoch]) -> None: ...

    def epoch(self, epoch: Epoch) -> None: ...

    def step(self, step: Step) -> None:
        number = step.done - (EPOCHS - 1) * _STEPS_AN_EPOCH
        if number < 1:
            return
        took = number / step.scans_per_second  # since the epoch began, for one scan of each batch
        waited = took * step.wait_share
        if self._first is None:
            self._first = took, waited
            return
        elapsed = took - self._first[0]
        self.rate, self.wait = (number - 1) / elapsed, (waited - self._first[1]) / elapsed


def _processor_s() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, who))


if __name__ == "__main__":
    main()
