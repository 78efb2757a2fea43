"""Fitting a network to a cohort: the regional branch in closed form, then the rest by Lightning."""

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from configs import files
from configs.contracts import InputError
from configs.profile import Profile
from configs.training import TrainConfig
from model.classifier import Classifier
from model.data import OneVolumePerScan, Part, ReadVolume, Volumes
from model.losses import targets_of
from model.networks import build_network, channels_last
from model.networks.additive import AdditiveNetwork
from model.networks.sizes import Size, size_of
from model.networks.start import load_start
from model.ridge import fit_regional


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the training history."""

    epoch: int
    loss: float
    macro_auroc: float
    learning_rate: float
    seconds: float
    """Since training began."""
    scans_per_second: float


class Watcher(Protocol):
    """Whoever wants to know how training goes."""

    def step(self, done: int, total: int, loss: float) -> None:
        """Called after every batch."""

    def epoch(self, epoch: Epoch) -> None:
        """Called after every validation."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained network, on the CPU, with what validation said about it."""

    network: nn.Module
    size: Size
    history: tuple[Epoch, ...]
    best_auroc: float
    best_epoch: int
    """Counted from 0; -1 is the start, before any step."""
    validation_logits_nl: NDArray[np.float32]


def fit(
    config: TrainConfig,
    profile: Profile,
    train: Part,
    validation: Part,
    read: ReadVolume,
    *,
    resume_file: Path,
    resume: bool = False,
    watcher: Watcher | None = None,
) -> Fitted:
    """Train on one part, choose by macro AUROC on another.

    `read` gives a volume's prepared `hu_zyx`. After every epoch `resume_file` holds all that
    `resume` needs. Raises InputError for parts that cannot be learnt from, a resume file of
    another configuration, and values that are not numbers.
    """
    _check_parts(train, validation)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    n_labels = train.values_nl.shape[1]
    size = size_of(config.network, config.size or profile.name)
    network = build_network(config.network, profile, n_labels, size)
    if config.start is not None:
        load_start(network, Path(config.start))
    network = channels_last(network)
    targets = targets_of(train.values_nl, config.labels)
    train_volumes = Volumes(train.volume_ids, read, in_memory=config.in_memory)
    validation_volumes = Volumes(validation.volume_ids, read, in_memory=config.in_memory)
    regional_nl: Tensor | None = None
    if isinstance(network, AdditiveNetwork) and network.regional is not None:
        histograms = torch.cat(
            [network.regional.features(hu) for hu, _ in _batches(train_volumes, config)]
        )
        regional = fit_regional(network.regional, histograms, targets, train.patient_ids)
        network.regional.requires_grad_(False)
        network.bias.data.copy_(torch.from_numpy(regional.bias_l))
        regional_nl = torch.from_numpy(regional.out_of_fold_nl - regional.bias_l)
    classifier = Classifier(network, config, targets, validation.values_nl, regional_nl)
    history = _History(resume_file, watcher, _identity(config, train))
    _run(classifier, config, train, train_volumes, validation_volumes, history, resume)
    best = build_network(config.network, profile, n_labels, size)
    best.load_state_dict(classifier.best_state)
    logits = [_predict(best, hu) for hu, _ in _batches(validation_volumes, config)]
    return Fitted(
        best.eval(),
        size,
        tuple(history.epochs),
        classifier.best_auroc,
        classifier.best_epoch,
        np.concatenate(logits),
    )


def _check_parts(train: Part, validation: Part) -> None:
    for part, name in ((train, "train"), (validation, "validation")):
        if not len(part):
            raise InputError(f"the {name} split is empty; give `chestct cohort` another share")
    two_classes = (validation.values_nl == 1).any(axis=0) & (validation.values_nl == 0).any(axis=0)
    if not two_classes.any():
        raise InputError(
            "no label has both values in the validation split, so nothing could be "
            "chosen by it; give `chestct cohort` a larger --validation"
        )
    if len(set(train.scan_ids)) < 2:
        raise InputError("the train split holds one scan; training needs more")


def _batches(volumes: Volumes, config: TrainConfig) -> Iterator[tuple[Tensor, Tensor]]:
    yield from DataLoader(volumes, batch_size=config.batch_size, num_workers=config.workers)


@torch.inference_mode()
def _predict(network: nn.Module, hu_bzyx: Tensor) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = network.eval()(hu_bzyx).float().numpy()
    return logits


