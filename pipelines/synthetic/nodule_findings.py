"""Rounded findings of the lung: nodules and masses."""

import numpy as np

from pipelines.synthetic.anatomy import Chest, mask_box, united
from pipelines.synthetic.canvas import Array, Box, Point, Region, box_of, soft_noise
from pipelines.synthetic.case import PlannedFinding

_NODULE_HU = {"ground_glass": -560.0, "calcified": 650.0}


def draw_nodule(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box | None:
    """One nodule in its lobe, or `count` of them in both lungs, the largest of the size given."""
    size = (finding.size_mm or 6.0) * (1.0 if finding.visible else 0.45)
    places = chest.lungs.pick_places(rng, finding.count, finding, depth=(3.0, 1e3))
    sizes = np.concatenate([[size], size * rng.uniform(0.45, 0.95, finding.count - 1)])
    boxes = []
    for place, diameter in zip(places, sizes, strict=True):
        radius = chest.canvas.units(diameter) / 2
        boxes.append(_draw_ball(chest, rng, point_of(place), radius, finding.texture or "solid"))
    return united([box for box in boxes if box])


def draw_mass(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box | None:
    """A mass: lobulated or spiculated, at times with a cavity."""
    radius = chest.canvas.units((finding.size_mm or 40.0) * (1 if finding.visible else 0.35)) / 2
    place = chest.lungs.pick_places(rng, 1, finding, depth=(0.35 * radius, 1e3))[0]
    return _draw_ball(chest, rng, point_of(place), radius, finding.texture or "solid")


def _draw_ball(
    chest: Chest, rng: np.random.Generator, centre: Point, radius: float, texture: str
) -> Box | None:
    """A lumpy ball, clipped to the lung; spicules, cavity or ground-glass rim by texture."""
    canvas = chest.canvas
    shape = rng.uniform(0.85, 1.12, 3)
    found = chest.window(centre, radius * 1.8 + 6)
    if found is None:
        return None
    region, inner = found
    distance = lumpy(rng, region, centre, radius, shape, 0.14)
    lung = np.clip(chest.lungs.cover[inner] * 1.5, 0, 1)
    cover = canvas.cover(distance) * lung
    hu = _NODULE_HU.get(texture, chest.build.tissue)
    if texture == "part_solid":
        canvas.paint(region, cover * 0.75, -540.0)
        canvas.paint(region, canvas.cover(distance + 0.5 * radius) * lung, chest.build.tissue)
    else:
        canvas.paint(region, cover, hu)
    if texture == "cavitary":
        hole = canvas.cover(distance + 0.45 * radius)
        canvas.paint(region, hole * lung, -970.0)
    if texture == "spiculated":
        _draw_spicules(chest, rng, centre, radius)
    return mask_box(region, cover)


def _draw_spicules(chest: Chest, rng: np.random.Generator, centre: Point, radius: float) -> None:
    ways = rng.normal(size=(14, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    reach = radius * rng.uniform(1.3, 1.9, 14)
    share = np.linspace(0.7, 1, 12)
    points = np.array(centre) + (ways * reach[:, None])[:, None, :] * share[None, :, None]
    points = points.reshape(-1, 3)
    inside = chest.canvas.region(box_of(points, 0))
    if inside is not None:
        sizes = np.tile(np.linspace(1.5, 0.6, 12), 14)
        chest.canvas.stamp(points, sizes, chest.build.tissue - 30)


def lumpy(
    rng: np.random.Generator,
    region: Region,
    centre: Point,
    radius: float,
    shape: Array,
    lumps: float,
) -> Array:
    """Signed distance to an ellipsoid of proportions `shape`, its surface uneven by `lumps`."""
    x, y, z = region.x - centre[0], region.y - centre[1], region.z - centre[2]
    away = np.sqrt((x / shape[0]) ** 2 + (y / shape[1]) ** 2 + (z / shape[2]) ** 2)
    box = box_of(np.array([centre]), 2 * radius + 8)
    bumps = soft_noise(rng, region, max(0.8 * radius, 3.0), box) * np.float32(lumps * radius)
    return np.asarray(away - radius + bumps, dtype=np.float32)


def point_of(place: Array) -> Point:
    """A place (3,) as a point."""
    return (float(place[0]), float(place[1]), float(place[2]))
