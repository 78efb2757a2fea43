"""What lies where: a linear reading of what each region is made of, region by region.

Every voxel counts alike within its kind, so what a region says splits exactly over its cells. The
weights can be found in closed form (`model.ridge`).
"""

import torch
from torch import Tensor, nn

from model.kinds import SHAPES, TISSUES, Shape, VoxelKinds

_SMALLEST_SHARE = 1e-9


class BoxReading(nn.Module):
    """Additive evidence from the kinds of voxel in boxes of cells, against the average chest.

    With s the share of a box's voxels of one kind, the reading is linear in sqrt(s) (Hellinger:
    a little of something rare counts).

    Args:
        cells_zyx: cells of the evidence map.
        boxes: boxes along each axis; cells are dealt to them as evenly as they go.
        kinds: which of the kinds are read.
        n_labels: labels.
    """

    box_of_cell: Tensor
    cells_per_box: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, cells_zyx: Shape, boxes: int, kinds: slice, n_labels: int) -> None:
        super().__init__()
        self.kinds, self.n_boxes = kinds, boxes**3
        along = [torch.arange(n) * boxes // n for n in cells_zyx]
        box = ((along[0][:, None, None] * boxes + along[1][:, None]) * boxes + along[2]).flatten()
        # Counted once: on a GPU a count at every call would wait for the device. Where there are
        # fewer cells than boxes, some boxes are empty and say nothing.
        cells = torch.zeros(self.n_boxes).index_add_(0, box, torch.ones(box.numel()))
        self.register_buffer("box_of_cell", box, persistent=False)
        self.register_buffer("cells_per_box", cells.clamp_(min=1), persistent=False)
        shape = (self.n_boxes, kinds.stop - kinds.start)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))
        self.weight = nn.Parameter(torch.zeros(n_labels, *shape))

    def features(self, cells_bck: Tensor) -> Tensor:
        """Square roots of every box's shares: (b, boxes, kinds)."""
        read = cells_bck[:, :, self.kinds]
        total = read.new_zeros(len(read), self.n_boxes, read.shape[2])
        total.index_add_(1, self.box_of_cell, read)
        return (total / self.cells_per_box[:, None]).sqrt()

    def forward(self, cells_bck: Tensor) -> Tensor:
        """Logit share of the boxes: (b, labels)."""
        standard = (self.features(cells_bck) - self.mean) / self.scale
        return torch.einsum("brk,lrk->bl", standard, self.weight)

    def maps(self, cells_bck: Tensor) -> Tensor:
        """The same, cell by cell: (b, labels, cells); sums to `forward`.

        A box's sqrt(s) is Σ over its cells of s_cell / (n sqrt(s)): every voxel of a kind weighs
        alike. The average chest's share is taken off evenly.
        """
        root = self.features(cells_bck).clamp_min(_SMALLEST_SHARE**0.5)
        here = self.box_of_cell
        read = cells_bck[:, :, self.kinds]
        standard = (read / root[:, here] - self.mean[here]) / self.scale[here]
        standard = standard / self.cells_per_box[here, None]
        return torch.einsum("bck,lck->blc", standard, self.weight[:, here])


class RegionalReading(nn.Module):
    """Densities and textures region by region, and what stands out wherever it lies.

    A few rare voxels decide of a nodule: one weight for the whole chest can be learnt from them,
    sixty-four could not.

    Args:
        grid_zyx: voxels of the profile's grid.
        cells_zyx: cells of the evidence map; must divide the grid.
        regions: boxes along each axis, for densities and textures.
        n_labels: labels.
    """

    def __init__(self, grid_zyx: Shape, cells_zyx: Shape, regions: int, n_labels: int) -> None:
        super().__init__()
        self.cells_zyx = cells_zyx
        self.kinds = VoxelKinds(grid_zyx, cells_zyx)
        self.tissues = BoxReading(cells_zyx, regions, TISSUES, n_labels)
        self.shapes = BoxReading(cells_zyx, 1, SHAPES, n_labels)
        self.n_tissues = self.tissues.mean.numel()

    def features(self, hu_bzyx: Tensor) -> Tensor:
        """What the reading is linear in: (b, d), the `n_tissues` of the tissues first."""
        cells = self.kinds(hu_bzyx)
        parts = (self.tissues.features(cells), self.shapes.features(cells))
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """Logit share of the regions: (b, labels)."""
        cells = self.kinds(hu_bzyx)
        logits_bl: Tensor = self.tissues(cells) + self.shapes(cells)
        return logits_bl

    def maps(self, hu_bzyx: Tensor) -> Tensor:
        """The same, cell by cell: (b, labels, cz, cy, cx); sums to `forward`."""
        cells = self.kinds(hu_bzyx)
        maps_blc = self.tissues.maps(cells) + self.shapes.maps(cells)
        return maps_blc.reshape(*maps_blc.shape[:2], *self.cells_zyx)

    @torch.no_grad()
    def set_reading(self, mean_d: Tensor, scale_d: Tensor, weight_ld: Tensor) -> None:
        """Take over what was found in closed form; d as in `features`."""
        for part, here in (
            (self.tissues, slice(0, self.n_tissues)),
            (self.shapes, slice(self.n_tissues, None)),
        ):
            part.mean.copy_(mean_d[here].view_as(part.mean))
            part.scale.copy_(scale_d[here].view_as(part.scale))
            part.weight.copy_(weight_ld[:, here].reshape(part.weight.shape))
