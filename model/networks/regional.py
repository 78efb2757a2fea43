"""What lies where: a linear reading of density and texture histograms, region by region.

Every voxel counts alike within its kind, so what a region says splits exactly over its cells. The
weights can be found in closed form (`model.ridge`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.windows import soft_bin_table, table_rows

Shape = tuple[int, int, int]

# Kinds of texture: how far a voxel stands out from its 3x3x3 neighbourhood, and in what it lies.
CONTRAST_EDGES_HU = (-400.0, -200.0, -100.0, -50.0, -25.0, 25.0, 50.0, 100.0, 200.0, 400.0)
SURROUND_EDGES_HU = (-950.0, -900.0, -800.0, -600.0, -300.0, -50.0, 100.0)
_HU_RANGE = (-1024.0, 1000.0)
_SMALLEST_SHARE = 1e-9


class RegionalHistogram(nn.Module):
    """Additive evidence from what each region is made of, against the average chest.

    With s the share of a region's voxels of one kind, the reading is linear in sqrt(s) (Hellinger:
    a little of something rare counts). Kinds are soft HU bins and classes of local contrast.

    Args:
        grid_zyx: voxels of the profile's grid.
        cells_zyx: cells of the evidence map; must divide the grid.
        regions: boxes along each axis; cells are dealt to them as evenly as they go.
        n_labels: labels.
    """

    bins: Tensor
    contrast_edges: Tensor
    surround_edges: Tensor
    region_of_cell: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, grid_zyx: Shape, cells_zyx: Shape, regions: int, n_labels: int) -> None:
        super().__init__()
        self.grid_zyx, self.cells_zyx = grid_zyx, cells_zyx
        self.n_regions = regions**3
        along = [torch.arange(n) * regions // n for n in cells_zyx]
        region = (along[0][:, None, None] * regions + along[1][:, None]) * regions + along[2]
        for name, constant in {
            "region_of_cell": region.flatten(),
            "bins": soft_bin_table(),
            "contrast_edges": torch.tensor(CONTRAST_EDGES_HU),
            "surround_edges": torch.tensor(SURROUND_EDGES_HU),
        }.items():
            self.register_buffer(name, constant, persistent=False)
        self.n_textures = (len(CONTRAST_EDGES_HU) + 1) * (len(SURROUND_EDGES_HU) + 1)
        n_kinds = self.bins.shape[1] + self.n_textures
        self.register_buffer("mean", torch.zeros(self.n_regions, n_kinds))
        self.register_buffer("scale", torch.ones(self.n_regions, n_kinds))
        self.weight = nn.Parameter(torch.zeros(n_labels, self.n_regions, n_kinds))

    def cell_shares(self, hu_bzyx: Tensor) -> Tensor:
        """Share of each cell's voxels of each kind: (b, cells, kinds)."""
        densities = functional.embedding_bag(
            table_rows(self._by_cell(hu_bzyx)), self.bins, mode="mean"
        )
        textures = self._by_cell(self._textures(hu_bzyx))
        counts = torch.zeros(len(textures), self.n_textures, device=hu_bzyx.device)
        ones = torch.ones((), device=hu_bzyx.device).expand(textures.shape)
        counts.scatter_add_(1, textures, ones)
        shares = torch.cat([densities, counts / textures.shape[1]], dim=1)
        return shares.view(len(hu_bzyx), -1, shares.shape[1])

    def _textures(self, hu_bzyx: Tensor) -> Tensor:
        """Class of local contrast of every voxel, int64 (b, z, y, x)."""
        hu = hu_bzyx.float().clamp_(*_HU_RANGE)
        padded = functional.pad(hu[:, None], (1,) * 6, mode="replicate")
        surround = functional.avg_pool3d(padded, 3, stride=1)[:, 0]
        contrast_class = torch.bucketize(hu - surround, self.contrast_edges)
        surround_class = torch.bucketize(surround, self.surround_edges)
        return contrast_class * (len(SURROUND_EDGES_HU) + 1) + surround_class

    def _by_cell(self, voxels_bzyx: Tensor) -> Tensor:
        """(b, z, y, x) to (b * cells, voxels of a cell)."""
        (z, y, x), (cz, cy, cx) = self.grid_zyx, self.cells_zyx
        split = voxels_bzyx.view(-1, cz, z // cz, cy, y // cy, cx, x // cx)
        return split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, z * y * x // (cz * cy * cx))

    def _region_shares(self, cell_shares: Tensor) -> Tensor:
        total = cell_shares.new_zeros(len(cell_shares), self.n_regions, cell_shares.shape[2])
        total.index_add_(1, self.region_of_cell, cell_shares)
        return total / self._cells_per_region[:, None]

    @property
    def _cells_per_region(self) -> Tensor:
        return torch.bincount(self.region_of_cell, minlength=self.n_regions).float()

    def features(self, hu_bzyx: Tensor) -> Tensor:
        """Square roots of every region's shares: (b, regions, kinds)."""
        return self._region_shares(self.cell_shares(hu_bzyx)).sqrt()

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """Logit share of the regions: (b, labels)."""
        standard = (self.features(hu_bzyx) - self.mean) / self.scale
        return torch.einsum("brk,lrk->bl", standard, self.weight)

    def maps(self, hu_bzyx: Tensor) -> Tensor:
        """The same, cell by cell: (b, labels, cz, cy, cx); sums to `forward`.

        A region's sqrt(s) is Σ over its cells of s_cell / (n sqrt(s)): every voxel of a kind
        weighs alike. The average chest's share is taken off evenly.
        """
        cells = self.cell_shares(hu_bzyx)
        root = self._region_shares(cells).clamp_min(_SMALLEST_SHARE).sqrt()
        here = self.region_of_cell
        standard = (cells / root[:, here] - self.mean[here]) / self.scale[here]
        standard = standard / self._cells_per_region[here, None]
        maps = torch.einsum("bck,lck->blc", standard, self.weight[:, here])
        return maps.reshape(*maps.shape[:2], *self.cells_zyx)
