"""What learns: a network on its device, its moving average, its optimizer, and their state."""

import math
from typing import Any

import torch
from lightning import Fabric
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from configs.contracts import InputError
from configs.training import TrainConfig
from model.ema import MovingAverage
from model.networks import channels_last
from model.training import checkpoint
from model.training.recompute import recompute_blocks


class Learner:
    """A network made ready for the recipe's devices, with all the tensors of its state.

    Raises InputError where the recipe asks for what the network cannot do.
    """

    def __init__(self, fabric: Fabric, config: TrainConfig, network: nn.Module) -> None:
        if config.channels_last:
            network = channels_last(network)
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # torch's stub
        self.network = network.to(fabric.device)
        self.average = MovingAverage(self.network, config.ema_decay)
        self.best: dict[str, Tensor] = {}
        """The average that validation liked best, on the CPU."""
        if config.gradient_checkpointing and not recompute_blocks(self.network):
            raise InputError(
                f"gradient_checkpointing: network {config.network} has no residual blocks to "
                "compute again; set it to false"
            )
        self._optimizer = _optimizer(self.network, config)
        self._clip = config.gradient_clip
        called: Any = torch.compile(self.network) if config.compile else self.network
        self.forward, self._stepped = fabric.setup(called, self._optimizer)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self._optimizer.param_groups[0]["lr"])

    @rate.setter
    def rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def gradient_norm(self) -> float:
        """The length of the whole gradient; not finite where a part of it is not."""
        return float(get_total_norm([p.grad for p in self._trained() if p.grad is not None]))

    def follow_gradient(self, norm: float) -> None:
        """One step along the gradient of that length, clipped; the average comes behind."""
        assert math.isfinite(norm)
        clip_grads_with_norm_(self._trained(), self._clip, torch.tensor(norm))
        self._stepped.step()
        self.average.follow(self.network)

    def forget_gradient(self) -> None:
        """Before the next step."""
        self._optimizer.zero_grad(set_to_none=True)

    def keep_average(self) -> None:
        """Remember the moving average as the best so far."""
        state = self.average.network.state_dict()
        self.best = {name: value.detach().cpu().clone() for name, value in state.items()}

    def tensors(self) -> dict[str, Tensor]:
        """All of the state, by name."""
        return {
            **checkpoint.under("network", self.network.state_dict()),
            **checkpoint.under("average", self.average.state_dict()),
            **checkpoint.under("optimizer", checkpoint.optimizer_tensors(self._optimizer)),
            **checkpoint.under("best", self.best),
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        self.network.load_state_dict(checkpoint.below("network", tensors))
        self.average.load_state_dict(checkpoint.below("average", tensors))
        checkpoint.restore_optimizer(self._optimizer, checkpoint.below("optimizer", tensors))
        self.best = checkpoint.below("best", tensors)

    def _trained(self) -> list[nn.Parameter]:
        return [p for group in self._optimizer.param_groups for p in group["params"]]


def _optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Matrices and kernels decay, biases and norms do not."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)
