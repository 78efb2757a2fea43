"""AxialNet: every slice is an instance, and a scan is positive where one of its slices is.

After Draelos & Carin 2021 (arXiv:2111.12215), who average over slices; here attention chooses
them, a softmax a label as in Ilse et al. 2018 (arXiv:1802.04712).
"""

import torch
from torch import Tensor, nn

from model.kinds import Shape
from model.networks.norm import norm_layer
from model.networks.sizes import Size
from model.networks.slices import SliceTrunk


class AxialNet(nn.Module):
    """Slice-wise multiple instance learning; logit_l = bias_l + Σ_t a_l(t) · mean_yx e_l(t, y, x).

    Args:
        grid_zyx: voxels of the profile's grid.
        size: the 2D ResNet's.
        n_labels: labels.
    """

    def __init__(self, grid_zyx: Shape, size: Size, n_labels: int) -> None:
        super().__init__()
        channels = size.widths[-1]
        self.trunk = SliceTrunk(grid_zyx, size, centred=True)
        self.cells_zyx = self.trunk.cells_zyx
        self.norm = norm_layer(size.norm, channels, 1, affine=False)
        self.scores = nn.Parameter(torch.randn(n_labels, channels) * channels**-0.5)
        self.attention = nn.Parameter(torch.zeros(n_labels, channels))
        self.bias = nn.Parameter(torch.zeros(n_labels))

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """int16 HU (b, z, y, x) to logits (b, labels)."""
        return self.evidence(hu_bzyx)[0]

    def evidence(self, hu_bzyx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (b, l), their maps (b, l, t, y, x) in cells, a slice triple each, and bias (l).

        |logit - bias - sum(map)| < 1e-4 in float32.
        """
        features = self.trunk(hu_bzyx).flatten(3)
        with torch.autocast(hu_bzyx.device.type, enabled=False):
            f_bcv = features.float().permute(0, 2, 1, 3).flatten(2)
            normed = self.norm(f_bcv).unflatten(2, (self.cells_zyx[0], -1))
            scores = torch.einsum("bctv,lc->bltv", normed, self.scores) / normed.shape[3]
            focus = torch.einsum("bct,lc->blt", normed.mean(dim=3), self.attention).softmax(dim=2)
            maps = (scores * focus[..., None]).reshape(*scores.shape[:2], *self.cells_zyx)
            return self.bias + maps.sum(dim=(2, 3, 4)), maps, self.bias
