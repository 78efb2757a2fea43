"""What a GPU makes of the networks: rates, memory, achieved TFLOP/s, and whether it has to wait.

    python benchmarks/gpu.py [--profile base] [--store STORE] [--write docs/benchmarks.md]

Forward and train step (loss, backward, AdamW) of every network in bfloat16, with channels-last and
`torch.compile` on and off and over batch sizes, against the rate of a large bfloat16 matrix product
measured on the same device. With --store also how fast volumes come from disk to the device,
against how fast a train step takes them. Exits with 2 where there is no CUDA device; `--device cpu`
tries the script itself.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from configs import files
from configs.contracts import ExitCode
from configs.profile import Profile, load_profile
from model.data import Volumes
from model.networks import NETWORKS, build_network, channels_last
from model.volumes.store import Store

LABELS = 18
BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run a network."""

    network: str
    batch: int
    channels_last: bool
    compiled: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a setting took: volumes a second, achieved TFLOP/s, peak memory."""

    forward: float
    train: float
    train_tflops: float
    peak_gib: float


def main() -> int:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="base")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--batches", type=int, nargs="*", default=[2, 4, 8, 16])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--store", type=Path, help="a store of the profile: measures the loader")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--write", type=Path, help="a file with the two gpu markers")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; nothing was measured (--device cpu tries the script itself)")
        return ExitCode.INPUT
    device = torch.device(options.device)
    lines = list(_table(options, load_profile(options.profile), device))
    if options.write:
        _write(options.write, lines)
    return ExitCode.DONE


def _table(options: argparse.Namespace, profile: Profile, device: torch.device) -> list[str]:
    peak = _matmul_tflops(device, options.repeats)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    lines = _say(
        f"{name or device.type}, PyTorch {torch.__version__}, bfloat16, profile {profile.name}: a "
        f"matrix product reaches {peak:.1f} TFLOP/s.",
        "",
        "| network | batch | channels last | compiled | forward/s | train/s | TFLOP/s | of peak | GiB |",  # noqa: E501 (a table's head)
        "|---|---|---|---|---|---|---|---|---|",
    )
    fastest: dict[str, float] = {}
    for network in options.networks:
        for setting in _settings(network, options):
            try:
                cost = _measure(setting, profile, device, options.repeats)
            except torch.OutOfMemoryError:
                lines += _say(f"| {network} | {setting.batch} | out of memory | | | | | | |")
                torch.cuda.empty_cache()
                break
            fastest[network] = max(fastest.get(network, 0.0), cost.train)
            lines += _say(_row(setting, cost, peak))
    if options.store:
        lines += ["", *_say(_loading(options, profile, device, fastest))]
    return lines


def _say(*lines: str) -> list[str]:
    for line in lines:
        print(line, flush=True)
    return list(lines)


def _settings(network: str, options: argparse.Namespace) -> list[Setting]:
    """Both flags at the first batch size, then the batch sizes with both on."""
    first, *others = options.batches
    compiled = [False] if options.no_compile else [False, True]
    flags = [(layout, c) for layout in (False, True) for c in compiled]
    swept = [Setting(network, first, layout, c) for layout, c in flags]
    return swept + [Setting(network, batch, True, compiled[-1]) for batch in others]


def _row(setting: Setting, cost: Cost, peak: float) -> str:
    yes = {True: "yes", False: "no"}
    return (
        f"| {setting.network} | {setting.batch} | {yes[setting.channels_last]} | "
        f"{yes[setting.compiled]} | {cost.forward:.1f} | {cost.train:.1f} | "
        f"{cost.train_tflops:.1f} | {cost.train_tflops / peak:.0%} | {cost.peak_gib:.1f} |"
    )


def _matmul_tflops(device: torch.device, repeats: int) -> float:
    edge = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(edge, edge, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = _seconds(lambda: left @ right, device, repeats)
    return 2 * edge**3 / seconds / 1e12


def _measure(setting: Setting, profile: Profile, device: torch.device, repeats: int) -> Cost:
    torch.manual_seed(0)
    network = build_network(setting.network, profile, LABELS).to(device)
    if setting.channels_last:
        network = channels_last(network)
    hu = torch.randint(-1024, 400, (setting.batch, *profile.grid_zyx), device=device).short()
    flops = _train_flops(network, hu)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    run: Callable[[Tensor], Tensor] = torch.compile(network) if setting.compiled else network
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)

    def train() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            logits_bl = run(hu)
        logits_bl.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def forward() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            run(hu)

    train_seconds = _seconds(train, device, repeats)
    peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0
    network.eval()
    forward_seconds = _seconds(forward, device, repeats)
    return Cost(
        setting.batch / forward_seconds,
        setting.batch / train_seconds,
        flops / train_seconds / 1e12,
        peak,
    )


def _train_flops(network: nn.Module, hu_bzyx: Tensor) -> float:
    """FLOPs of forward and backward over the batch, counted on its first two volumes."""
    some = hu_bzyx[:2]
    with (
        FlopCounterMode(display=False) as counter,
        torch.autocast(hu_bzyx.device.type, torch.bfloat16),
    ):
        network(some).float().square().mean().backward()
    network.zero_grad(set_to_none=True)
    return counter.get_total_flops() * len(hu_bzyx) / len(some)


def _seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median seconds of a call, after three that warm up (and compile)."""
    for _ in range(3):
        call()
    took = []
    for _ in range(repeats):
        _wait(device)
        began = time.perf_counter()
        call()
        _wait(device)
        took.append(time.perf_counter() - began)
    return sorted(took)[len(took) // 2]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _loading(
    options: argparse.Namespace, profile: Profile, device: torch.device, fastest: dict[str, float]
) -> str:
    """Volumes a second from the store to the device, against what train steps take."""
    store = Store.open(options.store)
    if store.profile.grid_zyx != profile.grid_zyx:
        return f"Loader: the store's grid is {store.profile.grid_zyx}, not this profile's."
    ids = list(store.manifest["volume_id"])
    loader = DataLoader(
        Volumes(ids * max(1, 64 // len(ids)), store.read, in_memory=False),
        batch_size=options.batches[0],
        num_workers=options.workers,
        pin_memory=device.type == "cuda",
    )
    batches = iter(loader)
    next(batches)  # the workers have started
    began, volumes = time.perf_counter(), 0
    for hu, _ in batches:
        hu.to(device, non_blocking=True)
        volumes += len(hu)
    _wait(device)
    rate = volumes / (time.perf_counter() - began)
    against = ", ".join(f"{rate / taken:.1f}x {name}'s" for name, taken in fastest.items())
    return (
        f"Store to device with {options.workers} workers: {rate:.1f} volumes/s, {against} fastest "
        "train step (below 1 the device waits)."
    )


def _write(path: Path, lines: list[str]) -> None:
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise SystemExit(f"{path}: has no {BEGIN} and {END} to write between")
    files.write_text(path, before + "\n".join([BEGIN, *lines, END]) + after)


if __name__ == "__main__":
    sys.exit(main())
