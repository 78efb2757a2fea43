"""The state of a run as one safetensors file: tensors, and JSON in its header. Never a pickle."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from configs import files
from configs.contracts import InputError
from model.training.failure import TrainingError

Tensors = dict[str, Tensor]


def write(path: Path, tensors: Mapping[str, Tensor], info: Mapping[str, Any]) -> None:
    """Write tensors and what JSON can hold, whole or not at all.

    The temporary file lies beside `path`, whatever TMPDIR says, and is fsynced before it takes the
    name. Raises TrainingError, and leaves the earlier file alone, where a tensor is not finite.
    """
    require_finite(tensors)
    flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"info": json.dumps(info, allow_nan=False), "sha256": _digest(flat)}
    with files.atomic_path(path) as temporary:
        save_file(flat, temporary, metadata=header)


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise TrainingError naming the first tensor that holds a NaN or an infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise TrainingError(
                f"{name} became NaN or infinite, so no checkpoint was written; "
                "lower learning_rate, and go on from the last one with --resume"
            )


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """What `write` wrote; raises InputError for any other file, or one that was damaged."""
    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
        tensors: Tensors = load_file(path)
        info: dict[str, Any] = json.loads(header["info"])
    except (SafetensorError, KeyError, json.JSONDecodeError):
        raise InputError(f"{path}: not a checkpoint; remove its folder and train again") from None
    if header.get("sha256") != _digest(tensors):
        raise InputError(f"{path}: damaged since it was written; remove its folder, train again")
    return tensors, info


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The same with a prefix before each name."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """What `under` put together, taken out again."""
    start = f"{prefix}."
    return {n.removeprefix(start): tensor for n, tensor in tensors.items() if n.startswith(start)}


def optimizer_tensors(optimizer: Optimizer) -> Tensors:
    """An optimizer's moments and counts, by the number of the parameter they belong to."""
    return {
        f"{number}.{name}": value
        for number, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put them back, in the memory layout that the optimizer itself gives them."""
    parameters = list(_parameters(optimizer))
    for name, saved in tensors.items():
        number, _, kind = name.partition(".")
        parameter = parameters[int(number)]
        if saved.shape == parameter.shape and saved.ndim:
            value = torch.empty_like(parameter).copy_(saved)
        else:  # the count of steps, which stays on the CPU
            value = saved.clone()
        optimizer.state[parameter][kind] = value


def _parameters(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]