def _identity(config: TrainConfig, train: Part) -> dict[str, Any]:
    """What must not change between a run and its resumption."""
    changeable = {"epochs", "max_minutes", "threads", "workers", "in_memory"}
    return {
        "config": config.model_dump(exclude=changeable),
        "volumes": len(train),
        "labels": int(train.values_nl.astype(np.int64).sum()),
    }


def _run(
    classifier: Classifier,
    config: TrainConfig,
    train: Part,
    train_volumes: Volumes,
    validation_volumes: Volumes,
    history: "_History",
    resume: bool,
) -> None:
    sampler = OneVolumePerScan(train.scan_ids, config.seed)
    batch_size = min(config.batch_size, len(sampler))
    shared: dict[str, Any] = {
        "num_workers": config.workers,
        "persistent_workers": config.workers > 0,
        "batch_size": batch_size,
    }
    # A short last batch would give batch norm a poor estimate.
    loader = DataLoader(train_volumes, sampler=sampler, drop_last=True, **shared)
    validation_loader = DataLoader(validation_volumes, **shared)
    if resume:
        history.check_resume()
    with _quiet_lightning():
        trainer = lightning.Trainer(
            accelerator=config.accelerator,
            devices=config.devices,
            precision="bf16-mixed" if config.bf16 else "32-true",
            max_epochs=config.epochs,
            check_val_every_n_epoch=config.validate_every,
            gradient_clip_val=config.gradient_clip,
            callbacks=[history],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=-1,  # the start is a candidate too: it may stay the best
        )
        trainer.fit(
            classifier,
            loader,
            validation_loader,
            ckpt_path=history.path if resume else None,
            weights_only=True,
        )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's banners and advice out of the user's output."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class _History(lightning.Callback):
    """Collects epochs, tells the watcher, writes the resume file, and ends runs that are over."""

    def __init__(self, path: Path, watcher: Watcher | None, identity: dict[str, Any]) -> None:
        self.path, self.watcher, self.identity = path, watcher, identity
        self.epochs: list[Epoch] = []
        self._epoch_began = time.monotonic()

    def check_resume(self) -> None:
        """Raise InputError when there is nothing to resume, or it belongs to another run."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: nothing to resume; leave --resume out")
        saved = torch.load(self.path, map_location="cpu", weights_only=True).get("identity", {})
        for key, value in self.identity.items():
            if saved.get(key) != value:
                raise InputError(f"{self.path}: belongs to a run with other {key}; start afresh")

    def on_train_epoch_start(self, _: lightning.Trainer, module: Any) -> None:
        """Start the clock."""
        self._epoch_began = time.monotonic()
        module.epoch_losses = []
        module.last_auroc = float("nan")

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: Any, _outputs: Any, _batch: Any, _index: int
    ) -> None:
        """Tell the watcher."""
        if self.watcher is not None:
            total = int(trainer.estimated_stepping_batches)
            self.watcher.step(trainer.global_step, total, module.epoch_losses[-1])

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: Any) -> None:
        """Runs after the epoch's validation, where there was one."""
        took = time.monotonic() - self._epoch_began
        scans = len(module.epoch_losses) * trainer.train_dataloader.batch_size  # type: ignore[union-attr]
        epoch = Epoch(
            trainer.current_epoch,
            float(np.mean(module.epoch_losses)),
            module.last_auroc,
            float(trainer.optimizers[0].param_groups[0]["lr"]),
            60 * module.minutes_spent(),
            scans / max(took, 1e-9),
        )
        self.epochs.append(epoch)
        if self.watcher is not None:
            self.watcher.epoch(epoch)
        limit, patience = module.config.max_minutes, module.config.patience
        out_of_time = limit is not None and module.minutes_spent() + took / 60 > limit
        stale = patience is not None and trainer.current_epoch - module.best_epoch >= patience
        trainer.should_stop = trainer.should_stop or out_of_time or stale
        with files.atomic_path(self.path) as temporary:
            trainer.save_checkpoint(temporary, weights_only=False)

    def on_save_checkpoint(
        self, _trainer: lightning.Trainer, _module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Say whose state this is."""
        checkpoint["identity"] = self.identity

    def state_dict(self) -> dict[str, Any]:
        """The history so far."""
        return {"epochs": [[getattr(e, f) for f in Epoch.__slots__] for e in self.epochs]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The history up to the interruption."""
        self.epochs = [Epoch(*fields) for fields in state_dict["epochs"]]
