"""The lungs: their shape, lobes and fissures, and the diaphragm with what lies below it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic import mediastinum
from pipelines.synthetic.body import FAT_HU, cavity_depth
from pipelines.synthetic.build import Build
from pipelines.synthetic.canvas import (
    CHEST_BOX,
    Array,
    Canvas,
    Region,
    coarse_region,
    ellipsoid,
    refine,
    soft_noise,
)
from pipelines.synthetic.case import PlannedFinding, Side
from pipelines.synthetic.kinds import LOBES

COARSE = 4.0  # step at which the lungs' shape is worked out; it is smooth
_GRID_PLACES = int(np.prod(coarse_region(CHEST_BOX, COARSE).shape))


@dataclass(frozen=True, slots=True)
class Lungs:
    """The lungs on the canvas. Arrays lie over `region`."""

    region: Region
    cover: Array  # 0 to 1: how much of the voxel is lung
    depth: Array  # distance below the pleura, chest mm; negative outside
    wall: Array  # distance from the chest wall alone (costal pleura)
    lobe: NDArray[np.uint8]  # index into kinds.LOBES
    points: NDArray[np.float64]  # (n, 3) places inside the lungs, on a coarse grid
    point_number: NDArray[np.int64]  # (n,) their numbers on that grid, lung or not
    point_depth: Array  # (n,)
    point_lobe: NDArray[np.uint8]  # (n,)

    def mask(self, lobe: str | None, side: Side) -> Array:
        """Coverage of one lobe, one lung, or both."""
        if lobe is not None:
            return np.asarray(self.cover * (self.lobe == LOBES.index(lobe)))
        if side in (Side.RIGHT, Side.LEFT):
            return np.asarray(self.cover * (self.is_right == (side is Side.RIGHT)))
        return self.cover

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Which voxels belong to the right lung."""
        return self.lobe < 3

    def depth_at(self, points: NDArray[np.float64]) -> Array:
        """How deep points (n, 3) lie below the pleura; negative outside the lungs."""
        region = self.region
        depths = np.full(len(points), -np.inf)
        index = []
        inside = np.ones(len(points), dtype=bool)
        for number, axis in enumerate((region.x.ravel(), region.y.ravel(), region.z.ravel())):
            place = np.rint((points[:, number] - axis[0]) / (axis[1] - axis[0])).astype(int)
            inside &= (place >= 0) & (place < axis.size)
            index.append(place)
        x, y, z = (place[inside] for place in index)
        depths[inside] = self.depth[z, y, x]
        return depths

    def chosen(self, lobe: str | None, side: Side) -> NDArray[np.bool_]:
        """Which of `points` lie in a lobe, a lung, or either lung."""
        if lobe is not None:
            return np.asarray(self.point_lobe == LOBES.index(lobe))
        if side in (Side.RIGHT, Side.LEFT):
            return np.asarray((self.point_lobe < 3) == (side is Side.RIGHT))
        return np.ones(len(self.points), dtype=bool)

    def pick_places(
        self,
        rng: np.random.Generator,
        count: int,
        finding: PlannedFinding,
        depth: tuple[float, float],
    ) -> NDArray[np.float64]:
        """Draw places (count, 3) where a finding may lie, at a depth below the pleura."""
        chosen = self.pick(rng, count, lobe=finding.lobe, side=finding.side, depth=depth)
        return np.asarray(self.points[chosen])

    def pick(
        self,
        rng: np.random.Generator,
        count: int,
        *,
        lobe: str | None = None,
        side: Side = Side.BILATERAL,
        depth: tuple[float, float] = (0.0, 1e3),
    ) -> NDArray[np.int64]:
        """Draw places inside a lobe or a lung, at a depth below the pleura: indices of `points`."""
        kept = self.chosen(lobe, side)
        if not kept.any():  # a lobe squeezed to nothing
            kept = self.chosen(None, side)
        deep = kept & (self.point_depth >= depth[0]) & (self.point_depth <= depth[1])
        if not deep.any():  # too thin for the depth asked for: its deepest places
            deep = kept & (self.point_depth >= np.quantile(self.point_depth[kept], 0.9))
        # Every place of the grid draws a lot and the lowest win: so a lesion stays where it is when
        # the patient's next study gives the lungs a slightly different shape.
        lots = rng.random(_GRID_PLACES, dtype=np.float32)[self.point_number]
        allowed = np.flatnonzero(deep)
        return np.resize(allowed[np.argsort(lots[allowed])], count)


def dome_height(build: Build, x: Array, y: Array) -> Array:
    """The height z of the diaphragm's upper surface at (x, y)."""
    tilt = -0.22 * y
    domes = []
    for centre, top in ((-66.0, build.dome_right), (68.0, build.dome_left)):
        spread = ((x - centre - build.shift * 0.3) / 95) ** 2 + ((y + 8) / 104) ** 2
        domes.append(top - build.dome_depth * spread**1.15)
    return np.asarray(np.maximum(*domes) + tilt, dtype=np.float32)


def find_lungs(canvas: Canvas, build: Build) -> Lungs:
    """Work out the lungs' shape: inside the cavity, outside the mediastinum, above the domes."""
    coarse = coarse_region(CHEST_BOX, COARSE)
    region = canvas.region(CHEST_BOX)
    assert region is not None
    wall = np.minimum(cavity_depth(coarse) - 1.0, (142 - coarse.z) * 0.8)
    above = (coarse.z - dome_height(build, coarse.x, coarse.y)) * 0.8
    depth = np.minimum(wall, mediastinum.envelope(build, coarse))
    depth = np.minimum(depth, above).astype(np.float32)
    fine_depth = refine(depth, coarse, region)
    number = np.flatnonzero(depth > 0)
    iz, iy, ix = np.unravel_index(number, depth.shape)
    points = np.stack([coarse.x.ravel()[ix], coarse.y.ravel()[iy], coarse.z.ravel()[iz]], axis=1)
    return Lungs(
        region=region,
        cover=canvas.cover(-fine_depth),
        depth=fine_depth,
        wall=refine(wall, coarse, region),
        lobe=_lobes(build, region.x, region.y, region.z),
        points=points.astype(np.float64),
        point_number=number,
        point_depth=depth[depth > 0],
        point_lobe=_lobes(build, points[:, 0], points[:, 1], points[:, 2]),
    )


