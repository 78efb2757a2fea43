"""Old scars of the lung: apical caps, bands from the pleura, basal reticulation."""

import numpy as np

from pipelines.synthetic.anatomy import Chest, mask_box, united
from pipelines.synthetic.build import strength
from pipelines.synthetic.canvas import Box, box_of, soft_noise
from pipelines.synthetic.case import PlannedFinding


def draw_fibrotic_sequela(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Caps at the apices, bands from the pleura, or basal reticulation with honeycombs."""
    if finding.texture == "apical_scar":
        return _draw_apical_scar(chest, finding, rng)
    if finding.texture == "reticular":
        return _draw_reticulation(chest, finding, rng)
    return _draw_bands(chest, finding, rng)


def _draw_apical_scar(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, inner, lung = found
    marked = strength(finding)
    top = np.clip((region.z - (92 - 10 * marked)) / 14, 0, 1)
    rough = soft_noise(rng, region, 9.0)
    cap = 6 + 6 * marked + 4 * rough
    streaks = np.clip((np.abs(soft_noise(rng, region, 13.0)) * -7 + 1.4 + marked), 0, 1)
    streaks = streaks * np.clip((34 - chest.lungs.depth[inner]) / 8, 0, 1)
    near = np.clip((cap - chest.lungs.depth[inner]) / 3, 0, 1)
    cover = (np.maximum(near, 0.8 * streaks) * top * lung).astype(np.float32)
    if not finding.visible:
        cover = cover * np.float32(0.25)
    chest.canvas.paint(region, cover, 10.0)
    return mask_box(region, cover)


def _draw_bands(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box | None:
    length = chest.canvas.units(finding.size_mm or 40.0)
    start = chest.lungs.pick_places(rng, 1, finding, depth=(1.0, 7.0))[0]
    middle = np.array([70.0 if start[0] > 0 else -70.0, 10.0, start[2] + rng.uniform(-20, 20)])
    inward = (middle - start) / max(float(np.linalg.norm(middle - start)), 1.0)
    boxes = []
    for _ in range(3 + int(3 * max(strength(finding), 0))):
        way = inward + rng.normal(0, 0.35, 3)
        way /= np.linalg.norm(way)
        share = np.linspace(0, 1, int(length / 1.2))
        bend = rng.normal(0, 3, 3) * np.sin(np.pi * share)[:, None]
        line = start + way * (share * length)[:, None] + bend
        # Broad across: a band is a thin plate, so several lines lie side by side.
        across = np.cross(way, rng.normal(size=3))
        across *= rng.uniform(4, 8) / np.linalg.norm(across)
        plate = np.concatenate([line + across * t for t in np.linspace(-1, 1, 9)])
        plate = plate[chest.lungs.depth_at(plate) > 0]
        radius = 2.0 if finding.visible else 0.6
        chest.canvas.stamp(plate, np.full(len(plate), radius), 0.0)
        if len(plate):
            boxes.append(box_of(plate, radius))
    return united(boxes)


def _draw_reticulation(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    found = chest.lobe_part(finding)
    if found is None:
        return None
    region, inner, lung = found
    marked = strength(finding)
    depth = chest.lungs.depth[inner]
    base = np.clip((-10 + 25 * marked - region.z) / 30, 0, 1)
    rim = np.clip((15 + 8 * marked - depth + 6 * soft_noise(rng, region, 16.0)) / 5, 0, 1)
    extent = base * rim * lung
    cells = soft_noise(rng, region, 4.5)
    cells = np.where(cells > 0.35, -900.0, np.where(cells < -0.1, -120.0, -480.0))
    opacity = 0.85 if finding.visible else 0.2
    chest.canvas.paint(region, (extent * opacity).astype(np.float32), cells.astype(np.float32))
    return mask_box(region, extent.astype(np.float32))
