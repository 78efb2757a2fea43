"""CT-Net, the ancestor: a 2D ResNet over slice triples, 3D convolutions over its features.

Re-implemented from Draelos et al. 2021 (Medical Image Analysis 67, arXiv:2002.04752). With the
profile `published` and 83 labels it has the published 12,411,779 parameters.
"""

from torch import Tensor, nn

from model.kinds import Shape
from model.networks.sizes import Size
from model.networks.slices import SliceTrunk

# (channels, kernel, stride) of the reducing convolutions over (feature channel, row, column).
_REDUCING = (
    (64, (3, 3, 3), (3, 1, 1)),
    (32, (3, 3, 3), (3, 1, 1)),
    (16, (3, 2, 2), (3, 2, 2)),
)
_HIDDEN = (128, 96)


class CtNet(nn.Module):
    """Features of slice triples, which 3D convolutions take as channels; then linear layers.

    Args:
        grid_zyx: voxels of the profile's grid.
        size: the 2D ResNet's.
        n_labels: labels.
    """

    def __init__(self, grid_zyx: Shape, size: Size, n_labels: int) -> None:
        super().__init__()
        self.trunk = SliceTrunk(grid_zyx, size, centred=False)
        channels, *extent = self.trunk.cells_zyx
        extent = [size.widths[-1], *extent]
        reducing: list[nn.Module] = []
        for outputs, kernel, stride in _REDUCING:
            # On small grids the map ends before the kernels do.
            fitted = (
                min(kernel[0], extent[0]),
                min(kernel[1], extent[1]),
                min(kernel[2], extent[2]),
            )
            reducing += [nn.Conv3d(channels, outputs, fitted, stride), nn.ReLU(inplace=True)]
            extent = [
                (edge - k) // step + 1 for edge, k, step in zip(extent, fitted, stride, strict=True)
            ]
            channels = outputs
        self.reducing = nn.Sequential(*reducing)
        first, second = _HIDDEN
        self.classifier = nn.Sequential(
            nn.Linear(channels * extent[0] * extent[1] * extent[2], first),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(first, second),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(second, n_labels),
        )

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """int16 HU (b, z, y, x) to logits (b, labels); there is no evidence."""
        reduced = self.reducing(self.trunk(hu_bzyx))
        logits_bl: Tensor = self.classifier(reduced.flatten(1))
        return logits_bl
