"""Things that people put into a chest, and the leads that lie on it."""

import numpy as np

from pipelines.synthetic import mediastinum
from pipelines.synthetic.anatomy import Chest, united
from pipelines.synthetic.body import breast_front, skin_front
from pipelines.synthetic.canvas import Box, box_of, polyline, smooth_path
from pipelines.synthetic.case import PlannedFinding, Side

_METAL_HU = 3000.0


def draw_medical_device(
    chest: Chest, finding: PlannedFinding, rng: np.random.Generator
) -> Box | None:
    """A port with its catheter, a pacemaker with its leads, sternal wires, or a coronary stent."""
    sign = 1.0 if finding.side is Side.LEFT else -1.0
    match finding.texture:
        case "port":
            return _draw_port(chest, sign)
        case "pacemaker":
            return _draw_pacemaker(chest, sign)
        case "sternal_wires":
            return _draw_wires(chest, rng)
        case _:
            return _draw_stent(chest)


def _draw_port(chest: Chest, sign: float) -> Box | None:
    canvas = chest.canvas
    depth = skin_front(chest.build, 80, 66) + 0.5 * chest.build.fat + 5
    pocket = (sign * 80.0, depth, 66.0)
    canvas.ellipsoid(pocket, (14.0, 6.5, 14.0), 2400.0)
    canvas.ellipsoid((pocket[0], pocket[1] - 2, pocket[2]), (6.0, 4.0, 6.0), 250.0)
    cava = mediastinum.vessels(chest.build)["superior_vena_cava"].path
    line = smooth_path(
        np.vstack([pocket, (sign * 62, depth + 6, 102), (sign * 40, -18, 108), cava[0], cava[-1]]),
        1.0,
    )
    canvas.stamp(line, np.full(len(line), 1.7), 1500.0)
    return box_of(np.vstack([line, np.array(pocket)[None]]), 8.0)


def _draw_pacemaker(chest: Chest, sign: float) -> Box | None:
    canvas = chest.canvas
    depth = skin_front(chest.build, 96, 62) + 0.5 * chest.build.fat + 6
    pocket = np.array([sign * 92.0, depth, 62.0])
    canvas.ellipsoid((float(pocket[0]), depth, 62.0), (24.0, 6.0, 21.0), _METAL_HU)
    cava = mediastinum.vessels(chest.build)["superior_vena_cava"].path
    atrium = mediastinum.heart_point(chest.build, (-24, -34, -24))
    apex = mediastinum.heart_point(chest.build, (30, -56, -72))
    valve = mediastinum.heart_point(chest.build, (-10, -34, -54))
    way = [pocket, (sign * 66, depth + 8, 100), (sign * 38, -18, 106), cava[0], cava[-1]]
    points = []
    for rest in ([atrium], [valve, apex]):
        line = smooth_path(np.vstack([*way, *rest]), 1.0)
        canvas.stamp(line, np.full(len(line), 1.4), 2600.0)
        points.append(line)
    return box_of(np.vstack(points), 8.0)


def _draw_wires(chest: Chest, rng: np.random.Generator) -> Box | None:
    boxes = []
    for z in np.arange(-50, 85, 26.0):
        y = float(np.interp(z, (-60, 0, 40, 80), (-102, -97, -83, -56))) - 1
        angle = np.linspace(0, 2 * np.pi, 60)
        ring = np.stack(
            [
                18 * np.cos(angle),
                y + 9.5 * np.sin(angle),
                np.full(60, z) + rng.normal(0, 1) + 3 * np.cos(angle),
            ],
            axis=1,
        )
        chest.canvas.stamp(ring, np.full(60, 1.7), _METAL_HU)
        boxes.append(box_of(ring, 1.7))
    return united(boxes)


def _draw_stent(chest: Chest) -> Box | None:
    path = mediastinum.coronaries(chest.build)["left anterior descending"]
    part = path[len(path) // 6 : len(path) // 2]
    chest.canvas.stamp(part, np.full(len(part), 2.6), 1400.0)
    chest.canvas.stamp(part, np.full(len(part), 1.0), chest.build.blood)
    return box_of(part, 2.6)


def _outside(chest: Chest, x: float, y: float, z: float) -> float:
    """The y of what lies at (x, z): y itself, or before it where a breast is."""
    front = breast_front(chest.build, np.array([x]), np.array([z]))
    return min(y, float(front[0]) - 2)


def draw_leads(chest: Chest, rng: np.random.Generator) -> None:
    """A look-alike: electrodes and wires on the skin, outside the patient."""
    for x, z in (
        (-70.0, 80.0),
        (70.0, 84.0),
        (60.0, -60.0),
        (-30.0, -40.0),
        (90.0, -10.0),
    ):
        x, z = x + rng.normal(0, 8), z + rng.normal(0, 8)
        y = _outside(chest, x, skin_front(chest.build, x, z) - 2, z)
        chest.canvas.ellipsoid((x, y, z), (8.0, 4.5, 8.0), _METAL_HU)
        side = polyline((x, y - 3, z), (x * 1.5, y + 12, z + 30), (x * 1.2, y + 6, z + 75))
        wire = smooth_path(side, 1.0)
        wire[:, 1] = np.minimum(wire[:, 1], breast_front(chest.build, wire[:, 0], wire[:, 2]) - 2)
        chest.canvas.stamp(wire, np.full(len(wire), 1.6), _METAL_HU)
    if rng.random() < 0.5:
        y = _outside(chest, 40.0, skin_front(chest.build, 40, -20), -20.0)
        chest.canvas.ellipsoid((40.0, y - 6, -20.0), (24.0, 6.0, 16.0), _METAL_HU)  # a monitor
