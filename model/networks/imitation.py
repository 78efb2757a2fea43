"""A trunk may start by imitating an external encoder, through features cached on disk.

Whoever may run a pretrained encoder runs it once over the training volumes and keeps one vector a
volume. The trunk learns to predict them from the voxels (Hinton et al. 2015; Romero et al. 2015);
neither the encoder nor the features are needed afterwards.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from configs import files
from configs.contracts import InputError

SUFFIXES = (".npz", ".parquet")
EPOCHS = 10
_LEAST_SPREAD = 1e-6


def read_features(path: Path, volume_ids: Sequence[str]) -> Tensor:
    """One vector a volume, in their order: float32 (n, f), every column of mean 0 and spread 1.

    `.npz` holds `volume_id` (n,) and `features` (n, f); `.parquet` a column `volume_id` beside
    numeric ones. Columns that do not vary are left out. Raises InputError for another layout, a
    volume without features or with two rows, and values that are not numbers.
    """
    where = f"start_weights: {path}"
    ids, table = _read_npz(path) if path.suffix == ".npz" else _read_parquet(path)
    if len(ids) != len(table) or table.ndim != 2:
        raise InputError(f"{where}: {len(ids)} volumes beside features shaped {table.shape}")
    row_of = {volume_id: row for row, volume_id in enumerate(ids)}
    if len(row_of) != len(ids):
        raise InputError(f"{where}: a volume stands in two rows; keep one")
    missing = sum(volume_id not in row_of for volume_id in volume_ids)
    if missing:
        raise InputError(f"{where}: {missing} of {len(volume_ids)} volumes have no features")
    found = table[[row_of[volume_id] for volume_id in volume_ids]].astype(np.float32)
    if not np.isfinite(found).all():
        raise InputError(f"{where}: holds values that are not numbers")
    spread = found.std(axis=0)
    varied = spread > _LEAST_SPREAD
    if not varied.any():
        raise InputError(f"{where}: no feature varies over the training volumes")
    return torch.from_numpy((found - found.mean(axis=0))[:, varied] / spread[varied])


def _read_npz(path: Path) -> tuple[list[str], NDArray[np.floating]]:
    try:
        with np.load(path, allow_pickle=False) as content:
            return [str(name) for name in content["volume_id"]], np.asarray(content["features"])
    except FileNotFoundError:
        raise InputError(f"start_weights: {path}: no such file") from None
    except (KeyError, ValueError, OSError, BadZipFile):
        raise InputError(
            f"start_weights: {path}: needs the plain arrays volume_id and features"
        ) from None


def _read_parquet(path: Path) -> tuple[list[str], NDArray[np.floating]]:
    frame = files.read_table(path).to_pandas()
    if "volume_id" not in frame.columns:
        raise InputError(f"start_weights: {path}: needs a column volume_id")
    numbers = frame.drop(columns="volume_id").select_dtypes("number")
    return frame["volume_id"].astype(str).tolist(), numbers.to_numpy(np.float32)


def imitate(
    network: nn.Module,
    volumes: Dataset[tuple[Tensor, int]],
    features_nf: Tensor,
    *,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: torch.device,
) -> float:
    """Train `network.trunk` to predict the features of its volumes; the rest is left as it was.

    Its deepest features, averaged over the volume, meet the external ones through a linear map
    that is thrown away. Returns the share of their variance explained in the last epoch.
    """
    trunk = network.get_submodule("trunk").to(device).train()
    features_nf = features_nf.to(device)
    # Drawn from a generator of its own: the seeds of training mean what they did.
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        volumes, batch_size=batch_size, shuffle=True, drop_last=True, generator=generator
    )
    if not len(loader):
        raise InputError("start_weights: fewer training volumes than batch_size; lower it")
    hu, _ = next(iter(loader))
    with torch.no_grad():
        width = _mean_features(trunk, hu[:2].to(device)).shape[1]
    bridge = nn.Sequential(
        nn.BatchNorm1d(width, affine=False), nn.Linear(width, features_nf.shape[1])
    ).to(device)
    parameters = [*trunk.parameters(), *bridge.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    steps, step, errors = EPOCHS * len(loader), 0, [math.nan]
    for _ in range(EPOCHS):
        errors = []
        for hu, rows in loader:
            optimizer.param_groups[0]["lr"] = (
                learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            )
            predicted = bridge(_mean_features(trunk, hu.to(device)))
            loss = functional.mse_loss(predicted, features_nf[rows.to(device)])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            errors.append(float(loss.detach()))
            step += 1
    if not all(math.isfinite(error) for error in errors):
        raise InputError("start_weights: imitation ran into values that are not numbers")
    return 1 - float(np.mean(errors))


def _mean_features(trunk: nn.Module, hu_bzyx: Tensor) -> Tensor:
    """The deepest features, averaged over the volume: (b, c)."""
    found: Tensor | list[Tensor] = trunk(hu_bzyx)
    if isinstance(found, list):  # a 3D trunk: one (b, c, z, y, x) a stage
        return found[-1].float().mean(dim=(2, 3, 4))
    return found.float().mean(dim=(1, 3, 4))  # slices: (b, t, c, y, x)
