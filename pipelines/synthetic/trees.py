"""Trees of airways, arteries and veins that fill a lung and thin out towards the pleura."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic import mediastinum
from pipelines.synthetic.build import Build
from pipelines.synthetic.canvas import Canvas
from pipelines.synthetic.case import Side
from pipelines.synthetic.lungs import Lungs

_LEAVES = {"artery": 340, "vein": 260}
_TRUNK = 60  # a segment with so many leaves is a trunk
_AIRWAY_LEAST = 10  # an airway is drawn while at least so many arterial leaves lie beyond it


@dataclass(frozen=True, slots=True)
class Tree:
    """Segments of one tree. `leaves` counts the twigs beyond a segment: its calibre's measure."""

    start: NDArray[np.float64]  # (n, 3)
    stop: NDArray[np.float64]  # (n, 3)
    leaves: NDArray[np.int64]  # (n,)
    lobe: NDArray[np.uint8]  # (n,) index into kinds.LOBES, of the segment's far end

    def radius(self, trunk: float, exponent: float = 2.6) -> NDArray[np.float64]:
        """Radii by Murray's law: the trunk's flow shared among the twigs."""
        share: NDArray[np.float64] = self.leaves / self.leaves.max()
        return trunk * share ** (1 / exponent)

    def kept(self, mask: NDArray[np.bool_]) -> "Tree":
        """The tree's segments under a mask."""
        return Tree(self.start[mask], self.stop[mask], self.leaves[mask], self.lobe[mask])

    def samples(self, step: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Points along the segments, at most `step` apart, and the segment that each lies on."""
        lengths = np.linalg.norm(self.stop - self.start, axis=1)
        counts = np.maximum(2, np.ceil(lengths / step).astype(int))
        owner = np.repeat(np.arange(len(counts)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        share = (np.arange(len(owner)) - first) / counts[owner]
        points = self.start[owner] + share[:, None] * (self.stop - self.start)[owner]
        return points, owner


@dataclass(frozen=True, slots=True)
class Trees:
    """Both lungs' trees, right then left."""

    arteries: tuple[Tree, Tree]
    veins: tuple[Tree, Tree]
    airways: tuple[Tree, Tree]


def grow_trees(build: Build, lungs: Lungs, seed: int) -> Trees:
    """Grow the trees of both lungs from the hila."""
    rng = np.random.default_rng([seed, 4])
    hila = mediastinum.hila(build)
    parts = mediastinum.vessels(build)
    ends = {
        Side.RIGHT: (parts["right_upper_vein"].path[-1], parts["right_lower_vein"].path[-1]),
        Side.LEFT: (parts["left_upper_vein"].path[-1], parts["left_lower_vein"].path[-1]),
    }
    arteries, veins, airways = [], [], []
    for side, hilum in zip((Side.RIGHT, Side.LEFT), hila, strict=True):
        artery = _grow(rng, lungs, side, hilum, _LEAVES["artery"])
        arteries.append(artery)
        root = (ends[side][0] + ends[side][1]) / 2
        veins.append(_grow(rng, lungs, side, root, _LEAVES["vein"]))
        airways.append(airways_beside(artery, _AIRWAY_LEAST))
    return Trees((arteries[0], arteries[1]), (veins[0], veins[1]), (airways[0], airways[1]))


def _grow(
    rng: np.random.Generator, lungs: Lungs, side: Side, root: NDArray[np.float64], leaves: int
) -> Tree:
    places = lungs.pick(rng, leaves, side=side, depth=(4.0, 1e3))
    targets = lungs.points[places] + rng.uniform(-2, 2, (leaves, 3))
    lobes = lungs.point_lobe[places]
    segments: list[tuple[NDArray[np.float64], NDArray[np.float64], int, int]] = []
    groups = [(root, np.flatnonzero(lobes == lobe)) for lobe in np.unique(lobes)]
    while groups:
        parent, members = groups.pop()
        if not len(members):
            continue
        cloud = targets[members]
        centre = cloud.mean(axis=0)
        if len(members) == 1:
            segments.append((parent, centre, 1, int(lobes[members[0]])))
            continue
        reach = 0.42 if len(members) > 40 else 0.55
        node = parent + reach * (centre - parent) + rng.normal(0, 1.0, 3)
        segments.append((parent, node, len(members), int(lobes[members[0]])))
        spread = cloud - centre
        axis = spread[np.argmax((spread**2).sum(axis=1))]
        order = np.argsort(spread @ axis)
        cut = int(np.clip(rng.uniform(0.35, 0.65) * len(order), 1, len(order) - 1))
        groups += [(node, members[order[:cut]]), (node, members[order[cut:]])]
    start, stop, counts, owners = zip(*segments, strict=True)
    return Tree(np.array(start), np.array(stop), np.array(counts), np.array(owners, dtype=np.uint8))


def airways_beside(arteries: Tree, least: int) -> Tree:
    """The airways that run beside arteries with at least so many leaves."""
    tree = arteries.kept(arteries.leaves >= least)
    aside = np.array([0.0, 3.6, 1.8])
    return Tree(tree.start + aside, tree.stop + aside, tree.leaves, tree.lobe)


def draw_trees(canvas: Canvas, build: Build, lungs: Lungs, trees: Trees) -> None:
    """Draw arteries, veins, and the airways with their walls."""
    for tree in trees.veins:
        draw_tree(canvas, lungs, tree, tree.radius(6.5 * build.vessel), build.blood)
    for tree in trees.arteries:
        draw_tree(canvas, lungs, tree, tree.radius(7.5 * build.vessel), build.venous_blood)
    for tree in trees.airways:
        radii = airway_radius(tree)
        draw_tree(canvas, lungs, tree, radii + np.maximum(0.7, 0.16 * radii), -20.0)
    for tree in trees.airways:
        draw_tree(canvas, lungs, tree, airway_radius(tree), -975.0)


def airway_radius(tree: Tree) -> NDArray[np.float64]:
    """Inner radii of the airways: 5 mm in the lobar bronchi, thinning outwards."""
    return np.maximum(0.9, 5.2 * (tree.leaves / _LEAVES["artery"] * 1.6) ** 0.5)


def draw_tree(
    canvas: Canvas, lungs: Lungs, tree: Tree, radii: NDArray[np.float64], hu: float
) -> None:
    """Stamp a tree: thick and thin segments apart, so that thin ones cost little.

    Only trunks may leave the lung, towards the hilum.
    """
    points, owner = tree.samples(0.75 * min(canvas.step[0], canvas.step[2]))
    kept = (lungs.depth_at(points) > 0) | (tree.leaves[owner] >= _TRUNK)
    points, sizes = points[kept], radii[owner[kept]]
    edges = (0.0, 1.6, 3.2, np.inf)
    for low, high in pairwise(edges):
        chosen = (sizes >= low) & (sizes < high)
        canvas.stamp(points[chosen], sizes[chosen], hu)
