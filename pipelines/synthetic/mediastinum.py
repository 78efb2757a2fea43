"""The heart, great vessels, central airways and oesophagus: where they lie, and drawing them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.body import FAT_HU, spine_centre
from pipelines.synthetic.build import HEART_CENTRE, Build
from pipelines.synthetic.canvas import (
    Array,
    Canvas,
    Point,
    Region,
    ellipsoid,
    polyline,
    smooth_path,
    soft_union,
    tube,
)

Path = NDArray[np.float64]

# Centre, radii and wall thickness of each chamber of a heart of standard size.
_CHAMBERS: dict[str, tuple[Point, Point, float]] = {
    "right_atrium": ((-28, -20, -36), (25, 29, 37), 3.0),
    "left_atrium": ((8, 10, -20), (35, 19, 25), 3.0),
    "right_ventricle": ((10, -50, -50), (42, 25, 37), 5.0),
    "left_ventricle": ((46, -30, -52), (37, 34, 41), 11.0),
}
_AORTA = ((2, -22, -8), (-13, -28, 18), (-13, -22, 42), (1, -4, 59), (17, 16, 56), (25, 34, 42))
_DESCENDING = ((26, 42, 20), (24, 44, -40), (16, 42, -90), (6, 38, -180))
_CORONARIES: dict[str, tuple[Point, ...]] = {
    "left anterior descending": (
        (10, -26, -6),
        (22, -48, -18),
        (34, -62, -34),
        (44, -66, -52),
        (52, -60, -76),
    ),
    "circumflex": ((10, -24, -8), (34, -8, -18), (56, -4, -28), (66, -8, -48)),
    "right coronary": ((-8, -36, -10), (-24, -52, -26), (-30, -50, -52), (-16, -34, -78)),
}


@dataclass(frozen=True, slots=True)
class Vessel:
    """A tube: its course, radius, and whether venous blood flows in it."""

    path: Path
    radius: float
    venous: bool = False


def chambers(build: Build) -> dict[str, tuple[Point, Point, float]]:
    """Each chamber's centre, radii and wall, for this patient's heart."""
    placed = {}
    for name, (centre, radii, wall) in _CHAMBERS.items():
        moved = heart_point(build, centre)
        placed[name] = (
            moved,
            (build.heart * radii[0], build.heart * radii[1], build.heart * radii[2]),
            wall,
        )
    return placed


def heart_point(build: Build, point: Point) -> Point:
    """A point of the standard heart, in this patient."""
    x, y, z = (c + build.heart * (p - c) for p, c in zip(point, HEART_CENTRE, strict=True))
    return (x + build.shift, y, z)


def heart_distance(build: Build, region: Region) -> Array:
    """Signed distance to the outer surface of the four chambers together."""
    distance: Array | None = None
    for centre, radii, _ in chambers(build).values():
        one = ellipsoid(region, centre, radii)
        distance = one if distance is None else soft_union(distance, one, 7.0)
    assert distance is not None
    return distance


def coronaries(build: Build) -> dict[str, Path]:
    """The courses of the three coronary arteries, in the grooves of this patient's heart."""
    return {
        name: smooth_path(polyline(*(heart_point(build, point) for point in points)), 2.0)
        for name, points in _CORONARIES.items()
    }


def _sideways(shift: float) -> NDArray[np.float64]:
    return np.array([shift, 0.0, 0.0])


def aorta(build: Build) -> Path:
    """The aorta's course from its root to below the diaphragm."""
    first = polyline(*_AORTA) + _sideways(build.shift)
    rest = polyline(*_DESCENDING) + _sideways(0.5 * build.shift)
    rest[1] += [build.tortuosity, -0.4 * build.tortuosity, 0]
    first[3, 2] += 0.5 * build.tortuosity
    return smooth_path(np.concatenate([first, rest]), 8.0)


def aorta_radius(build: Build) -> float:
    """The aorta's mean radius."""
    return 12.5 * build.aorta


