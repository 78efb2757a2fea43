"""What a GPU makes of the networks: rates, memory, achieved TFLOP/s, and whether it has to wait.

    python benchmarks/gpu.py [--profile base] [--store STORE] [--write docs/benchmarks.md]

Forward and train step (loss, backward, clipped AdamW) of every network over batch sizes, in
bfloat16 and once in float32, with channels-last, `torch.compile` and gradient checkpointing on and
off, against the rate of a large bfloat16 matrix product on the same device. With --store also how
fast volumes come, and a run of `chestct train`'s own loop with the profile's recipe: the share of
time that the device waits. Most telling first; the file under --write is written anew after every
line, and nothing new begins after --minutes, so a run that is cut off leaves what it has.
Exits with 2 where there is no CUDA device; `--device cpu` tries the script itself.
"""

import argparse
import gc
import platform
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reading import EPOCHS, read_all, train_on
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from configs import files
from configs.contracts import ExitCode
from configs.profile import Profile, load_profile
from configs.training import RECIPES, TrainConfig, load_train
from model.networks import NETWORKS, build_network, channels_last
from model.training.recompute import recompute_blocks
from model.volumes.store import Store

LABELS = 18
BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"
HEAD = (
    "| network | batch | precision | channels last | compiled | checkpointing | forward/s | train/s"
    " | TFLOP/s | of peak | GiB |"
)
TABLE = ("", HEAD, "|" + "---|" * HEAD.count(" | ") + "---|")
MOST_SECONDS = 6.0
"""Of repeating one measurement, once it has been done three times."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a network."""

    network: str
    batch: int
    bf16: bool = True
    channels_last: bool = True
    compiled: bool = False
    checkpointing: bool = False

    def __str__(self) -> str:
        flags = (self.channels_last, self.compiled, self.checkpointing)
        told = " | ".join("yes" if flag else "no" for flag in flags)
        return f"{self.network} | {self.batch} | {'bf16' if self.bf16 else 'float32'} | {told}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a setting took: volumes a second, peak memory above the start."""

    forward: float
    train: float
    peak_gib: float


@dataclass(slots=True)
class Paper:
    """What is printed, and written to a file between two markers as it comes."""

    path: Path | None
    ends: float
    """By `time.monotonic`: nothing new begins after it."""
    lines: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        """Print lines, and write all there are so far."""
        for line in lines:
            print(line, flush=True)
        self.lines += lines
        if self.path is None:
            return
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else f"{BEGIN}\n{END}\n"
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{self.path}: has no {BEGIN} and {END} to write between")
        files.write_text(self.path, before + "\n".join([BEGIN, *self.lines, END]) + after)

    def is_late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.ends


def main() -> int:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="base")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--batches", type=int, nargs="*", default=[4, 8, 16, 32])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--checkpointing", action="store_true", help="always, to save memory")
    parser.add_argument("--store", type=Path, help="a store of the profile: measures the loader")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--write", type=Path, help="a new file, or one with the two gpu markers")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; nothing was measured (--device cpu tries the script itself)")
        return ExitCode.INPUT
    measure_all(options, Paper(options.write, time.monotonic() + 60 * options.minutes))
    return ExitCode.DONE


def measure_all(options: argparse.Namespace, paper: Paper) -> None:
    """The first network, the loader and the product's loop, then the other networks."""
    profile, device = load_profile(options.profile), torch.device(options.device)
    peak = _matmul_tflops(device, options.repeats)
    paper.say(
        f"{_name(device)}, PyTorch {torch.__version__}, profile {profile.name}: a bfloat16 matrix "
        f"product reaches {peak:.1f} TFLOP/s. Memory is the peak of a train step.",
        *TABLE,
    )
    first, *others = options.networks
    fastest = _sweep(first, options, profile, device, peak, paper)
    if options.store is None:
        paper.say("", "No --store was given: the loader was not measured.")
    elif fastest is not None:
        paper.say("", *_with_store(options, profile, *fastest))
    if others and not paper.is_late():
        paper.say(*TABLE)
    for network in others:
        _sweep(network, options, profile, device, peak, paper)
    if paper.is_late():
        paper.say("", f"Cut off after {options.minutes:g} minutes: what is missing was not begun.")


