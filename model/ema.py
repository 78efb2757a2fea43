"""An exponential moving average of a network: what is validated and kept."""

import copy

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """A copy of a network whose weights trail the trained ones.

    The decay starts low and rises to its value, (1 + t) / (10 + t), so that the average forgets
    the random start within a few steps. Batch-norm statistics are averaged alike.
    """

    steps: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move one step towards the network."""
        self.steps += 1
        step = int(self.steps)
        decay = min(self.decay, (1 + step) / (10 + step))
        own, new = self.network.state_dict(), network.state_dict()
        for name, value in own.items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - decay)
            else:
                value.copy_(new[name])

    def train(self, _mode: bool = True) -> "MovingAverage":
        """Stay in evaluation mode: an average is never trained."""
        return super().train(False)
