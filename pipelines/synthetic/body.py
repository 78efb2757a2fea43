"""The body wall: skin, fat, muscle, breasts, ribs, spine, sternum, shoulders, and the table."""

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.build import Build
from pipelines.synthetic.canvas import (
    Array,
    Box,
    Canvas,
    Point,
    Region,
    box_of,
    coarse_region,
    polyline,
    refine,
    soft_noise,
)

FAT_HU = -105.0

# By height z: the chest cavity's half-width, half-depth and centre, the muscle's half-width and
# half-depth, and how far back the vertebral bodies' centres lie.
_Z = (-175, -120, -60, 0, 40, 80, 110, 128, 140, 160)
_CAVITY_WIDTH = (126, 132, 132, 124, 112, 90, 64, 42, 16, 8)
_CAVITY_DEPTH = (92, 95, 95, 90, 81, 63, 43, 27, 11, 6)
_CAVITY_CENTRE = (2, 0, 0, 0, 5, 14, 24, 30, 33, 34)
_MUSCLE_WIDTH = (140, 148, 152, 156, 166, 172, 152, 118, 96, 74)
_MUSCLE_DEPTH = (104, 110, 112, 111, 106, 98, 92, 84, 78, 68)
_SPINE = (58, 60, 64, 60, 54, 46, 38, 33, 28, 22)
_RIB_STEP = 25.0
_BODY_BOX: Box = (-240.0, -190.0, -180.0, 240.0, 190.0, 180.0)
_COARSE = 4.0  # step at which smooth outlines are worked out


def at_height(z: Array, values: tuple[int, ...]) -> Array:
    """A measure that is tabulated by height, at the heights z."""
    return np.interp(z, _Z, values).astype(np.float32)


def cavity_depth(region: Region) -> Array:
    """How deep a point lies inside the chest cavity (negative outside), radially in its slice."""
    return _oval(
        region,
        at_height(region.z, _CAVITY_WIDTH),
        at_height(region.z, _CAVITY_DEPTH),
        at_height(region.z, _CAVITY_CENTRE),
        power=2.4,
    )


def _muscle_depth(region: Region) -> Array:
    width, depth = at_height(region.z, _MUSCLE_WIDTH), at_height(region.z, _MUSCLE_DEPTH)
    return _oval(region, width, depth, np.zeros(1), power=2.3)


def spine_centre(build: Build, z: Array) -> tuple[Array, Array]:
    """Where the vertebral bodies' centres lie at heights z: (x, y)."""
    x = build.spine_curve * np.sin(z / 70.0)
    return np.asarray(x, dtype=np.float32), at_height(z, _SPINE)


def _oval(region: Region, width: Array, depth: Array, centre: Array, power: float) -> Array:
    x, y = np.abs(region.x), region.y - centre
    level = ((x / width) ** power + (np.abs(y) / depth) ** power) ** (1 / power)
    radius = np.sqrt(x**2 + y**2)
    return np.asarray(radius / np.maximum(level, 1e-3) - radius, dtype=np.float32)


def draw_body(canvas: Canvas, build: Build, variants: tuple[str, ...], seed: int) -> Array:
    """Draw everything outside the chest cavity; gives `cavity_depth` over the whole canvas."""
    rng = np.random.default_rng([seed, 1])
    whole = canvas.region()
    assert whole is not None
    _draw_table(canvas, build)
    coarse = coarse_region(whole.box, _COARSE)
    cavity = refine(cavity_depth(coarse), coarse, whole)
    muscle = refine(_muscle_depth(coarse), coarse, whole)
    belly = 1 + 0.35 * np.clip(-whole.z / 150, -0.5, 1)
    front = 1 + 0.25 * np.clip(-whole.y / 100, -1, 1)
    skin = muscle + np.float32(build.fat) * (belly * front).astype(np.float32)
    canvas.paint(whole, canvas.cover(-skin), 20.0)
    if build.breast:
        _draw_breasts(canvas, build, rng)
    canvas.paint(whole, canvas.cover(2.5 - skin), FAT_HU)
    streaks = np.float32(5.0) * soft_noise(rng, whole, 22.0, _BODY_BOX)
    canvas.paint(whole, canvas.cover(-muscle + np.clip(streaks, -2, 9)), build.muscle)
    _draw_axillae(canvas, build)
    if "pleural_fat" in variants:
        canvas.paint(whole, canvas.cover(np.abs(cavity + 2.0) - 2.5), FAT_HU)
    canvas.paint(whole, canvas.cover(-cavity), FAT_HU)
    _draw_ribs(canvas, build, cavity, "cartilage_calcification" in variants, rng)
    _draw_spine(canvas, build, "osteophytes" in variants, rng)
    _draw_shoulders(canvas, build)
    if "arms_down" in variants:
        _draw_arms(canvas, build)
    return cavity


def skin_front(build: Build, x: float, z: float) -> float:
    """The y of the skin's front at (x, z), on the canvas; breasts lie on it."""
    width = float(np.interp(z, _Z, _MUSCLE_WIDTH))
    depth = float(np.interp(z, _Z, _MUSCLE_DEPTH))
    muscle = depth * max(1 - (abs(x) / width) ** 2.3, 0.05) ** (1 / 2.3)
    return float(-muscle - 1.2 * build.fat)


