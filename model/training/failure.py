"""Why training cannot go on: a value that is not a number, traced to where it first stands."""

from typing import Any

import torch
from torch import Tensor, nn

from configs.contracts import InputError


class TrainingError(InputError):
    """Training cannot go on: a value that is not a number, with where it first stood."""


class Paused(Exception):  # noqa: N818 (no error: the run was asked to stop, and its state is written)
    """The run was asked to stop before its end; its state is written and `resume` goes on."""


def first_bad_weight(network: nn.Module) -> str | None:
    """The first parameter or buffer, by name, that holds a NaN or an infinity."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            return name
    return None


def worst_gradient(network: nn.Module) -> str | None:
    """The parameter, by name, where a gradient that is no number arose; None without gradients.

    A NaN flows from the loss to the input, so it is the last parameter that has one. Where all are
    finite and only their length is not, it is the one that is longest.
    """
    gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    for name in reversed(gradients):
        if not torch.isfinite(gradients[name]).all():
            return name
    return max(gradients, key=lambda name: float(gradients[name].abs().max()), default=None)


@torch.no_grad()
def first_bad_layer(network: nn.Module, hu_bzyx: Tensor) -> str | None:
    """The first layer, by name, whose output for a batch is not finite."""
    found: list[str] = []

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not torch.isfinite(output).all():
                found.append(name)

        return hook

    leaves = [(n, m) for n, m in network.named_modules() if not any(True for _ in m.children())]
    hooks = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        network(hu_bzyx)
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def first_bad_cell(values_bl: Tensor) -> tuple[int, int] | None:
    """Row and label of the first value that is not finite."""
    bad = (~torch.isfinite(values_bl)).nonzero()
    return (int(bad[0, 0]), int(bad[0, 1])) if len(bad) else None