def vessels(build: Build) -> dict[str, Vessel]:
    """The great vessels other than the aorta."""
    right, left = hila(build)
    shift = _sideways(build.shift)

    def path(*points: Point) -> Path:
        return smooth_path(polyline(*points) + shift, 8.0)

    return {
        "brachiocephalic": Vessel(path((-5, -10, 60), (-17, -5, 95), (-24, 0, 165)), 6),
        "left_carotid": Vessel(path((5, 0, 61), (12, 8, 100), (17, 5, 165)), 4),
        "left_subclavian": Vessel(path((15, 13, 59), (24, 22, 95), (45, 18, 124)), 4.5),
        "superior_vena_cava": Vessel(path((-30, -17, 70), (-30, -12, 30), (-29, -16, -8)), 9, True),
        "right_brachiocephalic": Vessel(path((-30, -17, 68), (-37, -16, 110)), 7, True),
        "left_brachiocephalic": Vessel(
            path((-29, -20, 68), (0, -32, 74), (30, -20, 100)), 6.5, True
        ),
        "pulmonary_trunk": Vessel(path((16, -42, -8), (17, -32, 14), (13, -14, 29)), 13, True),
        "right_pulmonary": Vessel(np.vstack([path((12, -12, 30), (-18, -5, 25)), right]), 10, True),
        "left_pulmonary": Vessel(np.vstack([path((14, -10, 31), (30, 4, 34)), left]), 10, True),
        "right_upper_vein": Vessel(path((-16, 5, -10), (-34, -4, -4), (-48, -8, 4)), 6),
        "right_lower_vein": Vessel(path((-16, 14, -24), (-46, 26, -30)), 6),
        "left_upper_vein": Vessel(path((28, 4, -8), (42, -8, 2), (50, -12, 10)), 6),
        "left_lower_vein": Vessel(path((28, 16, -22), (50, 30, -30)), 6),
        "inferior_vena_cava": Vessel(
            path((-22, 0, -60), (-22, 14, -115), (-16, 24, -185)), 11, True
        ),
        "azygos": Vessel(path((-6, 42, -150), (-7, 38, 30)), 3, True),
    }


def hila(build: Build) -> tuple[Path, Path]:
    """Where right and left lung vessels and bronchi enter."""
    return (
        np.array([-46.0 + build.shift, 6.0, 16.0]),
        np.array([46.0 + build.shift, 16.0, 22.0]),
    )


def airways(build: Build) -> dict[str, Path]:
    """Trachea and main bronchi down to the hila."""
    right, left = hila(build)
    carina = np.array([2.0 + build.shift, 22.0, 42.0])
    high = polyline((0, 10, 165), (1, 16, 95))
    return {
        "trachea": smooth_path(np.vstack([high, carina]), 8.0),
        "right_main": np.vstack([carina, right + np.array([4, 10, 4])]),
        "left_main": np.vstack([carina, left + np.array([-2, 8, -6])]),
    }


def oesophagus(build: Build) -> Path:
    """The oesophagus down to the stomach."""
    points = polyline((7, 28, 160), (8, 36, 60), (6, 36, 0), (10, 28, -62), (26, 10, -104))
    return smooth_path(points + _sideways(0.6 * build.shift), 8.0)


def hernia_centre(build: Build) -> Point:
    """The centre of a hiatal hernia: behind the heart, above the hiatus."""
    return (8.0 + 0.6 * build.shift, 22.0 - 0.1 * build.hernia, -82.0 + 0.75 * build.hernia)


