"""What a network costs: parameters, and milliseconds a volume for prediction and for training.

    python benchmarks/training.py [PROFILE ...]     default: tiny

In bfloat16, batches of 8 (from `small` on one volume, prediction alone), on as many threads as
OMP_NUM_THREADS says.
"""

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from configs.profile import Profile, load_profile
from configs.training import Augmentation
from model.augment import augment
from model.networks import NETWORKS, build_network

LABELS = 18
REPEATS = 3


def main(profiles: list[str]) -> None:
    """Print a line a network and profile."""
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, bfloat16, ms a volume")
    print(f"{'profile':<9}{'network':<10}{'parameters':>12}{'predict':>10}{'train':>10}")
    for name in profiles:
        profile = load_profile(name)
        hu_bzyx = _volumes(profile)
        for network in NETWORKS:
            print(_line(network, profile, hu_bzyx))
        generator = torch.Generator().manual_seed(0)
        cost = _milliseconds(lambda: augment(hu_bzyx, Augmentation(), generator), len(hu_bzyx))  # noqa: B023 (called at once)
        print(f"{name:<9}{'augmentation':<32}{cost:>20.1f}")


def _volumes(profile: Profile) -> Tensor:
    batch = 8 if profile.name == "tiny" else 1
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-1024, 400, (batch, *profile.grid_zyx), generator=generator).short()


def _line(name: str, profile: Profile, hu_bzyx: Tensor) -> str:
    network = build_network(name, profile, LABELS).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    parameters = sum(p.numel() for p in network.parameters())

    def train() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits_bl = network(hu_bzyx)
        logits_bl.float().square().mean().backward()

    @torch.inference_mode()
    def predict() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            network(hu_bzyx)

    # Batch norm cannot be trained on one volume.
    training = _milliseconds(train, len(hu_bzyx)) if len(hu_bzyx) > 1 else float("nan")
    network.eval()
    prediction = _milliseconds(predict, len(hu_bzyx))
    cost = f"{parameters / 1e6:>10.2f} M{prediction:>10.1f}{training:>10.1f}"
    return f"{profile.name:<9}{name:<10}{cost}"


def _milliseconds(call: Callable[[], object], volumes: int) -> float:
    call()
    began = time.perf_counter()
    for _ in range(REPEATS):
        call()
    return (time.perf_counter() - began) / REPEATS / volumes * 1000


if __name__ == "__main__":
    main(sys.argv[1:] or ["tiny"])
