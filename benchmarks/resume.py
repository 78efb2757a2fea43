"""Kill -9 at random moments: whether a training run goes on to the same weights.

    OMP_NUM_THREADS=1 python -m benchmarks.resume [--kills 20] [--processes 2] [--seed 0]

`train` on a small drawn archive, once undisturbed; then again with --resume, killed so many times:
all its processes (as torchrun would start them, over gloo) or one of them, at a random moment,
while its state is being written, or right after an epoch's end. TMPDIR is another file system
(/dev/shm). Weights and histories of both bundles are compared to the bit. Where a kill fell is told
by what it left behind. Networks are narrow, and processes are forked, so that it takes minutes.
"""

import argparse
import csv
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from safetensors.torch import load_file

from model.training import checkpoint
from pipelines.train import train
from tests.model.archive import make_archive
from tests.model.narrow import narrow_networks

EPOCHS, STEPS = 16, 3
RECIPE = f"""
profile: tiny
norm: group
epochs: {EPOCHS}
batch_size: 4
validate_every: 2
threads: 1
accelerator: cpu
checkpoint_steps: 1
"""
MOMENTS = ("at random", "while writing", "at an epoch's end")
STATE = "seed_0.safetensors"


def main() -> None:
    """Print a line a kill, then what became of the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if Path("/dev/shm").is_dir():
        os.environ["TMPDIR"] = "/dev/shm"
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, narrow_networks():
        root = make_archive(Path(folder), train=12, validation=10, test=2)
        (root / "recipe.yaml").write_text(RECIPE)
        whole, cut = root / "whole", root / "cut"
        _finish(_launch(root, whole, options.processes))
        fell: Counter[str] = Counter()
        for number in range(options.kills):
            moment, one = MOMENTS[number % len(MOMENTS)], draw.random() < 0.3
            found = _killed(root, cut, options.processes, moment, draw, one=one)
            fell[found] += 1
            print(f"kill {number + 1}, {moment}, {'one' if one else 'all'}: {found}", flush=True)
        _finish(_launch(root, cut, options.processes))
        print(f"{options.kills} kills of {options.processes} processes: {dict(fell)}")
        print(f"max|dw| {_largest_difference(whole, cut)}, histories alike: {_alike(whole, cut)}")


def _launch(root: Path, out: Path, processes: int) -> list[BaseProcess]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started: list[BaseProcess] = [
        multiprocessing.get_context("fork").Process(
            target=_train, args=(root, out, rank, processes, port)
        )
        for rank in range(processes)
    ]
    for process in started:
        process.start()
    return started


def _train(root: Path, out: Path, rank: int, processes: int, port: int) -> None:
    """What torchrun sets for each process, then the verb."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0",
        "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
        "TORCHELASTIC_RUN_ID": "resume", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # whoever lost its companion complains
    folders = {name: root / name for name in ("labels", "store", "cohort")}
    train(config=root / "recipe.yaml", out=out, resume=True, quiet=True, **folders)


def _finish(started: list[BaseProcess]) -> None:
    for process in started:
        process.join()
    if any(process.exitcode for process in started):
        sys.exit("a run that nobody disturbed failed")


def _killed(
    root: Path, out: Path, processes: int, moment: str, draw: random.Random, *, one: bool
) -> str:
    """Start or go on, kill at a moment, and say where that was."""
    state = out / "resume" / STATE
    seen, changes, wanted = _stamp(state), 0, draw.randint(1, 2)
    earlier = _half_written(state.parent)
    started = _launch(root, out, processes)
    while all(process.is_alive() for process in started):
        if (
            changes >= wanted
            and moment == "while writing"
            and _half_written(state.parent) - earlier
        ):
            break
        if (stamp := _stamp(state)) == seen:
            time.sleep(0.002)
            continue
        seen, changes = stamp, changes + 1
        if changes >= wanted and moment == "at random":
            time.sleep(draw.uniform(0, 0.2))
            break
        if changes >= wanted and moment == "at an epoch's end" and _step(state) % STEPS == 0:
            break
    if any(process.exitcode is not None for process in started):
        sys.exit("the run ended before it was killed; raise EPOCHS")
    for process in [draw.choice(started)] if one else started:
        process.kill()
    for process in started:  # whoever lost its companion ends by itself
        process.join(120)
        if process.is_alive():
            sys.exit("a process waits for ever for its killed companion")
    step = _step(state)
    where = "an epoch's end" if step % STEPS == 0 else "within an epoch"
    return f"{where}, state half written" if _half_written(state.parent) - earlier else where


def _half_written(folder: Path) -> set[Path]:
    """Temporary files: what a kill left, or what is being written."""
    return set(folder.glob(f".{STATE}.*"))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _step(state: Path) -> int:
    return int(checkpoint.read(state)[1]["step"]) if state.exists() else 0


def _largest_difference(one: Path, other: Path) -> float:
    weights, others = (load_file(folder / "weights.safetensors") for folder in (one, other))
    assert weights.keys() == others.keys()
    return max(
        float((weights[name].double() - others[name].double()).abs().max())
        if not torch.equal(weights[name], others[name])
        else 0.0
        for name in weights
    )


def _alike(one: Path, other: Path) -> bool:
    """Whether losses and figures of every epoch are the same; times are not."""
    tables = []
    for folder in (one, other):
        with (folder / "history.csv").open(newline="") as file:
            tables.append(
                [[v for k, v in row.items() if k in _COMPARED or k.startswith("auroc")]
                 for row in csv.DictReader(file)]
            )  # fmt: skip
    return tables[0] == tables[1]


_COMPARED = {"seed", "epoch", "loss", "macro_auroc", "learning_rate", "skipped"}

if __name__ == "__main__":
    main()
