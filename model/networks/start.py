"""Where a network's weights start: a state dict on disk, trained by others on pictures or films.

Only tensors are read: safetensors, or what `torch.load(weights_only=True)` lets through.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from configs.contracts import InputError
from model.networks.stock import StockResNet

# torchvision's VideoResNet names a convolution with its norm as a pair; its ResNet does not.
_VIDEO_NAMES = (
    (re.compile(r"^stem\.0\."), "conv1."),
    (re.compile(r"^stem\.1\."), "bn1."),
    (re.compile(r"\.conv(\d)\.0\."), r".conv\1."),
    (re.compile(r"\.conv(\d)\.1\."), r".bn\1."),
)
_WRAPPINGS = ("module.", "model.", "backbone.", "encoder.")
_UNUSED = re.compile(r"^fc\.|num_batches_tracked$")


def load_start(network: nn.Module, path: Path) -> None:
    """Load a ResNet-18's state dict into the network's stock trunk; the heads stay fresh.

    The names are torchvision's, of `resnet18` (for pictures; inflated where the trunk is 3D: every
    kernel repeated along z and divided by its length, Carreira and Zisserman 2017) or of `r3d_18`
    (films). A bundle's own weights.safetensors does too, where the trunks are alike.

    Raises InputError when the network has no such trunk, or when file and trunk do not match.
    """
    weights = read_state(path)
    if any(name.startswith("trunk.") for name in weights):
        trunk = network.get_submodule("trunk")
        own = {n.removeprefix("trunk."): w for n, w in weights.items() if n.startswith("trunk.")}
        _load(trunk, own, path)
        return
    stock = next((m for m in network.modules() if isinstance(m, StockResNet)), None)
    if stock is None:
        raise InputError(
            f"start_weights: {path}: this network's trunk is not a stock ResNet; set `size: video` "
            "or `network: ctnet83` or `axialnet`, to start from published weights"
        )
    _load(stock, {_stock_name(name): tensor for name, tensor in weights.items()}, path)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pt or .pth file, by name.

    A dict under `state_dict` is unwrapped. Raises InputError for anything but named tensors.
    """
    content: object
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"start_weights: {path}: no such file") from None
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError):
        raise InputError(
            f"start_weights: {path}: not a file of tensors alone; save a state dict as safetensors "
            "or with torch.save"
        ) from None
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise InputError(f"start_weights: {path}: holds no state dict (tensors by name)")
    return dict(content)


def _stock_name(name: str) -> str:
    for wrapping in _WRAPPINGS:
        name = name.removeprefix(wrapping)
    for pattern, replacement in _VIDEO_NAMES:
        name = pattern.sub(replacement, name)
    return name


def _load(module: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    wanted = {n: t for n, t in module.state_dict().items() if not _UNUSED.search(n)}
    given = {n: t for n, t in weights.items() if not _UNUSED.search(n)}
    for what, names in (
        ("lacks", sorted(wanted.keys() - given.keys())),
        ("has besides", sorted(given.keys() - wanted.keys())),
    ):
        if names:
            raise InputError(
                f"start_weights: {path}: not this trunk's weights; it {what} {names[0]!r} and "
                f"{len(names) - 1} more of {len(wanted)}"
            )
    fitted = {name: _inflate(given[name], target.ndim) for name, target in wanted.items()}
    for name, target in wanted.items():
        if fitted[name].shape != target.shape:
            raise InputError(
                f"start_weights: {path}: {name!r} is shaped {tuple(given[name].shape)}, the trunk "
                f"wants {tuple(target.shape)}; choose the `size:` that the file was trained with"
            )
        if not torch.isfinite(fitted[name]).all():
            raise InputError(f"start_weights: {path}: {name!r} holds values that are not numbers")
    module.load_state_dict(fitted, strict=False)


def _inflate(kernel: Tensor, ndim: int) -> Tensor:
    """A 2D kernel (o, i, y, x) as 3D: as long as it is wide, but the stem's is 3 as in `r3d_18`."""
    if not (kernel.ndim == 4 and ndim == 5):
        return kernel
    depth = min(3, kernel.shape[-1])
    return kernel[:, :, None].expand(-1, -1, depth, -1, -1) / depth