def _name(device: torch.device) -> str:
    if device.type != "cuda":
        return platform.processor() or device.type
    gib = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f"{torch.cuda.get_device_name(device)} ({gib:.0f} GiB, CUDA {torch.version.cuda})"


# --- one network after the other ------------------------------------------------------------------


def _sweep(
    network: str,
    options: argparse.Namespace,
    profile: Profile,
    device: torch.device,
    peak: float,
    paper: Paper,
) -> tuple[Setting, float] | None:
    """Every flag at the first batch size, then the batch sizes with what was fastest."""
    flops = _train_flops(network, profile)
    found: dict[Setting, float] = {}

    def take(setting: Setting) -> bool:
        """Measure and tell; False where the batch is too large."""
        if paper.is_late():
            return False
        try:
            cost = _measure(setting, profile, device, options.repeats)
        except torch.OutOfMemoryError:
            paper.say(f"| {setting} | out of memory | | | | |")
            return False
        except Exception as error:  # compilers fail in many ways: the rest goes on
            told = f"{type(error).__name__}: {error}".splitlines()[0].replace("|", "/")[:100]
            paper.say(f"| {setting} | failed: {told} | | | | |")
            return True
        finally:
            _forget(setting, device)
        found[setting] = cost.train
        tflops = cost.train * flops / 1e12
        paper.say(
            f"| {setting} | {cost.forward:.2f} | {cost.train:.2f} | {tflops:.2f} | "
            f"{tflops / peak:.0%} | {cost.peak_gib:.1f} |"
        )
        return True

    smallest, *larger = options.batches
    plain = Setting(network, smallest, checkpointing=options.checkpointing)
    ways = [plain, replace(plain, channels_last=False), replace(plain, bf16=False)]
    if not options.checkpointing:
        ways.append(replace(plain, checkpointing=True))
    if not options.no_compile:
        ways[1:1] = [replace(plain, compiled=True)]
        ways.append(replace(plain, compiled=True, channels_last=False))
    for way in ways:
        take(way)
    if not found:
        return None
    best = max(found, key=lambda setting: found[setting])
    for batch in larger:
        if not take(replace(best, batch=batch)):
            break
    best = max(found, key=lambda setting: found[setting])
    return best, found[best]


