"""What lies where: a linear reading of soft HU histograms, region by region.

A histogram of a region is the mean of its cells' histograms, so a linear weight on it splits
exactly over the cells. The weights can be found in closed form (`model.ridge`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.windows import soft_bin_table, table_rows

Shape = tuple[int, int, int]


class RegionalHistogram(nn.Module):
    """Additive evidence from how much of each density a region holds, against the average chest.

    Args:
        grid_zyx: voxels of the profile's grid.
        cells_zyx: cells of the evidence map; must divide the grid.
        regions: boxes along each axis; cells are dealt to them as evenly as they go.
        n_labels: labels.
    """

    bins: Tensor
    region_of_cell: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, grid_zyx: Shape, cells_zyx: Shape, regions: int, n_labels: int) -> None:
        super().__init__()
        self.grid_zyx, self.cells_zyx = grid_zyx, cells_zyx
        self.n_regions = regions**3
        along = [torch.arange(n) * regions // n for n in cells_zyx]
        region = (along[0][:, None, None] * regions + along[1][:, None]) * regions + along[2]
        self.register_buffer("region_of_cell", region.flatten(), persistent=False)
        self.register_buffer("bins", soft_bin_table(), persistent=False)
        n_bins = self.bins.shape[1]
        self.register_buffer("mean", torch.zeros(self.n_regions, n_bins))
        self.register_buffer("scale", torch.ones(self.n_regions, n_bins))
        self.weight = nn.Parameter(torch.zeros(n_labels, self.n_regions, n_bins))

    def cell_histograms(self, hu_bzyx: Tensor) -> Tensor:
        """Share of each cell's voxels in each bin: (b, cells, bins)."""
        (z, y, x), (cz, cy, cx) = self.grid_zyx, self.cells_zyx
        split = hu_bzyx.view(-1, cz, z // cz, cy, y // cy, cx, x // cx)
        voxels = split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, z * y * x // (cz * cy * cx))
        shares = functional.embedding_bag(table_rows(voxels), self.bins, mode="mean")
        return shares.view(-1, cz * cy * cx, self.bins.shape[1])

    def region_histograms(self, hu_bzyx: Tensor) -> Tensor:
        """Share of each region's voxels in each bin: (b, regions, bins)."""
        cells = self.cell_histograms(hu_bzyx)
        total = cells.new_zeros(len(cells), self.n_regions, cells.shape[2])
        total.index_add_(1, self.region_of_cell, cells)
        return total / self._cells_per_region[:, None]

    @property
    def _cells_per_region(self) -> Tensor:
        return torch.bincount(self.region_of_cell, minlength=self.n_regions).float()

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """Logit share of the regional histograms: (b, labels)."""
        standard = (self.region_histograms(hu_bzyx) - self.mean) / self.scale
        return torch.einsum("brk,lrk->bl", standard, self.weight)

    def maps(self, hu_bzyx: Tensor) -> Tensor:
        """The same, cell by cell: (b, labels, cz, cy, cx); sums to `forward`."""
        per_region = self._cells_per_region[:, None]
        standard = (self.cell_histograms(hu_bzyx) - self.mean[self.region_of_cell]) / (
            self.scale * per_region
        )[self.region_of_cell]
        maps = torch.einsum("bck,lck->blc", standard, self.weight[:, self.region_of_cell])
        return maps.reshape(*maps.shape[:2], *self.cells_zyx)
