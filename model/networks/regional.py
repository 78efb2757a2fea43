"""What lies where: a linear reading of what each region is made of, region by region.

Every voxel counts alike within its kind, so what a region says splits exactly over its cells. The
weights can be found in closed form (`model.ridge`).
"""

import torch
from torch import Tensor, nn

from model.kinds import SHAPES, TISSUES, Shape, VoxelKinds

_SMALLEST_ROOT = 1e-6  # of a share: less than one voxel of the largest grid


class BoxReading(nn.Module):
    """Additive evidence from the kinds of voxel in boxes of cells, against a typical chest.

    With s the share of a box's voxels of one kind and t that of the typical chest, the reading is
    linear in sqrt(s) - sqrt(t) (Hellinger: a little of something rare counts).

    Args:
        cells_zyx: cells of the evidence map.
        boxes: boxes along each axis; cells are dealt to them as evenly as they go.
        kinds: which of the kinds are read.
        n_labels: labels.
    """

    box_of_cell: Tensor
    cells_per_box: Tensor
    typical: Tensor
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
        self.register_buffer("typical", torch.zeros(box.numel(), shape[1]))
        self.register_buffer("scale", torch.ones(shape))
        self.weight = nn.Parameter(torch.zeros(n_labels, *shape))

    def features(self, cells_bck: Tensor) -> Tensor:
        """Square roots of every box's shares: (b, boxes, kinds)."""
        return self._roots(cells_bck[:, :, self.kinds])

    def centre(self) -> Tensor:
        """The features of the typical chest: (boxes, kinds)."""
        return self._roots(self.typical[None])[0]

    def maps(self, cells_bck: Tensor) -> Tensor:
        """The reading cell by cell: (b, labels, cells); sums to the weighted features.

        sqrt(s) - sqrt(t) = (s - t) / (sqrt(s) + sqrt(t)), and s - t is the mean over the box's
        cells: each says by how much it differs from the same place in the typical chest.
        """
        read, here = cells_bck[:, :, self.kinds], self.box_of_cell
        roots = (self._roots(read) + self.centre()).clamp_min(_SMALLEST_ROOT)
        share = roots * self.scale * self.cells_per_box[:, None]
        return torch.einsum(
            "bck,lck->blc", (read - self.typical) / share[:, here], self.weight[:, here]
        )

    def _roots(self, read_bck: Tensor) -> Tensor:
        total = read_bck.new_zeros(len(read_bck), self.n_boxes, read_bck.shape[2])
        total.index_add_(1, self.box_of_cell, read_bck)
        return (total / self.cells_per_box[:, None]).sqrt()


class RegionalReading(nn.Module):
    """Densities and textures region by region, and what stands out wherever it lies.

    A few rare voxels decide of a nodule: one weight for the whole chest can be learnt from them,
    sixty-four could not. Reads cells (b, cells, kinds) as `kinds` counts them.

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
        self.n_tissues = self.tissues.scale.numel()

    def features(self, cells_bck: Tensor) -> Tensor:
        """What the reading is linear in: (b, d), the `n_tissues` of the tissues first."""
        return torch.cat([part.features(cells_bck).flatten(1) for part in self._parts()], dim=1)

    def centre(self) -> Tensor:
        """The features (d) of the typical chest, whose logits are 0."""
        return torch.cat([part.centre().flatten() for part in self._parts()])

    def read(self, features_bd: Tensor) -> Tensor:
        """Features to the regions' logit share: (b, labels)."""
        scale_d = torch.cat([part.scale.flatten() for part in self._parts()])
        weight_ld = torch.cat([part.weight.flatten(1) for part in self._parts()], dim=1)
        return (features_bd - self.centre()) / scale_d @ weight_ld.T

    def forward(self, cells_bck: Tensor) -> Tensor:
        """Logit share of the regions: (b, labels)."""
        return self.read(self.features(cells_bck))

    def maps(self, cells_bck: Tensor) -> Tensor:
        """The same, cell by cell: (b, labels, cz, cy, cx); sums to `forward`."""
        maps_blc = self.tissues.maps(cells_bck) + self.shapes.maps(cells_bck)
        return maps_blc.reshape(*maps_blc.shape[:2], *self.cells_zyx)

    @torch.no_grad()
    def set_typical(self, cells_ck: Tensor) -> None:
        """Take over what every cell is made of on average: (cells, kinds)."""
        for part in self._parts():
            part.typical.copy_(cells_ck[:, part.kinds])

    @torch.no_grad()
    def set_reading(self, scale_d: Tensor, weight_ld: Tensor) -> None:
        """Take over what was found in closed form; d as in `features`."""
        here = (slice(0, self.n_tissues), slice(self.n_tissues, None))
        for part, d in zip(self._parts(), here, strict=True):
            part.scale.copy_(scale_d[d].view_as(part.scale))
            part.weight.copy_(weight_ld[:, d].reshape(part.weight.shape))

    def _parts(self) -> tuple[BoxReading, BoxReading]:
        return self.tissues, self.shapes
