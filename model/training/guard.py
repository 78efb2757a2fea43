"""At a value that is not a number: its cause is named, and the run stops or leaves the step out."""

from lightning import Fabric
from torch import Tensor, nn

from model.training.devices import gathered
from model.training.failure import (
    TrainingError,
    first_bad_cell,
    first_bad_layer,
    first_bad_weight,
    worst_gradient,
)
from model.training.lesson import Lesson


class Guard:
    """Watches one network; with `skip` a step is left out, but never two in a row."""

    def __init__(self, fabric: Fabric, network: nn.Module, lesson: Lesson, *, skip: bool) -> None:
        self._fabric, self._network, self._lesson, self._skip = fabric, network, lesson, skip
        self._kept: dict[str, Tensor] = {}

    def before_step(self) -> None:
        """Remember what a forward pass changes: the running statistics."""
        if self._skip:
            self._kept = {name: value.clone() for name, value in self._network.named_buffers()}

    def leave_out(
        self, step: int, hu_bzyx: Tensor, rows: Tensor, logits_bl: Tensor, *, again: bool
    ) -> None:
        """Undo a step that gave no number; raises TrainingError with the cause where it may not.

        Called in all processes; `again` where the step before was left out too.
        """
        found = gathered(self._fabric, self._cause(hu_bzyx, rows, logits_bl))
        if again or not self._skip:
            cause = next((cause for cause in found if cause), "the loss")
            twice = " twice in a row" if again else ""
            raise TrainingError(
                f"step {step}: {cause} became NaN or infinite{twice}; lower "
                "learning_rate, or leave single steps out with on_nan: skip"
            )
        for name, buffer in self._network.named_buffers():
            buffer.copy_(self._kept[name])

    def _cause(self, hu_bzyx: Tensor, rows: Tensor, logits_bl: Tensor) -> str:
        """Where it first stands here: a weight, a volume's label and layer, a gradient."""
        weight = first_bad_weight(self._network)
        if weight is not None:
            return f"the weight {weight}"
        cell = first_bad_cell(logits_bl)
        if cell is not None:
            layer = first_bad_layer(self._network, hu_bzyx)
            inside = f" (first in layer {layer})" if layer else ""
            row, label = int(rows[cell[0]]), cell[1]
            return self._lesson.logit(self._lesson.train, row, label) + inside
        gradient = worst_gradient(self._network)
        return f"the gradient of {gradient}" if gradient else ""

    def check_validation(self, epoch: int, network: nn.Module, logits_nl: Tensor) -> None:
        """Raise TrainingError where a validated network's logits are not all numbers."""
        cell = first_bad_cell(logits_nl)
        if cell is None:
            return
        where = first_bad_weight(network) or self._lesson.logit(self._lesson.validation, *cell)
        raise TrainingError(
            f"validation of epoch {epoch}: {where} became NaN or infinite; lower learning_rate"
        )
