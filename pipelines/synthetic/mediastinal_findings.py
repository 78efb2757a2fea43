"""Findings of heart, vessels, nodes and oesophagus; the build sets the size of heart and hernia."""

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic import mediastinum
from pipelines.synthetic.anatomy import Chest, united
from pipelines.synthetic.body import FAT_HU
from pipelines.synthetic.build import strength
from pipelines.synthetic.canvas import Box, Point, box_of, ellipsoid
from pipelines.synthetic.case import PlannedFinding, Side

_STATIONS: tuple[Point, ...] = (
    (-17, 6, 54),  # right lower paratracheal
    (14, 24, 48),  # left lower paratracheal
    (2, 32, 16),  # subcarinal
    (26, -2, 40),  # aortopulmonary window
    (-14, 2, 84),  # right upper paratracheal
    (8, -44, 58),  # prevascular
    (-4, 36, 0),  # subcarinal, low
)
_HILAR: dict[Side, tuple[Point, ...]] = {
    Side.RIGHT: ((-46, -4, 26), (-50, 14, 8), (-42, 20, -4)),
    Side.LEFT: ((44, 4, 32), (52, 22, 12), (44, 28, 0)),
}
_AXILLARY: dict[Side, tuple[Point, ...]] = {
    Side.RIGHT: ((-130, -8, 70), (-126, 4, 56), (-136, 2, 86), (-130, -20, 82)),
    Side.LEFT: ((130, -8, 70), (126, 4, 56), (136, 2, 86), (130, -20, 82)),
}


def draw_cardiomegaly(chest: Chest, finding: PlannedFinding, rng: np.random.Generator) -> Box:
    """Nothing to paint: the build holds a large heart. Gives the heart's box."""
    del finding, rng
    return _heart_box(chest, 0.0)