def envelope(build: Build, region: Region) -> Array:
    """Signed distance to all that keeps the lungs apart: organs and the fat around them."""
    cx, cy = spine_centre(build, region.z)
    spine = np.sqrt(((region.x - cx) / 21) ** 2 + ((region.y - cy - 2) / 18) ** 2)
    behind = np.maximum(np.abs(region.x - cx) - 21, cy - region.y)
    distance = np.minimum((spine - 1) * 18, behind).astype(np.float32)
    width = np.interp(region.z, [-160, -60, 0, 30, 60, 100, 140], [12, 13, 17, 23, 27, 27, 34])
    front = np.clip((-18 - region.y) / 40, 0, 1)
    column = np.abs(region.x - build.shift) - width * (1 - 0.8 * front)
    distance = np.minimum(distance, column).astype(np.float32)
    heart = heart_distance(build, region) - (2.5 + build.heart_fat + build.pericardial_fluid)
    distance = soft_union(distance, heart, 8.0)
    distance = soft_union(distance, tube(region, aorta(build), aorta_radius(build) + 2.5), 4.0)
    parts = vessels(build)
    for name in ("superior_vena_cava", "pulmonary_trunk", "right_pulmonary", "left_pulmonary"):
        vessel = parts[name]
        distance = soft_union(distance, tube(region, vessel.path, vessel.radius + 1.5), 4.0)
    for name in ("right_main", "left_main"):
        distance = soft_union(distance, tube(region, airways(build)[name], 8.0), 4.0)
    if build.hernia:
        radius = build.hernia + 1.5
        radii = (1.1 * radius, 0.85 * radius, radius)
        distance = soft_union(distance, ellipsoid(region, hernia_centre(build), radii), 5.0)
    return distance


def draw_mediastinum(canvas: Canvas, build: Build) -> None:
    """Draw heart, vessels, central airways and oesophagus into the mediastinal fat."""
    _draw_heart(canvas, build)
    for vessel in vessels(build).values():
        blood = build.venous_blood if vessel.venous else build.blood
        canvas.tube(vessel.path, vessel.radius, blood)
    canvas.tube(aorta(build), aorta_radius(build), build.blood)
    canvas.tube(oesophagus(build), 6.5, build.muscle - 10)
    canvas.tube(oesophagus(build)[:12], 1.5, -500.0)
    for name, path in airways(build).items():
        radius = 8.5 if name == "trachea" else 6.5
        canvas.tube(path, radius + 1.6, 30.0)
    for name, path in airways(build).items():
        canvas.tube(path, 8.5 if name == "trachea" else 6.5, -985.0)
    for sign in (-1, 1):
        canvas.ellipsoid((17.0 * sign, 2.0, 150.0), (9.0, 11.0, 18.0), build.muscle + 55)


def _draw_heart(canvas: Canvas, build: Build) -> None:
    centre = heart_point(build, (14, -24, -46))
    reach = 85 * build.heart + build.pericardial_fluid
    region = canvas.around(centre, (reach, reach, reach))
    if region is None:
        return
    surface = heart_distance(build, region)
    fluid = build.pericardial_fluid
    sac = surface - (build.heart_fat * 0.6 + 1.0)
    # Only what lies above the diaphragm belongs to the sac; it rests on the liver.
    floor = (heart_point(build, (0, 0, -88))[2] - fluid - region.z).astype(np.float32)
    canvas.paint(region, canvas.cover(np.maximum(sac - fluid - 1.2, floor)), 35.0)
    if fluid:
        canvas.paint(region, canvas.cover(np.maximum(sac - fluid, floor)), build.fluid)
    canvas.paint(region, canvas.cover(np.maximum(sac, floor)), FAT_HU)
    for name, (place, radii, wall) in chambers(build).items():
        distance = ellipsoid(region, place, radii)
        canvas.paint(
            region,
            canvas.cover(np.maximum(distance, floor)),
            build.muscle - 5 + 0.25 * (build.blood - 40),
        )
        blood = build.venous_blood if name.startswith("right") else build.blood
        canvas.paint(region, canvas.cover(np.maximum(distance + wall, floor)), blood)
    for path in coronaries(build).values():
        canvas.stamp(path, np.full(len(path), 1.5), build.blood)