def breast_front(build: Build, x: Array, z: Array) -> Array:
    """The y of the breasts' front at points (x, z), on the canvas; infinite beside them."""
    if not build.breast:
        return np.full_like(x, np.inf)
    (centre_x, centre_y, centre_z), (rx, ry, rz) = _breast(build, 1)
    height = 1 - ((np.abs(x) - centre_x) / rx) ** 2 - ((z - centre_z) / rz) ** 2
    return np.where(height > 0, centre_y - ry * np.sqrt(np.maximum(height, 0)), np.inf)


def _breast(build: Build, sign: int) -> tuple[Point, Point]:
    """The centre and the radii of the breast at the side of the x of this sign."""
    size = build.breast * (0.8 + 0.02 * build.fat)
    centre = (sign * 78.0, skin_front(build, 78, 0) + 6, -4.0)
    return centre, (52 * size, 38 * size, 50 * size)


def _draw_table(canvas: Canvas, build: Build) -> None:
    back = 110 + 0.75 * build.fat
    region = canvas.region((-220, back, canvas.z[0], 220, back + 40, canvas.z[-1]))
    if region is None:
        return
    surface = back + 14 - 0.0009 * region.x**2 + 0 * region.z
    distance = np.asarray(np.abs(region.y - surface) - 1.2, dtype=np.float32)
    canvas.paint(region, canvas.cover(distance), -150.0)
    inner = np.asarray(np.abs(region.y - surface - 12) - 11, dtype=np.float32)
    canvas.paint(region, canvas.cover(inner), -930.0)


