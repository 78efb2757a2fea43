"""Denser lung: consolidation, ground glass, and lung that has lost its air."""

import numpy as np

from pipelines.synthetic.anatomy import Chest, mask_box, united
from pipelines.synthetic.build import strength
from pipelines.synthetic.canvas import Array, Box, Region, soft_noise
from pipelines.synthetic.case import PlannedFinding, Side
from pipelines.synthetic.kinds import LOBES
from pipelines.synthetic.nodule_findings import lumpy, point_of
from pipelines.synthetic.trees import airway_radius, draw_tree


def draw_consolidation(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Airless lung within one lobe, its open bronchi standing out as black branches."""
    radius = chest.canvas.units(finding.size_mm or 50.0) / 2 * (1 if finding.visible else 0.3)
    place = point_of(chest.lungs.pick_places(rng, 1, finding, depth=(0.2 * radius, 1e3))[0])
    found = chest.window(place, radius * 1.5)
    if found is None:
        return None
    region, inner = found
    distance = lumpy(rng, region, place, radius, np.array([1.1, 1.0, 0.95]), 0.3)
    lung = chest.lungs.mask(finding.lobe, finding.side)[inner]
    cover = np.clip(0.5 - distance / 5.0, 0, 1) * lung
    patchy = np.clip(1.25 + 0.3 * soft_noise(rng, region, 7.0), 0, 1)
    canvas = chest.canvas
    halo = np.clip(0.5 - (distance - 7) / 12.0, 0, 1) * lung
    canvas.add(region, halo * np.float32(190) * (canvas.hu[region.place] < -600))
    canvas.paint(region, cover * patchy, chest.build.tissue)
    if finding.lobe is not None:
        tree = chest.lobe_tree(chest.trees.airways, LOBES.index(finding.lobe))
        near = np.linalg.norm((tree.start + tree.stop) / 2 - place, axis=1) < radius
        bronchi = tree.kept(near)
        if len(bronchi.leaves):
            draw_tree(canvas, chest.lungs, bronchi, np.maximum(1.4, airway_radius(bronchi)), -930.0)
    return mask_box(region, cover)


def draw_ground_glass(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Hazy increase that leaves the vessels visible: patchy, peripheral or diffuse."""
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, inner, lung = found
    marked = strength(finding)
    depth = chest.lungs.depth[inner]
    noise = soft_noise(rng, region, 24.0) + 0.35 * soft_noise(rng, region, 8.0)
    threshold = {"diffuse": -0.7, "peripheral": -0.1}.get(finding.texture or "", 0.35)
    if finding.lobe is not None:
        threshold = -0.1
    field = noise - threshold + 0.5 * marked
    if finding.texture == "peripheral":
        field = field + np.clip((22 - depth) / 12, -2.5, 0.6)
    extent = np.clip(field * 2.2 + 0.5, 0, 1) * lung
    grain = 1 + 0.25 * soft_noise(rng, region, 4.0)
    lift = (200 + 110 * max(marked, 0)) * (1.0 if finding.visible else 0.3)
    airy = np.clip((-450 - chest.canvas.hu[region.place]) / 250, 0, 1)
    chest.canvas.add(region, (extent * grain * airy * np.float32(lift)).astype(np.float32))
    return mask_box(region, extent, 0.5)


def draw_atelectasis(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box | None:
    """Airless lung with lost volume: a collapsed lobe, plates, or a dependent rim."""
    if finding.texture == "linear":
        return _draw_plates(chest, finding, rng)
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, inner, lung = found
    marked = strength(finding)
    rough = soft_noise(rng, region, 14.0)
    if finding.texture == "dependent":
        behind = np.clip((region.y - 20) / 15, 0, 1) * np.clip((25 - region.z) / 25, 0, 1)
        thickness = 12 + 11 * marked + 3.5 * rough
        field = (thickness - chest.lungs.wall[inner]) / 4
        cover = np.clip(field, 0, 1) * behind * lung * (0.9 if finding.visible else 0.2)
        hu = -60.0
    else:
        cover = _collapse(chest, finding, region, rough) * lung
        hu = chest.build.tissue + 15
    chest.canvas.paint(region, cover.astype(np.float32), hu)
    return mask_box(region, cover.astype(np.float32))


def _collapse(
    chest: Chest,
    finding: PlannedFinding,
    region: Region,
    rough: Array,
) -> Array:
    """A wedge along the mediastinum: behind for a lower lobe, in front for the others."""
    marked = strength(finding)
    reach = 28 + 14 * marked
    centre = chest.build.shift
    medial = np.abs(region.x - centre)
    if finding.lobe in ("right lower lobe", "left lower lobe"):
        line = medial * 0.75 + (72 - region.y) * 0.55 + 0.12 * (region.z + 60)
        return np.asarray(np.clip((reach + 12 - line + 2 * rough) / 4, 0, 1))
    line = medial * 0.7 + (region.y + 70) * 0.35
    if finding.lobe == "right middle lobe":
        line = line + 0.9 * np.abs(region.z + 24)
    else:
        line = line + 0.25 * np.clip(80 - region.z, 0, None)
    return np.asarray(np.clip((reach + 14 - line + 2 * rough) / 4, 0, 1))


def _draw_plates(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box | None:
    boxes = []
    marked = max(strength(finding), 0)
    for _ in range(2 + int(2 * marked)):
        place = chest.lungs.pick_places(rng, 1, finding, depth=(4.0, 22.0))[0]
        centre = point_of(place)
        found = chest.window(centre, 36)
        if found is None:
            continue
        region, inner = found
        x, y, z = region.x - centre[0], region.y - centre[1], region.z - centre[2]
        tilt = rng.normal(0, 0.18, 2)
        sheet = np.abs(z + tilt[0] * x + tilt[1] * y + 1.5 * soft_noise(rng, region, 20.0))
        outline = np.sqrt((x / 30) ** 2 + (y / 20) ** 2) * 24 - 24
        thickness = 2.1 + 1.6 * marked if finding.visible else 0.5
        distance = np.maximum(sheet - thickness, outline).astype(np.float32)
        width = max(chest.canvas.edge, 0.7 * chest.canvas.step[2])
        cover = (
            np.clip(0.5 - distance / width, 0, 1)
            * chest.lungs.mask(finding.lobe, Side.BILATERAL)[inner]
        )
        chest.canvas.paint(region, cover, 10.0)
        box = mask_box(region, cover)
        if box is not None:
            boxes.append(box)
    return united(boxes)
