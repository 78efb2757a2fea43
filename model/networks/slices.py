"""A volume as slices for a 2D network: triples of neighbours, as colour is to a photograph."""

import torch
from torch import Tensor, nn

from model.kinds import Shape
from model.networks.sizes import Size
from model.networks.stock import StockResNet

CLIP_HU = (-1000.0, 200.0)  # CT-Net's; calcium and metal above it are flattened
_MEAN_GREY = 0.449  # of ImageNet's pictures, which pretrained weights expect to be taken off


class SliceTriples(nn.Module):
    """int16 HU (b, z, y, x) to triples of neighbouring slices (b, t, 3, y, x).

    The t = z // 3 triples are spread evenly: where 3 divides z every slice stands in one of them.
    """

    centres: Tensor

    def __init__(self, slices: int) -> None:
        super().__init__()
        self.count = slices // 3
        middle = (torch.arange(self.count) + 0.5) * slices / self.count - 0.5
        self.register_buffer("centres", middle.round().long(), persistent=False)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """Clip to `CLIP_HU`, scale to [0, 1], take ImageNet's mean off."""
        low, high = CLIP_HU
        grey = (hu_bzyx.float().clamp_(low, high) - low) / (high - low) - _MEAN_GREY
        return torch.stack([grey[:, self.centres + step] for step in (-1, 0, 1)], dim=2)


class SliceTrunk(nn.Module):
    """Features of every slice triple by a 2D ResNet: (b, z, y, x) to (b, t, c, h, w)."""

    def __init__(self, grid_zyx: Shape, size: Size, *, centred: bool) -> None:
        super().__init__()
        self.triples = SliceTriples(grid_zyx[0])
        self.stock = StockResNet(2, size, centred=centred)
        stride = size.output_stride
        # Every halving rounds up, except where pairs are averaged first.
        round_up = 0 if centred else stride - 1
        rows, columns = ((edge + round_up) // stride for edge in grid_zyx[1:])
        self.cells_zyx = (self.triples.count, rows, columns)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """The last stage's features."""
        triples = self.triples(hu_bzyx)
        images = triples.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.stock(images)[-1]
        return features.view(len(hu_bzyx), self.triples.count, *features.shape[1:])
