"""Normalisation layers by name: batch norm, or group norm where batches are small or on CPUs."""

from typing import Literal

from torch import nn

Norm = Literal["batch", "group"]

_MOST_GROUPS = 8
_BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def norm_layer(kind: Norm, channels: int, axes: int, *, affine: bool = True) -> nn.Module:
    """A layer over (b, channels, …) with `axes` axes (1 to 3) behind the channels (or none, for 1).

    Group norm (Wu and He 2018) takes the most groups, up to 8, that divide the channels.
    """
    if kind == "batch":
        return _BATCH_NORMS[axes](channels, affine=affine)
    groups = max(n for n in range(1, _MOST_GROUPS + 1) if channels % n == 0)
    return nn.GroupNorm(groups, channels, affine=affine)
