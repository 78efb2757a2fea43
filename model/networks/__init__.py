"""Networks from int16 HU to one logit per label. Windows are made inside, on the device."""

from collections.abc import Callable

import torch
from torch import nn

from configs.contracts import InputError
from configs.profile import Profile
from model.networks.additive import AdditiveNetwork
from model.networks.axialnet import AxialNet
from model.networks.ctnet import CtNet
from model.networks.resnet3d import ResNet3d
from model.networks.sizes import Size, size_of

Builder = Callable[[tuple[int, int, int], Size, int], nn.Module]

NETWORKS: dict[str, Builder] = {
    "additive": AdditiveNetwork,
    "resnet3d": ResNet3d,
    "ctnet83": CtNet,
    "axialnet": AxialNet,
}
_BY_SLICE = ("ctnet83", "axialnet")


def build_network(
    name: str, profile: Profile, n_labels: int, size: Size | None = None
) -> nn.Module:
    """A network with fresh weights: `forward(hu_bzyx int16) -> logits_bl`.

    `evidence(hu_bzyx) -> (logits_bl, maps_blzyx, bias_l)` where it has one (`additive`,
    `axialnet`). The size is the profile's own unless one is given. Raises InputError for an
    unknown name, or a grid that the network cannot halve often enough.
    """
    if name not in NETWORKS:
        raise InputError(f"network {name!r}: choose one of {', '.join(NETWORKS)}")
    size = size or size_of(name, profile.name)
    stride = size.output_stride
    edges = profile.grid_zyx[1:] if name in _BY_SLICE else profile.grid_zyx
    if name != "ctnet83" and any(edge % stride for edge in edges):
        raise InputError(
            f"profile {profile.name}: grid_zyx {profile.grid_zyx} must be divisible by {stride} "
            "for this network size; change the grid or `size:`"
        )
    return NETWORKS[name](profile.grid_zyx, size, n_labels)


def channels_last(network: nn.Module) -> nn.Module:
    """The same network with every kernel in channels-last memory, which convolves faster.

    `network.to(memory_format=...)` knows one number of dimensions at a time.
    """
    # torch's stubs know no `memory_format` alone.
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        elif isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