def _forget(setting: Setting, device: torch.device) -> None:
    if setting.compiled:
        torch.compiler.reset()  # else earlier networks count as recompilations of this one
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _matmul_tflops(device: torch.device, repeats: int) -> float:
    edge = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(edge, edge, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * edge**3 / _seconds(lambda: left @ right, device, repeats) / 1e12


def _train_flops(name: str, profile: Profile) -> float:
    """FLOPs of forward and backward of a volume, counted without computing."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        network = build_network(name, profile, LABELS)
        with FlopCounterMode(display=False) as counter:
            hu_bzyx = torch.zeros((2, *profile.grid_zyx), dtype=torch.int16)
            network(hu_bzyx).float().square().mean().backward()
    return counter.get_total_flops() / 2


def _measure(setting: Setting, profile: Profile, device: torch.device, repeats: int) -> Cost:
    torch.manual_seed(0)
    network = build_network(setting.network, profile, LABELS).to(device)
    if setting.channels_last:
        network = channels_last(network)
    if setting.checkpointing:
        recompute_blocks(network)
    hu = torch.randint(-1024, 400, (setting.batch, *profile.grid_zyx), device=device).short()
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    run: Callable[[Tensor], Tensor] = torch.compile(network) if setting.compiled else network
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=setting.bf16)
    _peak_gib(device)
    before = _peak_gib(device)  # since a moment ago: what there is

    def train() -> None:
        with mixed:
            logits_bl = run(hu)
        logits_bl.float().square().mean().backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def forward() -> None:
        with mixed:
            run(hu)

    train_seconds = _seconds(train, device, repeats)
    peak = _peak_gib(device) - (0 if device.type == "cuda" else before)
    network.eval()
    forward_seconds = _seconds(forward, device, repeats)
    return Cost(setting.batch / forward_seconds, setting.batch / train_seconds, peak)


def _peak_gib(device: torch.device) -> float:
    """The most memory since the last call: of the device, or of the process on a CPU."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device) / 2**30
        torch.cuda.reset_peak_memory_stats(device)
        return peak
    own = Path("/proc/self")  # Linux
    kib = re.search(r"VmHWM:\s+(\d+)", (own / "status").read_text())
    (own / "clear_refs").write_text("5")
    return int(kib[1]) / 2**20 if kib else float("nan")


def _seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median seconds of a call, after two that warm up (and compile).

    Of the clock; on a CPU of the processor, which other programs' share does not change.
    """
    cuda = device.type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    took: list[float] = []
    for number in range(repeats + (2 if cuda else 1)):
        if cuda:
            torch.cuda.synchronize(device)
        began = clock()
        call()
        if cuda:
            torch.cuda.synchronize(device)
        took.append(clock() - began)
        if number > 3 and sum(took[2:]) > MOST_SECONDS:
            break
    measured = took[2 if cuda else 1 :]
    threads = 1 if cuda else torch.get_num_threads()
    return float(np.median(measured)) / threads


# --- from the store -------------------------------------------------------------------------------


def _with_store(
    options: argparse.Namespace,
    profile: Profile,
    best: Setting,
    step_rate: float,
) -> list[str]:
    """How fast the store gives volumes, and whether the product's own loop waits for them."""
    store = Store.open(options.store)
    if store.profile.grid_zyx != profile.grid_zyx:
        return [f"Loader: the store's grid is {store.profile.grid_zyx}, not this profile's."]
    device = torch.device(options.device)
    reading = read_all(store, options.workers, best.batch, max(64, 8 * best.batch), device)
    lines = [
        f"Store to device with {options.workers} workers: {reading.per_second:.1f} volumes/s, "
        f"{reading.per_second / step_rate:.1f} times as fast as {best.network}'s fastest train "
        f"step takes them ({1e3 * reading.processor_s:.0f} ms of processor time a volume; "
        f"{len(store)} different volumes, from memory rather than the disk)."
    ]
    for halved in range(3):  # augmentation and the closed-form start need memory too
        tried = replace(best, batch=max(2, best.batch >> halved))
        try:
            rate, wait = train_on(store, _recipe(options, profile, tried), LABELS)
        except Exception as error:  # what was measured before must still be written
            lines.append(f"`chestct train`'s loop, batch {tried.batch}: failed: {error}")
            _forget(tried, device)
            continue
        lines.append(
            "`chestct train`'s own loop, with augmentation and moving average, batch "
            f"{tried.batch}: {rate:.1f} volumes/s; the device waits {wait:.1%} of the time."
        )
        break
    return lines


def _recipe(options: argparse.Namespace, profile: Profile, best: Setting) -> TrainConfig:
    name = profile.name if (RECIPES / f"{profile.name}.yaml").exists() else "demo"
    changes: dict[str, Any] = {
        "profile": profile.name, "network": best.network, "batch_size": best.batch,
        "epochs": EPOCHS, "validate_every": EPOCHS, "max_minutes": None, "patience": None,
        "bf16": best.bf16, "channels_last": best.channels_last, "compile": best.compiled,
        "gradient_checkpointing": best.checkpointing, "workers": options.workers,
        "in_memory": False, "labels.blank_weight": 1.0,
        "accelerator": "gpu" if options.device == "cuda" else "cpu",
    }  # fmt: skip
    return load_train(RECIPES / f"{name}.yaml", changes)


if __name__ == "__main__":
    sys.exit(main())
