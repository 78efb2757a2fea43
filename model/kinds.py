"""Kinds of voxel: by density (soft HU bins), and by local contrast and what surrounds it.

How much of each kind a block of voxels holds says what the block is made of: air, emphysema,
vessel in lung, fluid, calcium in soft tissue. Made on the device from int16 HU; nothing is learnt.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.windows import KNOTS_HU, soft_bin_table, table_rows

Shape = tuple[int, int, int]

# How far a voxel stands out from its 3x3x3 neighbourhood, and the mean HU of that neighbourhood.
CONTRAST_EDGES_HU = (-400.0, -200.0, -100.0, -50.0, -25.0, 25.0, 50.0, 100.0, 200.0, 400.0)
SURROUND_EDGES_HU = (-950.0, -900.0, -800.0, -600.0, -300.0, -50.0, 100.0)
_LOWEST_HU, _HIGHEST_HU = -1024, 1000
_WIDEST_HU = _HIGHEST_HU - _LOWEST_HU
_N_SURROUNDS = len(SURROUND_EDGES_HU) + 1
_N_TEXTURES = (len(CONTRAST_EDGES_HU) + 1) * _N_SURROUNDS

N_KINDS = len(KNOTS_HU) + _N_TEXTURES


class VoxelKinds(nn.Module):
    """Shares of every kind in the cells of a grid; the densities' and the textures' each sum to 1.

    Args:
        grid_zyx: voxels of the profile's grid.
        cells_zyx: cells; must divide the grid.
    """

    bins: Tensor
    contrast_class: Tensor
    surround_class: Tensor

    def __init__(self, grid_zyx: Shape, cells_zyx: Shape) -> None:
        super().__init__()
        self.grid_zyx, self.cells_zyx = grid_zyx, cells_zyx
        for name, constant in {
            "bins": soft_bin_table(),
            "contrast_class": _classes(CONTRAST_EDGES_HU, -_WIDEST_HU, _WIDEST_HU) * _N_SURROUNDS,
            "surround_class": _classes(SURROUND_EDGES_HU, _LOWEST_HU, _HIGHEST_HU),
        }.items():
            self.register_buffer(name, constant, persistent=False)

    @torch.no_grad()
    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """int16 HU (b, z, y, x) to float32 shares (b, cells, kinds)."""
        densities = functional.embedding_bag(
            table_rows(self._by_cell(hu_bzyx)), self.bins, mode="mean"
        )
        textures = self._by_cell(self._textures(hu_bzyx))
        counts = torch.zeros(len(textures), _N_TEXTURES, device=hu_bzyx.device)
        ones = torch.ones((), device=hu_bzyx.device).expand(textures.shape)
        counts.scatter_add_(1, textures, ones)
        shares = torch.cat([densities, counts / textures.shape[1]], dim=1)
        return shares.view(len(hu_bzyx), -1, N_KINDS)

    def _textures(self, hu_bzyx: Tensor) -> Tensor:
        """Class of local contrast of every voxel, int64 (b, z, y, x)."""
        hu = hu_bzyx.to(torch.int32).clamp_(_LOWEST_HU, _HIGHEST_HU)
        padded = functional.pad(hu[:, None].float(), (1,) * 6, mode="replicate")
        surround = functional.avg_pool3d(padded, 3, stride=1)[:, 0].round_().to(torch.int32)
        # Looked up, which is some ten times faster than searching edges voxel by voxel.
        contrast = self.contrast_class.take(hu.sub_(surround).add_(_WIDEST_HU).long())
        return contrast + self.surround_class.take(surround.sub_(_LOWEST_HU).long())

    def _by_cell(self, voxels_bzyx: Tensor) -> Tensor:
        """(b, z, y, x) to (b * cells, voxels of a cell)."""
        (z, y, x), (cz, cy, cx) = self.grid_zyx, self.cells_zyx
        split = voxels_bzyx.view(-1, cz, z // cz, cy, y // cy, cx, x // cx)
        return split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, z * y * x // (cz * cy * cx))


def _classes(edges_hu: tuple[float, ...], low: int, high: int) -> Tensor:
    """The class of every whole HU from `low` to `high`: how many edges lie below it."""
    return torch.bucketize(torch.arange(low, high + 1).float(), torch.tensor(edges_hu))
