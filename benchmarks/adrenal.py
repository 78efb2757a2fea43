"""AdrenalMNIST3D, real shapes: the product's network and `fit`, beside the published table.

    python benchmarks/adrenal.py DATA/adrenalmnist3d_64.npz [--grid 28 64] [--seeds 3]

1,188 / 98 / 298 masks of adrenal glands, normal or not (Yang et al. 2023, MedMNIST v2, CC BY 4.0),
at 64 voxels an edge and, by area, at 28. The masks have no HU: outside becomes air, inside soft
tissue. Recipe and length were chosen on the training and validation splits; the test split is read
once, for the closing table. The published results are at 28.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from configs.profile import Profile
from configs.training import Augmentation, TrainConfig
from model.calibration import fit_calibration
from model.data import Part
from model.measures import auroc
from model.networks import sizes
from model.networks.sizes import Size
from model.training import fit

AIR_HU, GLAND_HU = -1000.0, 50.0
PUBLISHED: dict[str, tuple[float, float | None]] = {  # test AUC and accuracy, where we know it
    "ResNet-18 + 3D": (0.827, None),
    "ResNet-18 + ACS": (0.839, 0.754),
    "ResNet-50 + 3D": (0.828, None),
    "auto-sklearn": (0.828, None),
}
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one grid is learnt: voxels on an edge after padding, strides of the stages, epochs."""

    edge: int
    strides: tuple[int, int, int]
    epochs: int


# A gland fills its box: one region, a convolution stem, few stages.
RECIPES = {28: Recipe(32, (1, 2, 2), 10), 64: Recipe(64, (2, 2, 2), 8)}
SIZE = Size("convolution", 24, (32, 64, 128), (1, 1, 1), (1, 2, 2), regions=1)
AUGMENTATION = Augmentation(
    rotation_deg=20,
    scale=0.1,
    shift=0.08,
    flip_left_right=0.5,
    hu_shift=0,
    hu_scale=0,
    noise_hu=0,
    blur=0,
    thick_slices=0,
)


def main() -> None:
    """Train every seed on every grid, then open the test split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--grid", type=int, nargs="+", choices=list(RECIPES), default=[28, 64])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for grid in options.grid:
        print(f"grid {grid}", flush=True)
        probability_sn, positive_n = _train(options, grid, RECIPES[grid])
        _close(probability_sn, positive_n)
    print("published, at 28:")
    for name, (area, accuracy) in PUBLISHED.items():
        print(f"  {name:<24} AUC {area:.3f}" + (f"   accuracy {accuracy:.3f}" if accuracy else ""))


def _train(
    options: argparse.Namespace, grid: int, recipe: Recipe
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Test probabilities of every seed (seeds, n), calibrated on validation, and the labels."""
    volumes, values = {}, {}
    with np.load(options.data, allow_pickle=False) as content:
        for split in ("train", "val", "test"):
            volumes[split] = _hu(content[f"{split}_images"], grid, recipe.edge)
            values[split] = content[f"{split}_labels"].astype(np.int8)
    # The product's own sizes are for whole chests; this one is the benchmark's.
    sizes.SIZES["gland"] = replace(SIZE, strides=recipe.strides)
    profile = Profile(
        name="gland",
        grid_zyx=(recipe.edge,) * 3,
        spacing_mm_zyx=(1.0, 1.0, 1.0),
        margin_mm=0,
    )
    probabilities = []
    for seed in range(options.seeds):
        config = TrainConfig(
            network="additive",
            size="gland",
            epochs=options.epochs or recipe.epochs,
            batch_size=32,
            learning_rate=2e-3,
            ema_decay=0.99,
            margin=1.0,  # the last epoch: 98 volumes cannot tell epochs apart
            validate_every=3,
            augmentation=AUGMENTATION,
            seeds=(seed,),
            threads=options.threads,
        )
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit(
                config,
                profile,
                _part("train", values["train"]),
                _part("val", values["val"]),
                lambda name: volumes[name.split("-")[0]][int(name.split("-")[1])],
                resume_folder=Path(folder),
            )
        on_validation = fitted.validation_logits_nl[:, 0].astype(np.float64)
        sigmoid = fit_calibration(on_validation, values["val"][:, 0] == 1)
        chosen = float(auroc(on_validation, values["val"][:, 0] == 1)[0])
        with torch.inference_mode():
            chunks = torch.from_numpy(volumes["test"]).split(32)
            logits = torch.cat([fitted.network(chunk)[:, 0] for chunk in chunks]).double().numpy()
        probabilities.append(sigmoid.probability(logits))
        minutes = (time.process_time() - began) / 60
        print(f"  seed {seed}: validation AUC {chosen:.3f}, {minutes:.1f} CPU minutes", flush=True)
    return np.stack(probabilities), values["test"][:, 0] == 1


def _hu(masks_nzyx: NDArray[np.uint8], grid: int, edge: int) -> NDArray[np.int16]:
    """Masks (0 to 255) as int16 HU, averaged to `grid` voxels and padded with air to `edge`."""
    inside = torch.from_numpy(masks_nzyx).float() / 255
    if grid != inside.shape[1]:
        chunks = [functional.adaptive_avg_pool3d(c[:, None], grid)[:, 0] for c in inside.split(64)]
        inside = torch.cat(chunks)
    hu = AIR_HU + (GLAND_HU - AIR_HU) * inside
    hu = functional.pad(hu, ((edge - grid) // 2,) * 6, value=AIR_HU)
    return hu.round().short().numpy()


def _part(split: str, values_nl: NDArray[np.int8]) -> Part:
    ids = [f"{split}-{row}" for row in range(len(values_nl))]
    return Part(ids, ids, ids, values_nl)


def _close(probability_sn: NDArray[np.float64], positive_n: NDArray[np.bool_]) -> None:
    """The test figures: mean over seeds, interval by resampling the test volumes."""
    random = np.random.default_rng(0)
    count = len(positive_n)
    draws = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    weights = np.vstack([np.ones((1, count)), draws]).astype(float)
    right_sn = (probability_sn > 0.5) == positive_n
    measures = {
        "AUC": np.stack([auroc(row, positive_n, weights) for row in probability_sn]),
        "accuracy": right_sn.astype(float) @ weights.T / count,
    }
    for name, values_sb in measures.items():
        mean_b = values_sb.mean(axis=0)
        low, high = np.quantile(mean_b[1:], (0.025, 0.975))
        seeds = ", ".join(f"{value:.3f}" for value in values_sb[:, 0])
        print(f"  test {name} {mean_b[0]:.3f} ({low:.3f}-{high:.3f}); seeds {seeds}", flush=True)


if __name__ == "__main__":
    main()
