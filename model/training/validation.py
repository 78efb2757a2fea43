"""Predictions for a split over all devices, and how good they are label by label."""

import numpy as np
import torch
from lightning import Fabric
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from configs.training import TrainConfig
from model.data import Volumes
from model.measures import auroc
from model.training.devices import gathered


def predict(
    fabric: Fabric,
    network: nn.Module,
    volumes: Volumes,
    config: TrainConfig,
    *,
    mixed: bool,
) -> NDArray[np.float32]:
    """Logits (n, labels) of every volume, on every process; each predicts its share once.

    `mixed` computes in the recipe's precision, as training does, else in float32.
    """
    rows = list(range(fabric.global_rank, len(volumes), fabric.world_size))
    size = max(1, config.batch_size // fabric.world_size)
    loader = DataLoader(
        volumes,
        batch_sampler=[rows[i : i + size] for i in range(0, len(rows), size)],
        num_workers=config.workers,
        pin_memory=fabric.device.type == "cuda",
    )
    own: list[tuple[int, NDArray[np.float32]]] = []
    network.eval()
    with torch.inference_mode():
        for hu_bzyx, places in loader:
            with torch.autocast(fabric.device.type, torch.bfloat16, enabled=mixed and config.bf16):
                logits_bl = network(hu_bzyx.to(fabric.device)).float().cpu().numpy()
            own.extend(zip(places.tolist(), logits_bl, strict=True))
    # By row, so that shares of any size come together without doubles.
    merged = {row: logits for share in gathered(fabric, own) for row, logits in share}
    return np.stack([merged[row] for row in range(len(volumes))])


def label_aurocs(scores_nl: NDArray[np.floating], values_nl: NDArray[np.int8]) -> list[float]:
    """AUROC of each label over the values that are 1 or 0; NaN where it has one of them only."""
    found = []
    for scores, values in zip(scores_nl.T, values_nl.T, strict=True):
        known = (values == 0) | (values == 1)
        found.append(float(auroc(scores[known].astype(np.float64), values[known] == 1)[0]))
    return found


def macro(figures: list[float]) -> float:
    """The mean over the labels where there is a figure; NaN without any."""
    defined = [figure for figure in figures if np.isfinite(figure)]
    return float(np.mean(defined)) if defined else float("nan")
