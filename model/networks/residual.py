"""The residual trunk that the networks share.

Halving uses even kernels only (4 in the stem, 2 between stages), so a cell of the output is
centred on the voxels it stands for; odd strided kernels would shift a map by half its cells.
"""

from torch import Tensor, nn

from model.kinds import N_KINDS, Shape, VoxelKinds
from model.networks.norm import Norm, norm_layer
from model.networks.sizes import Size
from model.networks.stock import StockResNet
from model.windows import InputChannels


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, norm: Norm = "batch"
) -> nn.Sequential:
    """Convolution without bias, then a norm; keeps the grid, or halves it with stride 2."""
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False),
        norm_layer(norm, outputs, 3),
    )


class ResidualBlock(nn.Module):
    """x + F(x) with F two 3x3x3 convolutions, or 1-3-1 with a fourth of the width (He 2016)."""

    def __init__(self, width: int, *, bottleneck: bool, norm: Norm = "batch") -> None:
        super().__init__()
        inner = width // 4 if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        layers: list[nn.Module] = []
        channels = width
        for position, kernel in enumerate(kernels, start=1):
            last = position == len(kernels)
            layers.append(conv_norm(channels, width if last else inner, kernel, norm=norm))
            layers.extend([] if last else [nn.ReLU(inplace=True)])
            channels = inner
        self.residual = nn.Sequential(*layers)
        nn.init.zeros_(layers[-1][1].weight)  # type: ignore[index]  # starts as the identity
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        out: Tensor = self.activation(x + self.residual(x))
        return out


class ConvolutionStem(nn.Module):
    """Windows and soft bins of every voxel, then a 4x4x4 convolution with stride 2."""

    stride = 2

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.channels = InputChannels(size.input_channels)
        self.convolution = conv_norm(size.input_channels, size.stem_width, 4, 2, size.norm)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """(b, z, y, x) int16 HU to (b, c, z/2, y/2, x/2)."""
        x: Tensor = self.convolution(self.channels(hu_bzyx))
        return x.relu_()


class HistogramStem(nn.Module):
    """What every 4x4x4 block is made of, mixed to channels: nothing to learn at full resolution.

    A few hundred scans teach this at once, where a convolution over voxels does not get started.
    """

    stride = 4

    def __init__(self, grid_zyx: Shape, size: Size) -> None:
        super().__init__()
        z, y, x = (edge // self.stride for edge in grid_zyx)
        self.kinds = VoxelKinds(grid_zyx, (z, y, x))
        self.norm = norm_layer(size.norm, N_KINDS, 3, affine=False)
        self.dropout = nn.Dropout3d(size.dropout)
        self.mix = conv_norm(N_KINDS, size.stem_width, 1, norm=size.norm)

    def forward(self, hu_bzyx: Tensor, blocks_bck: Tensor | None = None) -> Tensor:
        """(b, z, y, x) int16 HU to (b, c, z/4, y/4, x/4); `blocks_bck` if counted before."""
        roots_bck = (self.kinds(hu_bzyx) if blocks_bck is None else blocks_bck).sqrt()
        # A transposed view is channels-last memory already.
        roots = roots_bck.transpose(1, 2).reshape(-1, N_KINDS, *self.kinds.cells_zyx)
        x: Tensor = self.mix(self.dropout(self.norm(roots)))
        return x.relu_()


class Trunk(nn.Module):
    """int16 HU to the feature maps of every stage."""

    def __init__(self, grid_zyx: Shape, size: Size) -> None:
        super().__init__()
        self.stem = (
            HistogramStem(grid_zyx, size) if size.stem == "histogram" else ConvolutionStem(size)
        )
        stages = []
        width = size.stem_width
        for outputs, count, stride in zip(size.widths, size.blocks, size.strides, strict=True):
            blocks: list[nn.Module] = []
            if stride != 1 or outputs != width:
                narrowing = conv_norm(width, outputs, stride, stride, size.norm)
                blocks += [narrowing, nn.ReLU(inplace=True)]
            blocks += [
                ResidualBlock(outputs, bottleneck=size.bottleneck, norm=size.norm)
                for _ in range(count)
            ]
            stages.append(nn.Sequential(*blocks))
            width = outputs
        self.stages = nn.ModuleList(stages)

    @property
    def kinds(self) -> VoxelKinds | None:
        """What counts the voxels of the stem's blocks, in a histogram stem."""
        return self.stem.kinds if isinstance(self.stem, HistogramStem) else None

    def forward(self, hu_bzyx: Tensor, blocks_bck: Tensor | None = None) -> list[Tensor]:
        """(b, z, y, x) int16 HU to one (b, c, z', y', x') per stage, finest first.

        `blocks_bck` is what `kinds` counts, where somebody has counted already.
        """
        x = self.stem(hu_bzyx) if blocks_bck is None else self.stem(hu_bzyx, blocks_bck)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class StockTrunk(nn.Module):
    """The stock 3D ResNet over three windows, for weights that others have trained."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.channels = InputChannels(size.input_channels)
        self.stock = StockResNet(3, size, centred=True)

    def forward(self, hu_bzyx: Tensor) -> list[Tensor]:
        """(b, z, y, x) int16 HU to one (b, c, z', y', x') per stage, finest first."""
        stages: list[Tensor] = self.stock(self.channels(hu_bzyx))
        return stages


def trunk_of(grid_zyx: Shape, size: Size) -> nn.Module:
    """The trunk that a size asks for: int16 HU to the feature maps of every stage."""
    return StockTrunk(size) if size.stem == "stock" else Trunk(grid_zyx, size)