def draw_pericardial_effusion(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box:
    """Nothing to paint: the build holds the fluid around the heart. Gives the sac's box."""
    del finding, rng
    return _heart_box(chest, chest.build.pericardial_fluid + 0.6 * chest.build.heart_fat)


def _heart_box(chest: Chest, margin: float) -> Box:
    boxes = []
    for centre, radii, _ in mediastinum.chambers(chest.build).values():
        low = [c - r - margin for c, r in zip(centre, radii, strict=True)]
        high = [c + r + margin for c, r in zip(centre, radii, strict=True)]
        boxes.append((low[0], low[1], low[2], high[0], high[1], high[2]))
    box = united(boxes)
    assert box is not None
    return box


def draw_hiatal_hernia(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Stomach behind the heart: a wall, content, and an air level towards the front."""
    del finding
    radius = chest.build.hernia
    centre = mediastinum.hernia_centre(chest.build)
    region = chest.canvas.around(centre, (1.2 * radius, radius, 1.1 * radius))
    if region is None or radius <= 0:
        return None
    radii = (1.1 * radius, 0.85 * radius, radius)
    distance = ellipsoid(region, centre, radii)
    canvas = chest.canvas
    canvas.paint(region, canvas.cover(distance - 1.0), chest.build.muscle)
    level = centre[1] - radius * rng.uniform(-0.1, 0.3)
    above_level = -950.0 if rng.random() < 0.85 else FAT_HU  # air, or fat that came along
    content = np.where(region.y < level, above_level, 25.0)
    inside = canvas.cover(distance + min(4.5, 0.3 * radius))
    canvas.paint(region, inside, content)
    low = [c - r for c, r in zip(centre, radii, strict=True)]
    high = [c + r for c, r in zip(centre, radii, strict=True)]
    return (low[0], low[1], low[2], high[0], high[1], high[2])


def draw_coronary_calcification(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Plaques along one, two or three coronary arteries, densest near their origins."""
    courses = mediastinum.coronaries(chest.build)
    names = ["left anterior descending", *rng.permutation(["circumflex", "right coronary"])]
    marked = strength(finding)
    boxes = []
    for name in names[: finding.count]:
        path = courses[name]
        share = 0.4 + 0.3 * max(marked, 0)
        near = np.linspace(0, 1, len(path)) < rng.uniform(0.65, 0.95)
        runs = np.convolve(rng.normal(size=len(path)), np.ones(4) / 2, mode="same")
        chosen = near & (runs > np.quantile(runs, 1 - share))
        points = path[chosen] + rng.normal(0, 0.4, (int(chosen.sum()), 3))
        radii = rng.uniform(1.9, 2.9 + 1.0 * max(marked, 0), len(points))
        if not finding.visible:
            points, radii = points[:1], radii[:1] * 0.5
        if len(points):
            chest.canvas.stamp(points, radii, float(rng.uniform(900, 1500)))
            boxes.append(box_of(points, 2.5))
    return united(boxes)


def draw_arterial_calcification(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Plaques in the aortic wall: arch first, then the descending part."""
    path = mediastinum.aorta(chest.build)
    radius = mediastinum.aorta_radius(chest.build)
    marked = strength(finding)
    low, high = chest.canvas.z[0] + 4, 70.0
    beyond = np.arange(len(path)) > 0.12 * len(path)
    kept = np.flatnonzero((path[:, 2] > low) & (path[:, 2] < high) & beyond)
    arch = path[kept, 2] > 38
    weights = np.where(arch, 3.0, 1.0)
    plaques = int(14 + 30 * max(marked, 0)) if finding.visible else 1
    points, sizes = [], []
    for place in rng.choice(kept, plaques, p=weights / weights.sum()):
        centre = path[place]
        along = path[min(place + 1, len(path) - 1)] - path[place - 1]
        points.append(_arc(rng, centre, along / np.linalg.norm(along), radius))
        size = rng.uniform(1.9, 3.3) if finding.visible else 0.6
        sizes.append(np.full(len(points[-1]), size))
    plaque = np.concatenate(points)
    chest.canvas.stamp(plaque, np.concatenate(sizes), float(rng.uniform(800, 1300)))
    return box_of(plaque, 2.5)


def _arc(
    rng: np.random.Generator,
    centre: NDArray[np.float64],
    along: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """A short arc on the wall of a tube."""
    across = np.cross(along, rng.normal(size=3))
    across /= np.linalg.norm(across)
    other = np.cross(along, across)
    angles = np.linspace(0, rng.uniform(0.4, 1.6), 8)
    lift = rng.uniform(-3, 3) * along
    ring = np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * other
    return np.asarray(centre + radius * ring + lift)


def draw_lymphadenopathy(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """Enlarged nodes, the largest with the short axis given, at one kind of station."""
    short = chest.canvas.units(finding.size_mm or 12.0) / 2 * (1 if finding.visible else 0.4)
    boxes = []
    for number, place in enumerate(_node_places(rng, finding)):
        radius = short if number == 0 else short * rng.uniform(0.6, 0.95)
        moved = place + rng.normal(0, 2, 3) + [chest.build.shift, 0, 0]
        centre = (float(moved[0]), float(moved[1]), float(moved[2]))
        chest.canvas.ellipsoid(
            centre, (radius, radius * rng.uniform(1, 1.3), radius * 1.3), chest.build.tissue
        )
        boxes.append(box_of(moved[None], 1.2 * radius))
    return united(boxes)


def _node_places(rng: np.random.Generator, finding: PlannedFinding) -> list[NDArray[np.float64]]:
    if finding.texture == "mediastinal":
        places = list(_STATIONS)
    else:
        table = _HILAR if finding.texture == "hilar" else _AXILLARY
        sides = table if finding.side in (Side.BILATERAL, Side.MIDLINE) else (finding.side,)
        places = [place for side in sides for place in table[side]]
    order = rng.permutation(len(places))[: max(2, finding.count)]
    return [np.array(places[i]) for i in order]


def draw_normal_nodes(chest: Chest, rng: np.random.Generator, *, calcified: bool) -> None:
    """Look-alikes: nodes of normal size, or small calcified ones."""
    places = [*_STATIONS, *_HILAR[Side.RIGHT], *_HILAR[Side.LEFT]]
    if not calcified:
        places += [*_AXILLARY[Side.RIGHT], *_AXILLARY[Side.LEFT]]
    for index in rng.permutation(len(places))[: 2 if calcified else 8]:
        place = places[index]
        radius = chest.canvas.units(rng.uniform(4, 8)) / 2
        hu = 500.0 if calcified else chest.build.tissue
        moved = (place[0] + chest.build.shift, place[1] + rng.normal(0, 2), place[2])
        chest.canvas.ellipsoid(moved, (radius, radius, 1.4 * radius), hu)
        if not calcified:
            chest.canvas.ellipsoid(moved, (0.4 * radius, 0.4 * radius, 0.8 * radius), FAT_HU)
