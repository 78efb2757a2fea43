"""The stock ResNet of basic blocks, in two or three dimensions, under the names of published files.

He et al. 2016 (arXiv:1512.03385); in three dimensions Tran et al. 2018, R3D (arXiv:1711.11248).
"""

from collections.abc import Callable

from torch import Tensor, nn

from model.networks.norm import Norm, norm_layer
from model.networks.sizes import Size

_CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
_MEANS: dict[int, Callable[..., nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class BasicBlock(nn.Module):
    """x + F(x) with F two convolutions of 3; the first may halve the grid."""

    def __init__(
        self,
        dimensions: int,
        inputs: int,
        outputs: int,
        stride: int,
        *,
        norm: Norm,
        centred: bool,
    ) -> None:
        super().__init__()
        conv = _CONVOLUTIONS[dimensions]
        self.centre = _centring(dimensions) if centred and stride == 2 else nn.Identity()
        self.conv1 = conv(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = norm_layer(norm, outputs, dimensions)
        self.conv2 = conv(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = norm_layer(norm, outputs, dimensions)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                conv(inputs, outputs, 1, stride, bias=False),
                norm_layer(norm, outputs, dimensions),
            )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, …) to (b, outputs, …), every edge divided by the stride."""
        x = self.centre(x)
        inner = self.activation(self.bn1(self.conv1(x)))
        out: Tensor = self.activation(self.bn2(self.conv2(inner)) + self.downsample(x))
        return out


class StockResNet(nn.Module):
    """Channels to the feature maps of every stage, finest first.

    Args:
        dimensions: 2 (stem 7x7) or 3 (stem 3x7x7); the stem halves every axis.
        size: `stem_width`, `widths`, `blocks`, `strides`; strides[0] = 2 is the stock max pool.
        centred: average pairs of voxels before every halving, so that a cell lies in the middle of
            what it stands for; for networks whose maps are read.
    """

    def __init__(self, dimensions: int, size: Size, *, centred: bool) -> None:
        super().__init__()
        conv = _CONVOLUTIONS[dimensions]
        kernel, padding = ((7, 7), (3, 3)) if dimensions == 2 else ((3, 7, 7), (1, 3, 3))
        self.dimensions, self.n_stages = dimensions, len(size.widths)
        self.centre = _centring(dimensions) if centred else nn.Identity()
        self.conv1 = conv(size.input_channels, size.stem_width, kernel, 2, padding, bias=False)
        self.bn1 = norm_layer(size.norm, size.stem_width, dimensions)
        self.activation = nn.ReLU(inplace=True)
        self.pool: nn.Module = nn.Identity()
        if size.strides[0] == 2:
            # A kernel of 2 is centred as it is.
            self.pool = nn.MaxPool2d(2) if centred else nn.MaxPool2d(3, 2, 1)
        width = size.stem_width
        strides = (1, *size.strides[1:])
        for stage, (outputs, count, stride) in enumerate(
            zip(size.widths, size.blocks, strides, strict=True), start=1
        ):
            blocks = []
            for step in (stride, *[1] * (count - 1)):
                blocks.append(
                    BasicBlock(dimensions, width, outputs, step, norm=size.norm, centred=centred)
                )
                width = outputs
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> list[Tensor]:
        """(b, channels, [z,] y, x) to one (b, c, …) per stage."""
        x = self.pool(self.activation(self.bn1(self.conv1(self.centre(x)))))
        features = []
        for stage in range(1, self.n_stages + 1):
            x = self.get_submodule(f"layer{stage}")(x)
            features.append(x)
        return features


def _centring(dimensions: int) -> nn.Module:
    """Means of neighbouring pairs: what follows with an odd kernel and stride 2 is centred."""
    return _MEANS[dimensions](2, stride=1)
