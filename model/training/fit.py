"""Fitting a network to a cohort: the regional branch in closed form, then the rest step by step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from configs import files
from configs.contracts import InputError
from configs.profile import Profile
from configs.training import TrainConfig
from model.data import Part, ReadVolume, Volumes
from model.ensemble import as_one
from model.losses import known_values, targets_of
from model.networks import build_network
from model.networks.imitation import SUFFIXES, imitate, read_features
from model.networks.sizes import Size, size_of
from model.networks.start import load_start
from model.training.devices import first_only, launch, quiet_lightning
from model.training.history import Epoch, Progress, Watcher
from model.training.identity import claim, identity_of
from model.training.lesson import Lesson
from model.training.loop import SeedRun
from model.training.memory import check_memory, memory_said
from model.training.regional import RegionalStart, regional_start
from model.training.validation import label_aurocs, macro, predict


@dataclass(frozen=True, slots=True)
class Member:
    """One seed's network among those of a run."""

    seed: int
    best_auroc: float
    best_epoch: int
    """Counted from 0; -1 is the start, before any step."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained network, on the CPU, with what validation said about it."""

    network: nn.Module
    """One network, or the average of several seeds'."""
    size: Size
    members: tuple[Member, ...]
    history: tuple[Epoch, ...]
    best_auroc: float
    """Macro AUROC of the network on validation."""
    validation_logits_nl: NDArray[np.float32]
    blank_weight: float
    """What a blank label weighed."""

    @property
    def best_epoch(self) -> int:
        """The first member's."""
        return self.members[0].best_epoch


