"""How the network learns, as Lightning runs it: from the rules' readings, then from gold."""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # PyTorch's own name for it
from torch.utils.data import DataLoader, IterableDataset

from labeler.neural.network import SentenceNetwork, hazard_loss, pooled

_WARM_SHARE = 0.1

Batches = Callable[[int], Iterable[Any]]
"""The batches of an epoch, by its number."""


class _Task(lightning.LightningModule):
    """AdamW, its rate rising over the first tenth of the steps and then falling to zero."""

    def __init__(self, learning_rate: float, steps: int) -> None:
        super().__init__()
        self._learning_rate, self._steps = learning_rate, steps

    def configure_optimizers(self) -> Any:
        """Matrices decay, biases and norms do not."""
        trained = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self._learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _rate(self, step: int) -> float:
        warm = max(1, round(_WARM_SHARE * self._steps))
        falling = (self._steps - step) / max(1, self._steps - warm)
        return min((step + 1) / warm, max(0.0, falling))


class FromRules(_Task):
    """Sentences against the rules' readings; batches are ids (b, t), target and weight (b, l)."""

    def __init__(self, network: SentenceNetwork, learning_rate: float, steps: int) -> None:
        super().__init__(learning_rate, steps)
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """The weighted loss of a sentence, summed over labels."""
        ids_bt, target_bl, weight_bl = batch
        loss_bl = hazard_loss(self.network(ids_bt), target_bl) * weight_bl
        return loss_bl.sum() / len(ids_bt)


class FromGold(_Task):
    """Whole reports against gold, and their sentences against the rules beside it.

    Trains the head alone, on states that the encoder gave once. A batch is a dictionary: `state_nd`
    of all tokens, `sentence_n` whose they are; `sentence_m` and `report_m`, which sentences each
    report has; `gold_rl`, `known_rl`, `target_ul` and `weight_ul`.
    """

    def __init__(
        self, head: nn.Module, rules_share: float, learning_rate: float, steps: int
    ) -> None:
        super().__init__(learning_rate, steps)
        self.head, self._rules_share = head, rules_share

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """Both losses, each a mean over its own units."""
        target_ul, gold_rl = batch["target_ul"], batch["gold_rl"]
        hazard_ul, hazard_rl = hazards_of(self.head, batch)
        gold = (hazard_loss(hazard_rl, gold_rl) * batch["known_rl"]).sum() / len(gold_rl)
        rules = (hazard_loss(hazard_ul, target_ul) * batch["weight_ul"]).sum()
        rules = rules / max(1, len(target_ul))
        return gold + self._rules_share * rules


def hazards_of(head: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The hazards of a batch's sentences and of its reports, as `FromGold` describes it."""
    hazard_nl = F.softplus(head(batch["state_nd"]).float())
    hazard_ul = pooled(hazard_nl, batch["sentence_n"], len(batch["target_ul"]))
    hazard_rl = pooled(hazard_ul[batch["sentence_m"]], batch["report_m"], len(batch["gold_rl"]))
    return hazard_ul, hazard_rl


class _Epochs(IterableDataset[Any]):
    """Ready batches, made anew each epoch."""

    def __init__(self, batches: Batches) -> None:
        self._batches, self._epoch = batches, -1

    def __iter__(self) -> Iterator[Any]:
        self._epoch += 1
        return iter(self._batches(self._epoch))


def run(
    task: lightning.LightningModule,
    batches: Batches,
    epochs: int,
    after_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train on a GPU in bfloat16 where there is one, else on the CPU; then come back to the CPU."""
    with _quiet_lightning():
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            precision="bf16-mixed" if torch.cuda.is_available() else "32-true",
            max_epochs=epochs,
            gradient_clip_val=1.0,
            callbacks=[] if after_epoch is None else [_AfterEpoch(after_epoch)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(task, DataLoader(_Epochs(batches), batch_size=None))
    task.cpu()


class _AfterEpoch(lightning.Callback):
    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell

    def on_train_epoch_end(self, trainer: Any, _: Any) -> None:
        """Pass the epoch's number on."""
        self._tell(trainer.current_epoch)


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
