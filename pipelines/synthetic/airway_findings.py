"""Diffuse findings of airspaces and airways: emphysema, mosaic, septa, bronchial walls."""

import numpy as np

from pipelines.synthetic.anatomy import Chest, mask_box, united
from pipelines.synthetic.build import strength
from pipelines.synthetic.canvas import Box, box_of, soft_noise
from pipelines.synthetic.case import PlannedFinding, Side
from pipelines.synthetic.kinds import LOBES
from pipelines.synthetic.trees import Tree, airway_radius, airways_beside, draw_tree

_EMPTY_HU = -985.0
_LOBULE = 19.0  # distance between parallel septa
_SEPTAL_WAYS = ((0.8, 0.6, 0.0), (-0.5, 0.8, 0.33), (0.1, -0.3, 0.95))  # their normals, oblique


def draw_emphysema(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box | None:
    """Holes without walls in the upper lobes, a row of them under the pleura, or bullae."""
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, inner, lung = found
    marked = strength(finding)
    height = np.clip((region.z + 10 - 30 * (marked - 0.5)) / 70, 0, 1)
    boxes: list[Box] = []
    if finding.texture == "bullous":
        boxes = _draw_bullae(chest, finding, rng)
    noise = soft_noise(rng, region, 6.5)
    if finding.texture == "paraseptal":
        field = noise + 0.2 + np.clip((9 - chest.lungs.depth[inner]) / 4, -3, 0.6)
    else:
        field = noise - 0.9 + 0.45 * marked + 0.9 * height
    holes = np.clip(field * 2.5, 0, 1) * np.clip(height * 3, 0, 1) * lung
    if not finding.visible:
        holes = holes * 0.25
    canvas = chest.canvas
    airy = np.clip((-300 - canvas.hu[region.place]) / 250, 0, 1)
    canvas.paint(region, (holes * airy).astype(np.float32), _EMPTY_HU)
    box = mask_box(region, holes.astype(np.float32), 0.5)
    return united([*boxes, *([box] if box else [])])


def _draw_bullae(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> list[Box]:
    boxes = []
    radius = chest.canvas.units(finding.size_mm or 40.0) / 2 * (1 if finding.visible else 0.3)
    for side in (Side.RIGHT, Side.LEFT):
        places = chest.lungs.points[chest.lungs.pick(rng, 200, side=side)]
        places = places[np.argsort(places[:, 2] < 50, kind="stable")]  # apical ones first
        for number in range(3):
            size = radius if number == 0 else radius * rng.uniform(0.4, 0.7)
            centre = places[number]
            found = chest.window((float(centre[0]), float(centre[1]), float(centre[2])), size + 4)
            if found is None:
                continue
            region, inner = found
            away = np.sqrt(
                (region.x - centre[0]) ** 2
                + (region.y - centre[1]) ** 2
                + (region.z - centre[2]) ** 2
            ).astype(np.float32)
            lung = chest.lungs.cover[inner]
            chest.canvas.paint(region, chest.canvas.cover(away - size) * lung * 0.6, -620.0)
            hole = chest.canvas.cover(away - size + 1.5) * lung
            chest.canvas.paint(region, hole, -1000.0)
            box = mask_box(region, hole)
            if box is not None:
                boxes.append(box)
    return boxes


def draw_mosaic_attenuation(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Sharply bordered patches of darker and lighter lung; the mean stays as it was."""
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, _, lung = found
    noise = soft_noise(rng, region, 27.0) + 0.3 * soft_noise(rng, region, 11.0)
    patches = np.tanh(noise * 4.0)
    swing = (75 + 35 * strength(finding)) if finding.visible else 20.0
    airy = np.clip((-550 - chest.canvas.hu[region.place]) / 200, 0, 1)
    change = lung * airy * np.where(patches > 0, patches * swing, patches * 0.8 * swing)
    chest.canvas.add(region, change.astype(np.float32))
    return mask_box(region, lung)


def draw_septal_thickening(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """A net of thickened walls between lobules: basal and near the pleura, over a faint haze."""
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, inner, lung = found
    marked = strength(finding)
    lines = np.full(region.shape, _LOBULE, dtype=np.float32)
    for way in _SEPTAL_WAYS:
        across = way[0] * region.x + way[1] * region.y + way[2] * region.z
        phase = (across + 4.0 * soft_noise(rng, region, 17.0)) / _LOBULE
        np.minimum(lines, np.abs(phase - np.rint(phase)) * _LOBULE, out=lines)
    width = max(1.0 + 0.5 * marked, 0.4)
    net = np.clip(0.5 - (lines - width) / chest.canvas.edge, 0, 1)
    broken = np.clip(0.9 + 0.9 * soft_noise(rng, region, 12.0), 0, 1)
    base = np.clip((55 + 25 * marked - region.z) / 40, 0, 1)
    outer = np.clip((36 + 12 * marked - chest.lungs.depth[inner]) / 12, 0, 1)
    extent = base * outer * lung * (1.0 if finding.visible else 0.25)
    airy = np.clip((-250 - chest.canvas.hu[region.place]) / 300, 0, 1)
    chest.canvas.paint(region, (net * broken * extent * airy * 0.8).astype(np.float32), -150.0)
    chest.canvas.add(region, (extent * airy * np.float32(30)).astype(np.float32))
    return mask_box(region, extent.astype(np.float32))


def draw_peribronchial_thickening(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Thick walls around the side's airways, seen far out into the lung."""
    wall = (2.8 + 1.8 * strength(finding)) * rng.uniform(0.9, 1.1)
    if not finding.visible:
        wall = 0.6
    boxes = []
    for arteries, side in zip(chest.trees.arteries, (Side.RIGHT, Side.LEFT), strict=True):
        if finding.side not in (side, Side.BILATERAL):
            continue
        # Thick walls make airways visible that are not seen otherwise.
        tree = airways_beside(arteries, 4 if finding.visible else 10)
        radii = airway_radius(tree)
        draw_tree(chest.canvas, chest.lungs, tree, radii + wall, 15.0)
        draw_tree(chest.canvas, chest.lungs, tree, radii, -970.0)
        boxes.append(box_of(tree.stop, wall))
    return united(boxes)


def draw_bronchiectasis(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Widened bronchi that do not taper, or clusters of cysts at their ends."""
    lobe = LOBES.index(finding.lobe or "left lower lobe")
    tree = chest.lobe_tree(chest.trees.airways, lobe)
    arteries = chest.lobe_tree(chest.trees.arteries, lobe)
    marked = strength(finding)
    beyond = airways_beside(arteries.kept(arteries.leaves < 18), 3)
    chosen = beyond.kept(rng.random(len(beyond.leaves)) < 0.55 + 0.3 * marked)
    if not len(chosen.leaves) or not finding.visible:
        chosen = tree
    lumen = np.full(len(chosen.leaves), 3.0 + 1.8 * max(marked, 0))
    if finding.texture == "varicose":
        lumen *= rng.uniform(0.7, 1.4, len(lumen))
    if not finding.visible:
        lumen = airway_radius(chosen) * 1.25
    draw_tree(chest.canvas, chest.lungs, chosen, lumen + 1.5, 10.0)
    draw_tree(chest.canvas, chest.lungs, chosen, lumen, -975.0)
    if finding.texture == "cystic" and finding.visible:
        _draw_cysts(chest, chosen, rng, marked)
    return box_of(chosen.stop, 4.0)


def _draw_cysts(chest: Chest, tree: Tree, rng: np.random.Generator, marked: float) -> None:
    ends = tree.stop[chest.lungs.depth_at(tree.stop) > 4.0]
    ends = ends[rng.permutation(len(ends))[:30]]
    radii = rng.uniform(4.0, 7.0, len(ends)) * (1 + 0.35 * marked)
    chest.canvas.stamp(ends, radii + 1.4, 15.0)
    chest.canvas.stamp(ends, radii, -970.0)