def fit(
    config: TrainConfig,
    profile: Profile,
    train: Part,
    validation: Part,
    read: ReadVolume,
    *,
    resume_folder: Path,
    resume: bool = False,
    labels: Sequence[str] = (),
    sources: Mapping[str, str] | None = None,
    fabric: Fabric | None = None,
    watcher: Watcher | None = None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> Fitted:
    """Train on one part, choose by macro AUROC on another; once for each seed.

    `read` gives a volume's prepared `hu_zyx`. `resume_folder`, which every process must reach,
    holds all that `resume` needs, until the caller removes it. `labels` are names for messages,
    `sources` hashes of the files that the parts came from. Raises InputError for parts that cannot
    be learnt from, a folder of another run, and values that are not numbers; Paused when asked to
    stop.
    """
    labels = labels or [f"label {number}" for number in range(train.values_nl.shape[1])]
    fabric = fabric or launch(config)
    size = replace(size_of(config.network, config.size or profile.name), norm=config.norm)
    network = _Blueprint(config, profile, len(labels), size)

    def begin() -> None:
        check_parts(config, train, validation, fabric.world_size)
        if config.in_memory:
            here = torch.cuda.device_count() or fabric.world_size
            processes = min(fabric.world_size, here)
            check_memory(profile, len(train) + len(validation), processes)
        parts = {"train": train, "validation": validation}
        hashes = {**(sources or {}), **_start_hash(config)}
        claim(resume_folder, identity_of(config, parts, hashes), resume=resume)

    first_only(fabric, begin)
    with quiet_lightning(), memory_said(config):
        lesson, start = _prepared(fabric, network, train, validation, read, labels, resume_folder)
        taught = [
            _taught(
                fabric,
                network,
                lesson,
                start,
                seed,
                resume_folder / f"seed_{seed}.safetensors",
                watcher if fabric.is_global_zero else None,
                asked_to_stop,
            )
            for seed in config.seeds
        ]
        return _fitted(fabric, network, lesson, taught)


@dataclass(frozen=True, slots=True)
class _Blueprint:
    """What the network of every seed is built from."""

    config: TrainConfig
    profile: Profile
    n_labels: int
    size: Size

    def fresh(self) -> nn.Module:
        """A network with new weights, drawn by torch's generator."""
        return build_network(self.config.network, self.profile, self.n_labels, self.size)

    def holding(self, state: dict[str, Tensor]) -> nn.Module:
        """A network with these weights."""
        network = self.fresh()
        network.load_state_dict(state)
        return network


@dataclass(frozen=True, slots=True, eq=False)
class _Taught:
    """What one seed's run leaves: its network's best weights, and how it went."""

    seed: int
    best: dict[str, Tensor]
    progress: Progress


def _prepared(
    fabric: Fabric,
    network: _Blueprint,
    train: Part,
    validation: Part,
    read: ReadVolume,
    labels: Sequence[str],
    resume_folder: Path,
) -> tuple[Lesson, RegionalStart | None]:
    """What all seeds are taught, and what they start from."""
    config = network.config

    def volumes_of(part: Part) -> Volumes:
        grid_zyx = network.profile.grid_zyx
        return Volumes(part.volume_ids, read, grid_zyx, in_memory=config.in_memory)

    parts, volumes = (train, validation), (volumes_of(train), volumes_of(validation))
    path = resume_folder / "regional.safetensors"
    start = regional_start(fabric, config, network.fresh(), parts, volumes, path)
    policy = config.labels
    if policy.blank_weight is None:
        weight = 1.0 if start is None else start.blank_weight
        policy = policy.model_copy(update={"blank_weight": weight})
    assert policy.blank_weight is not None
    lesson = Lesson(
        *parts,
        *volumes,
        targets_of(train.values_nl, policy, train.soft),
        labels,
        policy.blank_weight,
        None if start is None else start.out_of_fold_nl,
    )
    return lesson, start


def _taught(
    fabric: Fabric,
    network: _Blueprint,
    lesson: Lesson,
    start: RegionalStart | None,
    seed: int,
    state: Path,
    watcher: Watcher | None,
    asked_to_stop: Callable[[], bool],
) -> _Taught:
    """Run one seed from where its `state` left it, else from its start."""
    torch.manual_seed(seed)
    begun = network.fresh()
    if network.config.start_weights is not None and not state.exists():
        _start_trunk(begun, network.config, lesson, seed, fabric.device)
    if start is not None:
        start.put_into(begun)  # type: ignore[arg-type]  # a start is of an additive network
    run = SeedRun(
        fabric,
        network.config,
        seed,
        begun,
        lesson,
        state,
        watcher=watcher,
        asked_to_stop=asked_to_stop,
    )
    run.run()
    return _Taught(seed, run.learner.best, run.progress)


def _fitted(
    fabric: Fabric, network: _Blueprint, lesson: Lesson, taught: Sequence[_Taught]
) -> Fitted:
    """The best of every seed as one network, and what it says of validation."""
    best = as_one([network.holding(one.best) for one in taught])
    logits_nl = predict(
        fabric, best.to(fabric.device), lesson.validation_volumes, network.config, mixed=False
    )
    return Fitted(
        best.cpu().eval(),
        network.size,
        tuple(Member(t.seed, t.progress.best_auroc, t.progress.best_epoch) for t in taught),
        tuple(epoch for one in taught for epoch in one.progress.history),
        macro(label_aurocs(logits_nl, known_values(lesson.validation.values_nl))),
        logits_nl,
        lesson.blank_weight,
    )


def _start_trunk(
    network: nn.Module, config: TrainConfig, lesson: Lesson, seed: int, device: torch.device
) -> None:
    """Start from weights on disk, or by imitating an encoder whose features are on disk."""
    assert config.start_weights is not None
    path = Path(config.start_weights)
    if path.suffix not in SUFFIXES:
        load_start(network, path)
        return
    imitate(
        network,
        lesson.train_volumes,
        read_features(path, lesson.train.volume_ids),
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=seed,
        device=device,
    )


def _start_hash(config: TrainConfig) -> dict[str, str]:
    """Of the file that the trunk starts from: a seed that has not begun would still read it."""
    if config.start_weights is None:
        return {}
    path = Path(config.start_weights)
    if not path.is_file():
        raise InputError(f"start_weights: {path}: no such file")
    return {"start weights": files.sha256_of(path)[:16]}


def any_label_has_both_values(part: Part) -> bool:
    """Whether a macro AUROC can be told on a part."""
    values = known_values(part.values_nl)
    return bool(((values == 1).any(axis=0) & (values == 0).any(axis=0)).any())


NOTHING_TO_CHOOSE_BY = (
    "no label has both values in the validation split, so nothing could be chosen by it; give "
    "`chestct cohort` a larger --validation"
)


def check_parts(config: TrainConfig, train: Part, validation: Part, processes: int) -> None:
    """Raise InputError for parts that so many processes cannot learn from."""
    for part, name in ((train, "train"), (validation, "validation")):
        if not len(part):
            raise InputError(f"the {name} split is empty; give `chestct cohort` another share")
    if not any_label_has_both_values(validation):
        raise InputError(NOTHING_TO_CHOOSE_BY)
    scans = len(set(train.scan_ids))
    if scans < 2:
        raise InputError("the train split holds one scan; training needs more")
    if config.batch_size < processes:
        raise InputError(
            f"batch_size: {config.batch_size} scans a step cannot occupy {processes} devices; "
            "raise it, or use fewer"
        )
    if scans < processes:
        raise InputError(f"{scans} scans to train on cannot occupy {processes} devices; use fewer")
