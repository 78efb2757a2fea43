"""What one run teaches and what it asks, the same for each of its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from model.data import Part, Volumes
from model.losses import Targets


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What is taught and what is asked; the same for every seed."""

    train: Part
    validation: Part
    train_volumes: Volumes
    validation_volumes: Volumes
    targets: Targets
    labels: Sequence[str]
    blank_weight: float
    regional_nl: Tensor | None = None
    """Logits that stand in for the network's regional branch while training."""

    def logit(self, part: Part, row: int, label: int) -> str:
        """A logit in words: its label and its volume."""
        return f"the logit of {self.labels[label]} for volume {part.volume_ids[row]}"
