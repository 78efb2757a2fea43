"""Several trained networks as one: logits, maps and biases are the members' averages."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The average of networks with the same labels: int16 HU (b, z, y, x) to logits (b, labels)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """The mean of the members' logits."""
        return torch.stack([member(hu_bzyx) for member in self.members]).mean(dim=0)


class AdditiveEnsemble(Ensemble):
    """Of networks whose logits are sums of evidence: so is their average."""

    def evidence(self, hu_bzyx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (b, l), maps (b, l, z, y, x) and bias (l): |logit - bias - sum(map)| < 1e-4."""
        # Torch's stubs take any attribute of a module for a tensor or a module.
        each = [member.evidence(hu_bzyx) for member in self.members]  # type: ignore[operator]
        logits, maps, biases = (
            torch.stack(tensors).mean(dim=0) for tensors in zip(*each, strict=True)
        )
        return logits, maps, biases


def as_one(members: Sequence[nn.Module]) -> nn.Module:
    """A network of one or several members; it has `evidence` where all of them have."""
    if len(members) == 1:
        return members[0]
    additive = all(hasattr(member, "evidence") for member in members)
    return AdditiveEnsemble(members) if additive else Ensemble(members)
