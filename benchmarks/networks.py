"""What each network costs, and what it learns from equal data in equal time.

    python benchmarks/networks.py cost [PROFILE ...] [--measure PROFILE ...]
    python benchmarks/networks.py compare out/demo --minutes 10 --seeds 3

`cost`: parameters and forward FLOPs (two a multiplication) of every network at every profile,
counted without computing; for the profiles under --measure also peak memory and volumes a second,
in bfloat16, forward and training, on as many threads as OMP_NUM_THREADS says.

`compare`: the trivial reader (a ridge regression on 4x4x4 histograms, of demo.py), the additive
network's closed-form branch alone, then every network on the demo's store, splits and labels, each
for the same minutes of processor time (the branch's closed form included; other programs' share
does not count), against what was drawn and against the labels.
Intervals are over patients, of the mean of the seeds; differences to `additive` are paired. The
last line teaches `additive` what was drawn instead of what the reports say: what label noise costs.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from demo import regional_ridge
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from configs.contracts import InputError, Split
from configs.profile import load_profile, profile_names
from configs.training import RECIPES, LabelPolicy, TrainConfig, load_train
from model.data import Part, mean_by_scan, read_labels, read_parts
from model.losses import BLANK, targets_of
from model.measures import auroc
from model.metrics import bootstrap_weights
from model.networks import NETWORKS, build_network, channels_last
from model.networks.regional import RegionalReading
from model.ridge import fit_regional
from model.training import fit
from model.volumes.store import Store

LABELS = 18
CLOSED = {"ridge": "ridge, 4x4x4 histograms", "closed-form": "closed-form branch alone"}
"""Solved, not trained: one seed, and no minutes to fill."""
RESAMPLES = 1000
Scores = NDArray[np.float32]


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    cost = verbs.add_parser("cost")
    cost.add_argument("profiles", nargs="*", default=profile_names())
    cost.add_argument("--measure", nargs="*", default=["tiny"])
    compare = verbs.add_parser("compare")
    compare.add_argument("demo", type=Path)
    compare.add_argument("--store", type=Path, help="its scans at another profile")
    compare.add_argument("--minutes", type=float, default=10)
    compare.add_argument("--seeds", type=int, default=3)
    compare.add_argument("--networks", nargs="*", default=[*CLOSED, *NETWORKS, "truth"])
    compare.add_argument("--threads", type=int, default=1)
    one = verbs.add_parser("one", help="one line of `cost`, in a process of its own")
    one.add_argument("network")
    one.add_argument("profile")
    options = parser.parse_args()
    if options.verb == "cost":
        _cost(options.profiles, options.measure)
    elif options.verb == "one":
        print(_measure(options.network, options.profile))
    else:
        _compare(options)


# --- cost -----------------------------------------------------------------------------------------


def _cost(profiles: list[str], measured: list[str]) -> None:
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; bfloat16")
    heads = ("parameters", "GFLOP", "peak MiB", "forward/s", "train/s")
    print(f"{'profile':<11}{'network':<11}" + "".join(f"{head:>12}" for head in heads))
    for profile in profiles:
        for network in NETWORKS:
            try:
                counted = _count(network, profile)
            except InputError:
                continue  # the published grid is ctnet83's alone
            # Memory is a process's high-water mark: each gets a process.
            command = [sys.executable, __file__, "one", network, profile]
            figures = ""
            if profile in measured:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                figures = done.stdout.strip("\n") if done.returncode == 0 else "  out of memory"
            print(f"{profile:<11}{network:<11}{counted}{figures}", flush=True)


def _count(name: str, profile_name: str) -> str:
    profile = load_profile(profile_name)
    with FakeTensorMode(allow_non_fake_inputs=True), torch.inference_mode():
        network = build_network(name, profile, LABELS).eval()
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros((1, *profile.grid_zyx), dtype=torch.int16))
    parameters = sum(p.numel() for p in network.parameters())
    return f"{parameters / 1e6:>10.2f} M{counter.get_total_flops() / 1e9:>12.1f}"


def _measure(name: str, profile_name: str) -> str:
    """Peak memory above the start's, forward and train volumes a second."""
    profile = load_profile(profile_name)
    batch = 8 if profile_name == "tiny" else 2
    generator = torch.Generator().manual_seed(0)
    hu = torch.randint(-1024, 400, (batch, *profile.grid_zyx), generator=generator).short()
    network = channels_last(build_network(name, profile, LABELS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def train() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits_bl = network(hu)
        logits_bl.float().square().mean().backward()

    @torch.inference_mode()
    def forward() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            network(hu)

    training = _rate(train, batch)
    network.eval()
    predicting = _rate(forward, batch)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return f"{peak:>12.0f}{predicting:>12.2f}{training:>12.2f}"


def _rate(call: Callable[[], object], volumes: int, repeats: int = 3) -> float:
    """Volumes a second of processor time: other processes' share of the clock does not count."""
    call()
    took = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return volumes * torch.get_num_threads() / float(np.median(took))


# --- compare --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exam:
    """The test scans' values against one reference, and resampling weights over their patients."""

    part: Part
    weights_bn: NDArray[np.float64]

    def macro(self, logits_nl: Scores) -> NDArray[np.float64]:
        """Macro AUROC, of the scans and of every resample (b)."""
        mean_nl, values_nl, _, _ = mean_by_scan(logits_nl, self.part)
        found = []
        for scores, values in zip(mean_nl.T.astype(np.float64), values_nl.T, strict=True):
            known = values != -1
            positive = np.where(values == BLANK, 0, values)[known] == 1
            if positive.any() and not positive.all():
                found.append(auroc(scores[known], positive, self.weights_bn[:, known]))
        return np.asarray(np.nanmean(found, axis=0))


def _compare(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    demo: Path = options.demo
    store = Store.open(options.store or demo / "store")
    taught = read_labels(demo / "labels")
    drawn = read_labels(demo / "truth" / "labels.parquet")[list(taught.columns)]
    parts = {
        "labels": read_parts(demo / "cohort", taught, store),
        "truth": read_parts(demo / "cohort", drawn, store),
    }
    exams = {}
    for reference, split in parts.items():
        _, _, _, patients = mean_by_scan(np.zeros((len(split[Split.TEST]), 1)), split[Split.TEST])
        exams[reference] = Exam(split[Split.TEST], bootstrap_weights(patients, RESAMPLES, 0))
    test = parts["labels"][Split.TEST]
    hu = torch.from_numpy(np.stack([store.read(volume) for volume in test.volume_ids]))
    train = parts["labels"][Split.TRAIN]
    print(
        f"{len(train)} volumes to learn from, {len(test)} to test on, profile "
        f"{store.profile.name}; {options.minutes:g} minutes of processor time on "
        f"{options.threads} threads, {options.seeds} seeds"
    )
    print(f"{'macro AUROC':<26}{'against truth':>22}{'difference':>24}{'against labels':>22}")
    first: NDArray[np.float64] | None = None
    for name in options.networks:
        began = time.process_time()
        source = parts["truth" if name == "truth" else "labels"]
        scores = [
            _learn(name, seed, options, store, source, hu)
            for seed in range(1 if name in CLOSED else options.seeds)
        ]
        found = {
            reference: np.mean([exam.macro(s) for s in scores], axis=0)
            for reference, exam in exams.items()
        }
        if name == "additive":
            first = found["truth"]
        difference = "" if first is None or name == "additive" else _cell(found["truth"] - first)
        title = {**CLOSED, "truth": "additive, from truth"}.get(name, name)
        minutes = (time.process_time() - began) / 60 / len(scores)
        print(
            f"{title:<26}{_cell(found['truth']):>22}{difference:>24}{_cell(found['labels']):>22}"
            f"   {minutes:.1f} CPU minutes a seed",
            flush=True,
        )


def _cell(value_b: NDArray[np.float64]) -> str:
    low, high = np.nanquantile(value_b[1:], (0.025, 0.975))
    return f"{value_b[0]:.3f} ({low:.3f}-{high:.3f})"


def _learn(
    name: str,
    seed: int,
    options: argparse.Namespace,
    store: Store,
    parts: dict[Split, Part],
    hu_nzyx: Tensor,
) -> Scores:
    """Test logits of a network that was given its minutes."""
    train = parts[Split.TRAIN]
    if name == "ridge":
        seen = torch.from_numpy(np.stack([store.read(volume) for volume in train.volume_ids]))
        return regional_ridge(train, seen, hu_nzyx)
    if name == "closed-form":
        return _closed_form(train, store, hu_nzyx)
    config = _config("additive" if name == "truth" else name, seed, options)
    # The schedule follows the clock; here the clock is the processor's.
    with tempfile.TemporaryDirectory() as folder, patch("time.monotonic", time.process_time):
        fitted = fit(
            config,
            store.profile,
            train,
            parts[Split.VALIDATION],
            store.read,
            resume_folder=Path(folder),
        )
    with torch.inference_mode():
        return torch.cat([fitted.network(chunk) for chunk in hu_nzyx.split(8)]).numpy()


_CLOSED_FORM_MINUTES: dict[str, float] = {}  # what it took, which `additive` repeats

# The demo's rate; ctnet83 has no norm behind its trunk.
RATES = {"additive": 3e-3, "resnet3d": 3e-3, "ctnet83": 1e-3, "axialnet": 3e-3}


def _config(network: str, seed: int, options: argparse.Namespace) -> TrainConfig:
    """The demo's recipe; the clock alone ends it."""
    return load_train(
        RECIPES / "demo.yaml",
        {
            "network": network,
            "learning_rate": RATES[network],
            "seeds": [seed],
            "epochs": 10_000,
            "validate_every": 1,
            "max_minutes": options.minutes * options.threads - _CLOSED_FORM_MINUTES.get(network, 0),
            "threads": options.threads,
        },
    )


def _closed_form(train: Part, store: Store, hu_nzyx: Tensor) -> Scores:
    """The regional reading alone, in closed form."""
    began = time.process_time()
    grid = store.profile.grid_zyx
    cells = (grid[0] // 8, grid[1] // 8, grid[2] // 8)
    branch = RegionalReading(grid, cells, 4, train.values_nl.shape[1])
    with torch.inference_mode():
        features = torch.cat(
            [
                branch.features(branch.kinds(torch.from_numpy(store.read(v))[None]))
                for v in train.volume_ids
            ]
        )
        targets = targets_of(train.values_nl, LabelPolicy())
        fit_regional(branch, features, targets, train.patient_ids)
        _CLOSED_FORM_MINUTES["additive"] = (time.process_time() - began) / 60
        return torch.cat([branch(branch.kinds(chunk)) for chunk in hu_nzyx.split(8)]).numpy()


if __name__ == "__main__":
    main()
