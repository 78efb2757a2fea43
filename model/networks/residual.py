"""The residual trunk that the networks share.

Halving uses even kernels only (4 in the stem, 2 between stages), so a cell of the output is
centred on the voxels it stands for; odd strided kernels would shift a map by half its cells.
"""

from torch import Tensor, nn

from model.networks.sizes import Size
from model.windows import InputChannels


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, then batch norm; keeps the grid, or halves it with stride 2."""
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm3d(outputs)
    )


class ResidualBlock(nn.Module):
    """x + F(x) with F two 3x3x3 convolutions, or 1-3-1 with a fourth of the width (He 2016)."""

    def __init__(self, width: int, *, bottleneck: bool) -> None:
        super().__init__()
        inner = width // 4 if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        layers: list[nn.Module] = []
        channels = width
        for position, kernel in enumerate(kernels, start=1):
            last = position == len(kernels)
            layers.append(conv_norm(channels, width if last else inner, kernel))
            layers.extend([] if last else [nn.ReLU(inplace=True)])
            channels = inner
        self.residual = nn.Sequential(*layers)
        nn.init.zeros_(layers[-1][1].weight)  # type: ignore[index]  # starts as the identity
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        out: Tensor = self.activation(x + self.residual(x))
        return out


class Trunk(nn.Module):
    """int16 HU to the feature maps of every stage."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.channels = InputChannels(size.input_channels)
        self.stem = nn.Sequential(
            conv_norm(size.input_channels, size.stem, kernel=4, stride=2), nn.ReLU(inplace=True)
        )
        stages = []
        width = size.stem
        for outputs, count, stride in zip(size.widths, size.blocks, size.strides, strict=True):
            blocks: list[nn.Module] = []
            if stride != 1 or outputs != width:
                blocks += [conv_norm(width, outputs, stride, stride), nn.ReLU(inplace=True)]
            blocks += [ResidualBlock(outputs, bottleneck=size.bottleneck) for _ in range(count)]
            stages.append(nn.Sequential(*blocks))
            width = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, hu_bzyx: Tensor) -> list[Tensor]:
        """(b, z, y, x) int16 HU to one (b, c, z', y', x') per stage, finest first."""
        x = self.stem(self.channels(hu_bzyx))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
