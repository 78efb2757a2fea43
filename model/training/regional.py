"""Where a run starts: the regional reading in closed form, fitted once for all its seeds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from configs.training import LabelPolicy, TrainConfig
from model.data import Part, Volumes
from model.losses import BLANK, known_values, targets_of
from model.networks.additive import AdditiveNetwork
from model.networks.regional import RegionalReading
from model.ridge import fit_regional
from model.training import checkpoint
from model.training.devices import gathered
from model.training.validation import label_aurocs, macro

BLANK_WEIGHTS = (1.0, 0.75, 0.5)
_MOST_ROWS_TO_CHOOSE = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class RegionalStart:
    """The regional reading's fit, and the weight of blanks that it was found best with."""

    branch: dict[str, Tensor]
    """The branch's state."""
    bias_l: Tensor
    out_of_fold_nl: Tensor
    """Logits, without bias, of models that had not seen the patient; stands in while training."""
    blank_weight: float

    def put_into(self, network: AdditiveNetwork) -> None:
        """Set a network's regional branch and bias; the branch is not trained further."""
        assert network.regional is not None
        network.regional.load_state_dict(self.branch)
        with torch.no_grad():
            network.bias.copy_(self.bias_l)
        network.regional.requires_grad_(False)


def regional_start(
    fabric: Fabric,
    config: TrainConfig,
    network: torch.nn.Module,
    parts: tuple[Part, Part],
    volumes: tuple[Volumes, Volumes],
    path: Path,
) -> RegionalStart | None:
    """Fit the regional branch of a network, or read it back from `path`; None without a branch."""
    if not isinstance(network, AdditiveNetwork) or network.regional is None:
        return None
    if fabric.broadcast(path.exists()):
        return _read(path)
    branch = network.regional.to(fabric.device)
    train, validation = parts
    features_nd, typical_ck = _features(fabric, branch, volumes[0], config)
    policy = config.labels
    blanks = bool((train.values_nl == BLANK).any())
    if policy.blank_weight is None and blanks:
        held_nd, _ = _features(fabric, branch, volumes[1], config)
    branch.cpu().set_typical(typical_ck)
    if fabric.is_global_zero:
        if policy.blank_weight is None:
            weight = (
                _choose(branch, policy, train, features_nd, validation, held_nd, config.margin)
                if blanks
                else 1.0
            )
            policy = policy.model_copy(update={"blank_weight": weight})
        _write(path, _fit(branch, policy, train, features_nd))
    fabric.barrier()
    return _read(path)


def _features(
    fabric: Fabric, branch: RegionalReading, volumes: Volumes, config: TrainConfig
) -> tuple[Tensor, Tensor]:
    """The regional features (n, d) of all volumes, and their mean cells (cells, kinds).

    Each process reads its share.
    """
    rows = list(range(fabric.global_rank, len(volumes), fabric.world_size))
    loader = DataLoader(
        volumes,
        batch_sampler=[
            rows[i : i + config.batch_size] for i in range(0, len(rows), config.batch_size)
        ],
        num_workers=config.workers,
    )
    own, total = [torch.zeros(0, 0)], torch.zeros((), dtype=torch.float64)
    for hu, _ in loader:
        cells_bck = branch.kinds(hu.to(fabric.device))
        own.append(branch.features(cells_bck).cpu())
        total = total + cells_bck.cpu().double().sum(dim=0)
    shares = gathered(fabric, (rows, torch.cat(own[1:] or own), total))
    width = max(features.shape[1] for _, features, _ in shares)
    found = torch.zeros(len(volumes), width)
    for places, features, _ in shares:
        if places:
            found[places] = features
    return found, sum(total for _, _, total in shares) / len(volumes)


def _fit(
    branch: RegionalReading, policy: LabelPolicy, train: Part, features: Tensor
) -> RegionalStart:
    targets = targets_of(train.values_nl, policy, train.soft)
    fitted = fit_regional(branch, features, targets, train.patient_ids)
    assert policy.blank_weight is not None
    state = {name: tensor.detach().clone() for name, tensor in branch.state_dict().items()}
    return RegionalStart(
        state,
        torch.from_numpy(fitted.bias_l),
        torch.from_numpy(fitted.out_of_fold_nl - fitted.bias_l),
        policy.blank_weight,
    )


def _choose(
    branch: RegionalReading,
    policy: LabelPolicy,
    train: Part,
    features: Tensor,
    validation: Part,
    held: Tensor,
    margin: float,
) -> float:
    """The weight of blanks with the best macro AUROC on validation, the larger within margin."""
    order = np.random.default_rng(0).permutation(len(train))[:_MOST_ROWS_TO_CHOOSE]
    rows = np.sort(order).tolist()
    some = train.rows(rows)
    found = []
    for weight in BLANK_WEIGHTS:
        tried = policy.model_copy(update={"blank_weight": weight})
        start = _fit(branch, tried, some, features[rows])
        logits = branch.read(held).detach() + start.bias_l
        found.append(macro(label_aurocs(logits.numpy(), known_values(validation.values_nl))))
    best = np.nanmax(found) if np.isfinite(found).any() else np.nan
    within = (w for w, f in zip(BLANK_WEIGHTS, found, strict=True) if f >= best - margin)
    return next(within, BLANK_WEIGHTS[0])


def _write(path: Path, start: RegionalStart) -> None:
    tensors = {"bias_l": start.bias_l, "out_of_fold_nl": start.out_of_fold_nl}
    tensors |= checkpoint.under("branch", start.branch)
    checkpoint.write(path, tensors, {"blank_weight": start.blank_weight})


def _read(path: Path) -> RegionalStart:
    tensors, info = checkpoint.read(path)
    return RegionalStart(
        checkpoint.below("branch", tensors),
        tensors["bias_l"],
        tensors["out_of_fold_nl"],
        float(info["blank_weight"]),
    )
