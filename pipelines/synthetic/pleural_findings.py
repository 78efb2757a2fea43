"""Findings between lung and chest wall: fluid and air."""

import numpy as np

from pipelines.synthetic.anatomy import Chest, mask_box, united
from pipelines.synthetic.canvas import Box, soft_noise, soft_union
from pipelines.synthetic.case import PlannedFinding, Side
from pipelines.synthetic.lungs import dome_height


def _sides(side: Side) -> tuple[Side, ...]:
    return (Side.RIGHT, Side.LEFT) if side is Side.BILATERAL else (side,)


def draw_pleural_effusion(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Fluid behind the lung: thickest at the back and the base, a crescent that thins upwards."""
    boxes = []
    largest = chest.canvas.units(finding.size_mm or 15.0) * (1 if finding.visible else 0.3)
    weaker = int(rng.integers(2))
    for number, side in enumerate(_sides(finding.side)):
        thickness = largest
        if finding.side is Side.BILATERAL and number == weaker:
            thickness *= rng.uniform(0.55, 0.9)
        box = _draw_fluid(chest, side, thickness, rng)
        if box is not None:
            boxes.append(box)
    return united(boxes)


def _draw_fluid(chest: Chest, side: Side, thickness: float, rng: np.random.Generator) -> Box | None:
    region = chest.lungs.region
    lung = chest.lungs.mask(None, side)
    height = 2.8 * thickness + 50  # how far the fluid climbs along the back
    upwards = np.clip((height - 125 - region.z) / height, 0, 1) ** 0.6
    front = 42 - 1.9 * thickness  # the crescent ends here at the side wall
    backwards = np.clip((region.y - front) / (84 - front), 0, 1)
    behind = chest.lungs.wall - thickness * upwards * backwards
    # Some fluid lies between lung and diaphragm, most of it towards the back.
    above = (region.z - dome_height(chest.build, region.x, region.y)) * 0.8
    beneath = above - 0.5 * thickness * np.clip((region.y + 40) / 110, 0, 1)
    distance = soft_union(behind, beneath, 0.5 * thickness)
    distance = np.where(upwards * backwards > 0, distance, np.maximum(beneath, 0.5))
    cover = np.clip(0.5 - distance / (1.2 * chest.canvas.edge), 0, 1) * lung
    if thickness > 16:
        # Lung that the fluid presses on loses its air, here only a thin rim of it.
        rim = np.clip((1 + 0.06 * thickness - distance) / 4, 0, 1) * lung
        rim = rim * np.clip(4 * backwards, 0, 1) * np.clip(4 * upwards, 0, 1)
        rough = np.clip(0.8 + 0.25 * soft_noise(rng, region, 9.0), 0, 1)
        chest.canvas.paint(region, rim * rough, chest.build.tissue + 10)
    chest.canvas.paint(region, cover, chest.build.fluid)
    return mask_box(region, cover)


def draw_pneumothorax(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Air before and above the lung, a thin pleural line, and a denser lung behind it."""
    region = chest.lungs.region
    lung = chest.lungs.mask(None, finding.side)
    thickness = chest.canvas.units(finding.size_mm or 20.0) * (1 if finding.visible else 0.3)
    front = np.clip((20 + thickness - region.y) / 60, 0, 1)
    apex = np.clip((region.z - 60) / 50, 0, 1)
    level = thickness * np.maximum(front, apex) * np.clip((region.z + 120) / 60, 0.2, 1)
    level = level * (1 + 0.08 * soft_noise(rng, region, 40.0))
    distance = (chest.lungs.wall - level).astype(np.float32)
    free = np.clip(0.5 - distance / chest.canvas.edge, 0, 1) * lung * (level > 1.5)
    line = np.exp(-(((distance - 0.6) / max(0.8, 0.45 * chest.canvas.edge)) ** 2)) * lung
    behind = np.clip(distance / 4, 0, 1) * lung
    airy = chest.canvas.hu[region.place] < -650
    chest.canvas.add(region, (behind * airy * np.float32(2.2) * np.float32(thickness)))
    chest.canvas.paint(region, (line * (level > 1.5) * 0.6).astype(np.float32), -150.0)
    chest.canvas.paint(region, free.astype(np.float32), -1000.0)
    return mask_box(region, free.astype(np.float32))