def _draw_breasts(canvas: Canvas, build: Build, rng: np.random.Generator) -> None:
    for sign in (-1, 1):
        centre, radii = _breast(build, sign)
        canvas.ellipsoid(centre, radii, FAT_HU)
        gland = canvas.around(centre, [0.6 * r for r in radii])
        if gland is not None:
            x, y, z = gland.x - centre[0], gland.y - centre[1] + 0.2 * radii[1], gland.z - centre[2]
            level = np.sqrt(
                (x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2, dtype=np.float32
            )
            texture = soft_noise(rng, gland, 7.0, box_of(np.array([centre]), 60.0))
            inside = np.clip((0.5 - level) * 5, 0, 1) * np.clip(texture, 0, 1) * 0.7
            canvas.paint(gland, inside.astype(np.float32), 30.0)


def _draw_axillae(canvas: Canvas, build: Build) -> None:
    for sign in (-1, 1):
        canvas.ellipsoid((sign * 132.0, -4.0, 78.0), (24.0, 30.0, 36.0), FAT_HU, softness=3)
        canvas.tube(polyline((sign * 110, -8, 105), (sign * 150, -12, 95)), 5.0, build.blood)
        # Fat between the pectoral muscles and the chest wall.
        canvas.ellipsoid((sign * 88.0, -80.0, 62.0), (34.0, 5.0, 30.0), FAT_HU, softness=2)


def _draw_ribs(
    canvas: Canvas, build: Build, cavity: Array, calcified: bool, rng: np.random.Generator
) -> None:
    """Ribs are oblique rings in the shell around the cavity: one pattern, repeated by height."""
    heights = canvas.z
    top = int(np.searchsorted(heights, 132))
    iz, iy, ix = np.nonzero((cavity[:top] < 0) & (cavity[:top] > -13))
    x, y, z = canvas.x[ix], canvas.y[iy], heights[iz]
    outward = -cavity[:top][iz, iy, ix]
    along = (y - at_height(z, _CAVITY_CENTRE)) / at_height(z, _CAVITY_DEPTH)  # 1 back, -1 front
    descended = z + 38.0 * (1 - along)
    phase = descended / _RIB_STEP
    height = (phase - np.rint(phase)) * _RIB_STEP
    level = np.sqrt((height / 7.0) ** 2 + ((outward - 6.5) / 4.2) ** 2)
    cover = np.clip(0.5 - (level - 1) * 4.2 / canvas.edge, 0, 1)
    marrow = np.clip(0.5 - (level - 0.62) * 4.2 / canvas.edge, 0, 1)
    hu = build.bone + 480 - 430 * marrow
    cartilage = along < -0.62
    hu = np.where(cartilage, 85.0, hu)
    if calcified:
        lumps = np.sin(0.31 * x + 1) * np.sin(0.27 * z) + rng.normal(0, 0.2, x.size)
        hu = np.where(cartilage & (lumps > 0.4), rng.uniform(250, 600), hu)
    cover = np.where(np.abs(x) < 14, 0, cover)
    view = canvas.hu[:top]
    view[iz, iy, ix] += (cover * (hu - view[iz, iy, ix])).astype(np.float32)
    _draw_sternum(canvas, build)


def _draw_sternum(canvas: Canvas, build: Build) -> None:
    region = canvas.region((-34, -125, -72, 34, -20, 92))
    if region is None:
        return
    front = at_height(region.z, _CAVITY_CENTRE) - at_height(region.z, _CAVITY_DEPTH) - 7.5
    width = np.where(region.z > 48, 26.0, 15.0 - 4.0 * (region.z < -45))
    distance = np.maximum(np.abs(region.x) - width, np.abs(region.y - front) - 5.5)
    distance = np.maximum(distance, np.maximum(region.z - 88, -70 - region.z))
    distance = np.where(np.abs(region.z - 46) < 1.5, 3.0, distance).astype(np.float32)
    canvas.paint(region, canvas.cover(distance), build.bone + 330)
    canvas.paint(region, canvas.cover(distance + 2.6), build.bone - 60)


def _draw_spine(canvas: Canvas, build: Build, osteophytes: bool, rng: np.random.Generator) -> None:
    region = canvas.region((-60, 0, canvas.z[0], 60, 125, canvas.z[-1]))
    if region is None:
        return
    cx, cy = spine_centre(build, region.z)
    x, y = region.x - cx, region.y - cy
    phase = (region.z + 8) / 25.0
    height = (phase - np.rint(phase)) * 25.0
    waist = 1 - 0.09 * np.cos(np.pi * height / 12.5)
    size = np.interp(region.z, [-160, 150], [1.12, 0.82]) * waist
    canvas.paint(region, canvas.cover(_cylinder(x, y - 20, 26 * size, 26 * size)), build.muscle)
    level = _cylinder(x, y, 18 * size, 15 * size)
    body = np.maximum(level, np.abs(height) - 9.8).astype(np.float32)
    canvas.paint(region, canvas.cover(level), 85.0)  # discs
    canvas.paint(region, canvas.cover(body), build.bone + 260)
    canvas.paint(region, canvas.cover(body + 2.2), build.bone)
    ring = np.abs(_cylinder(x, y - 23 * size, 10 * size, 9 * size)) - 2.5
    lamina = np.maximum(ring, np.abs(height - 2) - 8).astype(np.float32)
    canvas.paint(region, canvas.cover(lamina), build.bone + 260)
    canvas.paint(region, canvas.cover(_cylinder(x, y - 23 * size, 8.5, 7.5)), 25.0)
    process = np.maximum(np.abs(x) - 2.6, np.abs(y - 43 * size) - 12)
    process = np.maximum(process, np.abs(height + 3) - 7).astype(np.float32)
    canvas.paint(region, canvas.cover(process), build.bone + 240)
    wing = np.maximum(np.abs(np.abs(x) - 22) - 12, np.abs(y - 22 - 0.25 * np.abs(x)) - 4)
    wing = np.maximum(wing, np.abs(height - 1) - 5).astype(np.float32)
    canvas.paint(region, canvas.cover(wing), build.bone + 220)
    if osteophytes:
        for z in np.arange(-120, 90, 25.0)[rng.random(9) < 0.6]:
            side = rng.choice([-1, 1])
            y0 = float(np.interp(z, _Z, _SPINE)) - 8
            canvas.ellipsoid((15.0 * side, y0, z + 4.5), (6.0, 5.0, 6.0), build.bone + 330)


def _cylinder(x: Array, y: Array, width: Array | float, depth: Array | float) -> Array:
    level = np.sqrt((x / width) ** 2 + (y / depth) ** 2)
    return np.asarray((level - 1) * np.minimum(width, depth), dtype=np.float32)


def _bone(canvas: Canvas, build: Build, points: NDArray[np.float64], radius: float) -> None:
    canvas.tube(points, radius, build.bone + 420)
    canvas.tube(points, 0.55 * radius, build.bone)


def _draw_shoulders(canvas: Canvas, build: Build) -> None:
    for sign in (-1, 1):
        _bone(canvas, build, polyline((sign * 20, -58, 94), (sign * 80, -52, 112)), 6.0)
        _bone(canvas, build, polyline((sign * 80, -52, 112), (sign * 150, -8, 126)), 6.0)
        blade = canvas.region((sign * 105 - 45, 20, 0, sign * 105 + 45, 112, 118))
        if blade is None:
            continue
        lateral = np.abs(blade.x) - 68
        plane = (blade.y - 98 + 0.62 * lateral + 0.05 * (blade.z - 60)) * 0.85
        width = np.clip((blade.z - 2) / 1.4, 0, 58)
        sheet = np.maximum(np.abs(plane) - 2.4, np.maximum(-lateral, lateral - width))
        sheet = np.maximum(sheet, np.abs(blade.z - 58) - 56).astype(np.float32)
        canvas.paint(blade, canvas.cover(sheet), build.bone + 260)
        _bone(canvas, build, polyline((sign * 88, 88, 92), (sign * 140, 50, 112)), 6.0)


def _draw_arms(canvas: Canvas, build: Build) -> None:
    for sign in (-1, 1):
        x = sign * (178 + build.fat)
        axis = polyline((x, 22, canvas.z[0] - 30), (sign * 170, 10, 110))
        canvas.tube(axis, 36 + 0.4 * build.fat, FAT_HU)
        canvas.tube(axis, 31, build.muscle)
        _bone(canvas, build, axis, 10.5)
