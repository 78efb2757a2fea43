"""Kinds of voxel: by density, by local contrast and what surrounds it, and by how it stands out.

How much of each kind a block of voxels holds says what the block is made of: air, emphysema,
vessel in lung, fluid, calcium in soft tissue, a ball in the lung. Made on the device from int16
HU; nothing is learnt.
"""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.windows import KNOTS_HU, soft_bin_table, table_rows

Shape = tuple[int, int, int]

# How far a voxel stands out from its 3x3x3 neighbourhood, and the mean HU of that neighbourhood.
CONTRAST_EDGES_HU = (-400.0, -200.0, -100.0, -50.0, -25.0, 25.0, 50.0, 100.0, 200.0, 400.0)
SURROUND_EDGES_HU = (-950.0, -900.0, -800.0, -600.0, -300.0, -50.0, 100.0)
# By how much a 3x3x3 mean is brighter (or darker) than the mean of the two at `REACH` voxels to
# either side, in whichever direction, and the mean HU around. A ball is, even where it touches
# something on one side; a vessel or a wall goes on in some direction and is not.
REACH = 3
PROMINENCE_EDGES_HU = (25.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0)
SHELL_EDGES_HU = (-800.0, -650.0, -500.0, -300.0, -100.0, 0.0)

_LOWEST_HU, _HIGHEST_HU = -1024, 1000
_WIDEST_HU = _HIGHEST_HU - _LOWEST_HU
_N_SURROUNDS = len(SURROUND_EDGES_HU) + 1
_N_TEXTURES = (len(CONTRAST_EDGES_HU) + 1) * _N_SURROUNDS
_N_SHELLS = len(SHELL_EDGES_HU) + 1
_N_SHAPES = 2 * len(PROMINENCE_EDGES_HU) * _N_SHELLS  # bright, then dark

TISSUES = slice(0, len(KNOTS_HU) + _N_TEXTURES)
"""The kinds that are everywhere: densities, then textures."""
SHAPES = slice(TISSUES.stop, TISSUES.stop + _N_SHAPES)
"""The kinds that are rare: what stands out."""
N_KINDS = SHAPES.stop


