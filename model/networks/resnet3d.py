"""The plain baseline: a residual trunk over voxels, global average pooling, one linear layer."""

from torch import Tensor, nn

from model.kinds import Shape
from model.networks.norm import norm_layer
from model.networks.residual import trunk_of
from model.networks.sizes import Size


class ResNet3d(nn.Module):
    """A 3D residual network with average pooling (He 2016, in three dimensions); no evidence."""

    def __init__(self, grid_zyx: Shape, size: Size, n_labels: int) -> None:
        super().__init__()
        self.trunk = trunk_of(grid_zyx, size)
        self.norm = norm_layer(size.norm, size.widths[-1], 1)
        self.classifier = nn.Linear(size.widths[-1], n_labels)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """int16 HU (b, z, y, x) to logits (b, labels)."""
        features_bc = self.trunk(hu_bzyx)[-1].mean(dim=(2, 3, 4))
        logits_bl: Tensor = self.classifier(self.norm(features_bc.float()))
        return logits_bl
