"""What lies where: a linear reading of what each region is made of, region by region.

Every voxel counts alike within its kind, so what a region says splits exactly over its cells. The
weights can be found in closed form (`model.ridge`).
"""

import torch
from torch import Tensor, nn

from model.kinds import N_KINDS, Shape, VoxelKinds

_SMALLEST_SHARE = 1e-9


class RegionalReading(nn.Module):
    """Additive evidence from what each region is made of, against the average chest.

    With s the share of a region's voxels of one kind, the reading is linear in sqrt(s) (Hellinger:
    a little of something rare counts).

    Args:
        grid_zyx: voxels of the profile's grid.
        cells_zyx: cells of the evidence map; must divide the grid.
        regions: boxes along each axis; cells are dealt to them as evenly as they go.
        n_labels: labels.
    """

    region_of_cell: Tensor
    cells_per_region: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, grid_zyx: Shape, cells_zyx: Shape, regions: int, n_labels: int) -> None:
        super().__init__()
        self.cells_zyx = cells_zyx
        self.n_regions = regions**3
        self.kinds = VoxelKinds(grid_zyx, cells_zyx)
        along = [torch.arange(n) * regions // n for n in cells_zyx]
        region = (along[0][:, None, None] * regions + along[1][:, None]) * regions + along[2]
        self.register_buffer("region_of_cell", region.flatten(), persistent=False)
        # Counted once: on a GPU a count at every call would wait for the device. Where there are
        # fewer cells than regions, some regions are empty and say nothing.
        cells = torch.zeros(self.n_regions)
        cells.index_add_(0, region.flatten(), torch.ones(region.numel())).clamp_(min=1)
        self.register_buffer("cells_per_region", cells, persistent=False)
        self.register_buffer("mean", torch.zeros(self.n_regions, N_KINDS))
        self.register_buffer("scale", torch.ones(self.n_regions, N_KINDS))
        self.weight = nn.Parameter(torch.zeros(n_labels, self.n_regions, N_KINDS))

    def features(self, hu_bzyx: Tensor) -> Tensor:
        """Square roots of every region's shares: (b, regions, kinds)."""
        return self._region_shares(self.kinds(hu_bzyx)).sqrt()

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """Logit share of the regions: (b, labels)."""
        standard = (self.features(hu_bzyx) - self.mean) / self.scale
        return torch.einsum("brk,lrk->bl", standard, self.weight)

    def maps(self, hu_bzyx: Tensor) -> Tensor:
        """The same, cell by cell: (b, labels, cz, cy, cx); sums to `forward`.

        A region's sqrt(s) is Σ over its cells of s_cell / (n sqrt(s)): every voxel of a kind
        weighs alike. The average chest's share is taken off evenly.
        """
        cells = self.kinds(hu_bzyx)
        root = self._region_shares(cells).clamp_min(_SMALLEST_SHARE).sqrt()
        here = self.region_of_cell
        standard = (cells / root[:, here] - self.mean[here]) / self.scale[here]
        standard = standard / self.cells_per_region[here, None]
        maps = torch.einsum("bck,lck->blc", standard, self.weight[:, here])
        return maps.reshape(*maps.shape[:2], *self.cells_zyx)

    def _region_shares(self, cell_shares: Tensor) -> Tensor:
        total = cell_shares.new_zeros(len(cell_shares), self.n_regions, cell_shares.shape[2])
        total.index_add_(1, self.region_of_cell, cell_shares)
        return total / self.cells_per_region[:, None]