class VoxelKinds(nn.Module):
    """Shares of every kind in the cells of a grid; the densities' and the textures' each sum to 1.

    Args:
        grid_zyx: voxels of the profile's grid.
        cells_zyx: cells; must divide the grid.
    """

    bins: Tensor
    contrast_class: Tensor
    surround_class: Tensor
    prominence_class: Tensor
    shell_class: Tensor

    def __init__(self, grid_zyx: Shape, cells_zyx: Shape) -> None:
        super().__init__()
        self.grid_zyx, self.cells_zyx = grid_zyx, cells_zyx
        for name, constant in {
            "bins": soft_bin_table(),
            "contrast_class": _classes(CONTRAST_EDGES_HU, -_WIDEST_HU, _WIDEST_HU) * _N_SURROUNDS,
            "surround_class": _classes(SURROUND_EDGES_HU, _LOWEST_HU, _HIGHEST_HU),
            "prominence_class": _prominence_classes(),
            "shell_class": _classes(SHELL_EDGES_HU, _LOWEST_HU, _HIGHEST_HU),
        }.items():
            self.register_buffer(name, constant, persistent=False)

    @torch.no_grad()
    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """int16 HU (b, z, y, x) to float32 shares (b, cells, kinds)."""
        densities = functional.embedding_bag(
            table_rows(self._by_cell(hu_bzyx)), self.bins, mode="mean"
        )
        hu = hu_bzyx.to(torch.int16).clamp(_LOWEST_HU, _HIGHEST_HU)
        surround = _surround(hu)
        textures = self._shares(self._textures(hu, surround), _N_TEXTURES)
        # What does not stand out is counted behind the last kind and left out.
        shapes = self._shares(self._shapes(surround), _N_SHAPES + 1)[:, :_N_SHAPES]
        shares = torch.cat([densities, textures, shapes], dim=1)
        return shares.view(len(hu_bzyx), -1, N_KINDS)

    def _shares(self, class_bzyx: Tensor, count: int) -> Tensor:
        classes = self._by_cell(class_bzyx)
        counts = torch.zeros(len(classes), count, device=classes.device)
        ones = torch.ones((), device=classes.device).expand(classes.shape)
        return counts.scatter_add_(1, classes, ones) / classes.shape[1]

    def _textures(self, hu: Tensor, surround: Tensor) -> Tensor:
        """Class of local contrast of every voxel, int64 (b, z, y, x)."""
        # Looked up, which is some ten times faster than searching edges voxel by voxel.
        contrast = self.contrast_class.take((hu.int() - surround + _WIDEST_HU).long())
        return contrast + self.surround_class.take((surround.int() - _LOWEST_HU).long())

    def _shapes(self, surround: Tensor) -> Tensor:
        """Class of how every voxel's neighbourhood stands out, int64; `_N_SHAPES` where not."""
        highest, lowest, mean = _shell(surround)
        bright = self.prominence_class.take((surround.int() - highest + _WIDEST_HU).long())
        dark = self.prominence_class.take((lowest.int() - surround + _WIDEST_HU).long())
        # Nothing is both brighter and darker than all around it.
        rank = torch.where(dark > 0, dark + len(PROMINENCE_EDGES_HU), bright)
        shell = self.shell_class.take((mean - _LOWEST_HU).long())
        return torch.where(rank > 0, (rank - 1) * _N_SHELLS + shell, _N_SHAPES)

    def _by_cell(self, voxels_bzyx: Tensor) -> Tensor:
        """(b, z, y, x) to (b * cells, voxels of a cell)."""
        (z, y, x), (cz, cy, cx) = self.grid_zyx, self.cells_zyx
        split = voxels_bzyx.view(-1, cz, z // cz, cy, y // cy, cx, x // cx)
        return split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, z * y * x // (cz * cy * cx))


def pooled(shares_bck: Tensor, blocks_zyx: Shape, cells_zyx: Shape) -> Tensor:
    """Shares of larger cells, from those of the blocks that they consist of: (b, cells, kinds)."""
    (z, y, x), (cz, cy, cx) = blocks_zyx, cells_zyx
    split = shares_bck.view(len(shares_bck), cz, z // cz, cy, y // cy, cx, x // cx, -1)
    return split.mean(dim=(2, 4, 6)).flatten(1, 3)


def _surround(hu_bzyx: Tensor) -> Tensor:
    """Mean of each voxel's 3x3x3 neighbourhood, whole HU, int16."""
    padded = functional.pad(hu_bzyx[:, None].float(), (1,) * 6, mode="replicate")
    return functional.avg_pool3d(padded, 3, stride=1)[:, 0].round_().to(torch.int16)


def _shell(hu_bzyx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What lies at `REACH` voxels to both sides, on average, along 13 lines.

    Highest and lowest of the lines (int16) and mean of all (int32), in HU.
    """
    padded = functional.pad(hu_bzyx[:, None].float(), (REACH,) * 6, mode="replicate")
    padded = padded[:, 0].to(torch.int16)
    # Of both ends together, and halved at last: sums of two values of at most 1024 HU fit an int16.
    highest = torch.full_like(hu_bzyx, 2 * _LOWEST_HU)
    lowest = torch.full_like(hu_bzyx, 2 * _HIGHEST_HU)
    total = torch.zeros_like(hu_bzyx, dtype=torch.int32)
    for z, y, x in _LINES:
        both = _moved(padded, (z, y, x), hu_bzyx.shape) + _moved(
            padded, (-z, -y, -x), hu_bzyx.shape
        )
        total += both
        torch.maximum(highest, both, out=highest)
        torch.minimum(lowest, both, out=lowest)
    for extreme in (highest, lowest):
        extreme.div_(2, rounding_mode="floor")
    return highest, lowest, total // (2 * len(_LINES))


def _moved(padded_bzyx: Tensor, offset: Shape, shape: torch.Size) -> Tensor:
    """The voxels that lie at an offset from those of the unpadded volume."""
    for axis, (step, edge) in enumerate(zip(offset, shape[1:], strict=True), start=1):
        padded_bzyx = padded_bzyx.narrow(axis, REACH + step, edge)
    return padded_bzyx


def _lines() -> list[Shape]:
    """The offsets to half of a voxel's 26 neighbours, one of each line, stretched to `REACH`."""
    found = []
    for offset in product((-1, 0, 1), repeat=3):
        if offset > (0, 0, 0):
            step = REACH / sum(along * along for along in offset) ** 0.5
            z, y, x = (round(step * along) for along in offset)
            found.append((z, y, x))
    return found


_LINES = _lines()


def _classes(edges_hu: tuple[float, ...], low: int, high: int) -> Tensor:
    """The class of every whole HU from `low` to `high`: how many edges lie below it."""
    return torch.bucketize(torch.arange(low, high + 1).float(), torch.tensor(edges_hu))


def _prominence_classes() -> Tensor:
    """0 for what does not stand out by the first edge, then counted from 1."""
    return _classes(PROMINENCE_EDGES_HU, -_WIDEST_HU, _WIDEST_HU)
