"""One synthetic chest while it is being drawn: the canvas and where everything lies on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.build import Build
from pipelines.synthetic.canvas import Array, Box, Canvas, Point, Region
from pipelines.synthetic.case import PlannedFinding
from pipelines.synthetic.lungs import COARSE, Lungs
from pipelines.synthetic.trees import Tree, Trees

Place = tuple[slice, slice, slice]  # z, y, x
Part = tuple[Region, Place]  # a region of the canvas, and its place in the lungs' arrays


@dataclass(frozen=True, slots=True)
class Chest:
    """What a finding needs to know to find its place."""

    canvas: Canvas
    build: Build
    lungs: Lungs
    trees: Trees

    def window(self, centre: Point, reach: float) -> Part | None:
        """The region around a point, as far as the lungs' box goes; None outside it."""
        low, high = ([c + sign * reach for c in centre] for sign in (-1, 1))
        return self.clipped((low[0], low[1], low[2], high[0], high[1], high[2]))

    def clipped(self, box: Box) -> Part | None:
        """The region of a box, as far as the lungs' box goes; None outside it."""
        region = self.canvas.region(box)
        if region is None:
            return None
        inner = []
        for place, outer in zip(region.place, self.lungs.region.place, strict=True):
            start, stop = max(place.start, outer.start), min(place.stop, outer.stop)
            if stop <= start:
                return None
            inner.append(slice(start - outer.start, stop - outer.start))
        return self.part((inner[0], inner[1], inner[2]))

    def part(self, inner: tuple[slice, slice, slice]) -> tuple[Region, tuple[slice, slice, slice]]:
        """The region that a box of the lungs' arrays covers."""
        region = self.lungs.region
        z, y, x = inner
        place = tuple(
            slice(outer.start + part.start, outer.start + part.stop)
            for outer, part in zip(region.place, inner, strict=True)
        )
        part = Region(
            (place[0], place[1], place[2]), region.x[:, :, x], region.y[:, y, :], region.z[z]
        )
        return part, inner

    def lobe_part(self, finding: PlannedFinding) -> tuple[Region, Place, Array] | None:
        """The smallest region that holds the finding's lobe or lung, and its coverage there."""
        lungs = self.lungs
        points = lungs.points[lungs.chosen(finding.lobe, finding.side)]
        if not len(points):
            return None
        low, high = points.min(axis=0) - COARSE, points.max(axis=0) + COARSE
        found = self.clipped((*low.tolist(), *high.tolist()))
        if found is None:
            return None
        region, inner = found
        return region, inner, lungs.mask(finding.lobe, finding.side)[inner]

    def lobe_tree(self, trees: tuple[Tree, Tree], lobe_index: int) -> Tree:
        """The segments of a tree that lie in one lobe."""
        tree = trees[0 if lobe_index < 3 else 1]
        return tree.kept(tree.lobe == lobe_index)


def mask_box(region: Region, cover: Array, least: float = 0.3) -> Box | None:
    """The box of the voxels that a finding covers by at least `least`; None where none is."""
    held = cover > least
    held_zy: NDArray[np.bool_] = np.any(held, axis=2)
    held_yx: NDArray[np.bool_] = np.any(held, axis=0)
    bounds: list[tuple[float, float]] = []
    for axis_held, coordinates in (
        (held_yx.any(axis=0), region.x),
        (held_yx.any(axis=1), region.y),
        (held_zy.any(axis=1), region.z),
    ):
        kept = coordinates.ravel()[axis_held]
        if not kept.size:
            return None
        bounds.append((float(kept[0]), float(kept[-1])))
    low, high = zip(*bounds, strict=True)
    return (low[0], low[1], low[2], high[0], high[1], high[2])


def united(boxes: list[Box]) -> Box | None:
    """The box around several boxes; None for none."""
    if not boxes:
        return None
    table: NDArray[np.float64] = np.array(boxes)
    low, high = table[:, :3].min(axis=0), table[:, 3:].max(axis=0)
    return (
        float(low[0]),
        float(low[1]),
        float(low[2]),
        float(high[0]),
        float(high[1]),
        float(high[2]),
    )