def oblique_fissure(build: Build, x: Array, y: Array) -> Array:
    """The height of the major fissures at (x, y): high behind, low in front."""
    return np.asarray(-14 + build.fissure + 0.92 * y + 6 * np.sin(np.abs(x) / 40), dtype=np.float32)


def _lobes(build: Build, x: Array, y: Array, z: Array) -> NDArray[np.uint8]:
    upper = z > oblique_fissure(build, x, y)
    high = z > build.fissure - 4 + 0.06 * (np.abs(x) - 70)
    right = np.where(upper, np.where(high, 0, 1), 2)
    left = np.where(upper, 3, 4)
    return np.asarray(np.where(x < build.shift, right, left), dtype=np.uint8)


def draw_abdomen(canvas: Canvas, build: Build, variants: tuple[str, ...], seed: int) -> None:
    """Draw the diaphragm, liver, stomach and spleen."""
    rng = np.random.default_rng([seed, 2])
    top = max(build.dome_left, build.dome_right) + 24
    region = canvas.region((-140, -104, canvas.z[0], 140, 104, top))
    if region is None:
        return
    inside = -cavity_depth(region)
    under = region.z - dome_height(build, region.x, region.y)
    below = np.maximum(inside, under).astype(np.float32)
    canvas.paint(region, canvas.cover(below), FAT_HU)
    enhanced = 0.35 * max(build.blood - 60, 0)
    liver = np.maximum(below + 2.0, (region.x - 30 - 0.25 * region.z - 24) * 0.9)
    liver = np.maximum(liver, ellipsoid(region, (-20, -12, -125), (112, 92, 95)))
    canvas.paint(region, canvas.cover(liver.astype(np.float32)), 58.0 + 0.7 * enhanced)
    spleen = np.maximum(ellipsoid(region, (88, 42, -122), (32, 42, 46)), below + 2.0)
    canvas.paint(region, canvas.cover(spleen.astype(np.float32)), 50.0 + enhanced)
    if "liver_cyst" in variants:
        for _ in range(int(rng.integers(1, 4))):
            centre = (rng.uniform(-90, -30), rng.uniform(-45, 40), rng.uniform(-135, -95))
            radius = rng.uniform(9, 30)
            cyst = np.maximum(ellipsoid(region, centre, (radius,) * 3), liver + 2.0)
            canvas.paint(region, canvas.cover(cyst), build.fluid)
    size = rng.uniform(1.15, 1.55) if "full_stomach" in variants else rng.uniform(0.7, 1.0)
    radii = (42 * size, 46 * size, 40 * size)
    stomach = np.maximum(ellipsoid(region, (62, -26, -118), radii), below + 3.0)
    canvas.paint(region, canvas.cover(stomach.astype(np.float32)), 40.0)
    level = -26 - 34 * size * rng.uniform(0.0, 1.1)
    content = np.where(region.y < level, -980.0, build.fluid).astype(np.float32)
    canvas.paint(region, canvas.cover((stomach + 4.0).astype(np.float32)), content)
    muscle = np.maximum(inside, np.abs(under + 1.0) - 1.2).astype(np.float32)
    canvas.paint(region, canvas.cover(muscle), build.muscle)


def draw_lungs(canvas: Canvas, build: Build, lungs: Lungs, seed: int) -> None:
    """Fill the lungs with air-holding tissue: denser towards the back, thinly fissured."""
    rng = np.random.default_rng([seed, 3])
    region = lungs.region
    gravity = np.clip(region.y / 90, -1, 1) + 0 * region.z
    gradient = 22 * gravity + build.haze * np.clip(gravity, 0, 1) ** 3
    hu = build.lung + gradient + np.float32(11) * soft_noise(rng, region, 26.0)
    hu += np.float32(16) * soft_noise(rng, region, 6.0)
    canvas.paint(region, lungs.cover, hu)
    _draw_fissures(canvas, build, lungs)


def _draw_fissures(canvas: Canvas, build: Build, lungs: Lungs) -> None:
    region = lungs.region
    width = max(1.1, 0.5 * canvas.edge)
    density = 260.0 / canvas.edge  # a thin sheet, spread over a voxel
    oblique = (region.z - oblique_fissure(build, region.x, region.y)) * 0.74
    line = np.exp(-((oblique / width) ** 2)) * np.float32(density)
    minor = region.z - (build.fissure - 4 + 0.06 * (np.abs(region.x) - 70))
    step = np.exp(-((minor / width) ** 2)) * np.float32(density)
    line += step * ((region.x < build.shift) & (oblique > 0))
    canvas.add(region, (line * lungs.cover).astype(np.float32))


def draw_azygos_fissure(canvas: Canvas, lungs: Lungs) -> None:
    """A normal variant: a fold of pleura that curves through the right apex."""
    region = lungs.region
    distance = np.abs(region.x + 34 + 0.012 * (region.y - 8) ** 2) - 0.6
    distance = np.maximum(distance, 62 - region.z).astype(np.float32)
    canvas.paint(region, canvas.cover(distance) * lungs.cover * (region.x < 0), -150.0)
