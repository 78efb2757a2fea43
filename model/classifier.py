"""One training step and one validation pass, as Lightning runs them."""

import math
import time
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from configs.contracts import InputError
from configs.training import TrainConfig
from model.augment import augment
from model.ema import MovingAverage
from model.losses import Targets, as_tensors, masked_bce, positive_weights
from model.metrics import macro_auroc


class TrainingError(InputError):
    """Training cannot go on: a value that is not a number, with where it first stood."""


class Classifier(lightning.LightningModule):
    """A network with its loss, schedule and moving average.

    `regional_nl`, where given, stands in for the network's regional branch while training: the
    branch's logits for each training volume from models that had not seen its patient.
    """

    target_nl: Tensor
    weight_nl: Tensor
    positive_weight_l: Tensor
    regional_nl: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        targets: Targets,
        validation_values_nl: np.ndarray,
        regional_nl: Tensor | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.average = MovingAverage(network, config.ema_decay)
        self.config = config
        self.validation_values_nl = validation_values_nl
        target, weight = as_tensors(targets)
        for name, tensor in {
            "target_nl": target,
            "weight_nl": weight,
            "positive_weight_l": torch.from_numpy(positive_weights(targets, config.max_pos_weight)),
            "regional_nl": regional_nl,
        }.items():
            self.register_buffer(name, tensor, persistent=False)
        self.last_auroc = math.nan
        self.best_auroc = self.highest_auroc = -math.inf
        self.best_epoch = -1
        self.best_state: dict[str, Tensor] = {}
        self.epoch_losses: list[float] = []
        self._validation_logits: dict[int, Tensor] = {}
        self._started = time.monotonic()

    # --- training -----------------------------------------------------------------------------

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Augment a batch (hu_bzyx int16, rows), predict, compare."""
        hu_bzyx, rows = batch
        # From the step alone, so that a resumed run draws what an unbroken one would have.
        draw = (self.config.seed * 1_000_003 + self.global_step) % 2**63
        torch.manual_seed(draw)
        generator = torch.Generator(hu_bzyx.device).manual_seed(draw)
        hu_bzyx = augment(hu_bzyx, self.config.augmentation, generator)
        if self.regional_nl is None:
            logits_bl = self.network(hu_bzyx)
        else:
            logits_bl = self.network(hu_bzyx, regional_bl=self.regional_nl[rows])
        loss = masked_bce(
            logits_bl,
            self.target_nl[rows],
            self.weight_nl[rows],
            self.positive_weight_l,
            self.config.label_smoothing,
        )
        if not torch.isfinite(loss):
            where = "the network's logits" if not torch.isfinite(logits_bl).all() else "the loss"
            raise TrainingError(
                f"step {self.global_step}: {where} became NaN or infinite; lower learning_rate"
            )
        self.epoch_losses.append(float(loss.detach()))
        return loss

    def on_before_optimizer_step(self, *_: Any) -> None:
        """Stop before a gradient that is not a number reaches the weights."""
        for name, parameter in self.network.named_parameters():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                raise TrainingError(
                    f"step {self.global_step}: the gradient of {name} became NaN or infinite; "
                    "lower learning_rate"
                )

    def on_train_batch_end(self, *_: Any) -> None:
        """Let the moving average follow."""
        self.average.follow(self.network)

    def configure_optimizers(self) -> Any:
        """AdamW; matrices and kernels decay, biases and norms do not."""
        decayed = [p for p in self.network.parameters() if p.requires_grad and p.ndim > 1]
        free = [p for p in self.network.parameters() if p.requires_grad and p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": self.config.weight_decay},
                {"params": free, "weight_decay": 0.0},
            ],
            lr=self.config.learning_rate,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate(self, step: int) -> float:
        """Warm-up, then a cosine to zero; by the clock where the time limit comes first."""
        total = max(1, int(self.trainer.estimated_stepping_batches))
        progress = step / total
        if self.config.max_minutes is not None:
            progress = max(progress, self.minutes_spent() / self.config.max_minutes)
        if progress < self.config.warmup:
            return max(progress, 1 / total) / self.config.warmup
        falling = (progress - self.config.warmup) / max(1e-9, 1 - self.config.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))

    def minutes_spent(self) -> float:
        """Wall-clock minutes since this object was made."""
        return (time.monotonic() - self._started) / 60

    # --- validation ---------------------------------------------------------------------------

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Keep the moving average's logits by row."""
        hu_bzyx, rows = batch
        logits_bl = self.average.network(hu_bzyx).float().cpu()
        self._validation_logits |= dict(zip(rows.tolist(), logits_bl, strict=True))

    def on_validation_epoch_end(self) -> None:
        """Keep the moving average, unless an earlier one was better by more than the margin."""
        rows = sorted(self._validation_logits)
        logits_nl = torch.stack([self._validation_logits[row] for row in rows]).numpy()
        self._validation_logits = {}
        auroc = macro_auroc(logits_nl, self.validation_values_nl[rows])
        self.last_auroc = auroc
        if auroc >= self.highest_auroc - self.config.margin or not self.best_state:
            self.best_auroc = auroc
            self.best_epoch = -1 if self.trainer.sanity_checking else self.current_epoch
            self.best_state = {
                name: value.detach().cpu().clone()
                for name, value in self.average.network.state_dict().items()
            }
        self.highest_auroc = max(self.highest_auroc, auroc)

    # --- resume -------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what Lightning does not keep: the best average."""
        checkpoint["best"] = {
            "auroc": self.best_auroc,
            "highest": self.highest_auroc,
            "epoch": self.best_epoch,
            "state": self.best_state,
            "minutes": self.minutes_spent(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up again."""
        best = checkpoint["best"]
        self.best_auroc, self.best_epoch = best["auroc"], best["epoch"]
        self.highest_auroc, self.best_state = best["highest"], best["state"]
        self._started = time.monotonic() - 60 * best["minutes"]
