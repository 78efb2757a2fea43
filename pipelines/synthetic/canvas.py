"""The grid that a synthetic chest is drawn on, and the shapes to draw with.

Lengths are chest millimetres: millimetres of a chest of standard size. A canvas knows its `scale`
(millimetres per chest millimetre), so anatomy is written once and patients differ in size. The
origin lies mid-chest; +x is the patient's left, +y posterior, +z towards the head. Distances are
signed: negative inside a shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Point = tuple[float, float, float]
FAR = 9.0  # beyond this distance from a tube nothing depends on it
Box = tuple[float, float, float, float, float, float]  # x0, y0, z0, x1, y1, z1

CHEST_BOX: Box = (-142.0, -104.0, -150.0, 142.0, 104.0, 146.0)  # holds every lung


@dataclass(frozen=True, slots=True)
class Region:
    """A box of the canvas: its place in the array, and coordinates that broadcast over it."""

    place: tuple[slice, slice, slice]  # z, y, x
    x: Array  # (1, 1, nx)
    y: Array  # (1, ny, 1)
    z: Array  # (nz, 1, 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return (self.z.size, self.y.size, self.x.size)

    @property
    def box(self) -> Box:
        """The region's outermost voxel centres."""
        x, y, z = self.x.ravel(), self.y.ravel(), self.z.ravel()
        low = (float(x[0]), float(y[0]), float(z[0]))
        return (*low, float(x[-1]), float(y[-1]), float(z[-1]))


class Canvas:
    """CT numbers on a regular grid, and the few ways to change them."""

    def __init__(self, x: Array, y: Array, z: Array, scale: float) -> None:
        self.x, self.y, self.z = (axis.astype(np.float32) for axis in (x, y, z))
        self.scale = scale
        self.step = tuple(float(axis[1] - axis[0]) for axis in (self.x, self.y, self.z))
        self.edge = self.step[0]  # width over which a shape's border is blended
        self.hu = np.full((z.size, y.size, x.size), -1000.0, dtype=np.float32)

    def units(self, length_mm: float) -> float:
        """Patient millimetres to chest millimetres."""
        return length_mm / self.scale

    def region(self, box: Box | None = None) -> Region | None:
        """The part of the canvas inside a box (all of it without one); None where none is."""
        places = []
        for number, axis in enumerate((self.x, self.y, self.z)):
            low, high = (axis[0], axis[-1]) if box is None else (box[number], box[number + 3])
            start = int(np.searchsorted(axis, low - self.step[number]))
            stop = int(np.searchsorted(axis, high + self.step[number], side="right"))
            if stop - start < 1:
                return None
            places.append(slice(start, stop))
        x, y, z = places
        return Region(
            (z, y, x),
            self.x[x].reshape(1, 1, -1),
            self.y[y].reshape(1, -1, 1),
            self.z[z].reshape(-1, 1, 1),
        )

    def around(self, centre: Point, reach: Sequence[float]) -> Region | None:
        """The region within `reach` (x, y, z) of a point."""
        low = [c - r for c, r in zip(centre, reach, strict=True)]
        high = [c + r for c, r in zip(centre, reach, strict=True)]
        return self.region((low[0], low[1], low[2], high[0], high[1], high[2]))

    def along(self, points: NDArray[np.float64], reach: float) -> Region | None:
        """The region within `reach` of a polyline (n, 3)."""
        return self.region(box_of(points, reach))

    def cover(self, distance: Array, softness: float = 1.0) -> Array:
        """How much of each voxel lies inside a shape, 0 to 1, from its signed distance."""
        width = np.float32(self.edge * softness)
        return np.asarray(np.clip(0.5 - distance / width, 0.0, 1.0), dtype=np.float32)

    def paint(self, region: Region, cover: Array, hu: float | Array) -> None:
        """Blend CT numbers in by coverage."""
        view = self.hu[region.place]
        view += cover * (np.asarray(hu, dtype=np.float32) - view)

    def add(self, region: Region, change: Array) -> None:
        """Add to the CT numbers: what lies beneath stays visible."""
        self.hu[region.place] += change

    def ellipsoid(self, centre: Point, radii: Point, hu: float, softness: float = 1.0) -> None:
        """Paint a solid ellipsoid."""
        region = self.around(centre, radii)
        if region is not None:
            self.paint(region, self.cover(ellipsoid(region, centre, radii), softness), hu)

    def tube(self, points: NDArray[np.float64], radii: Sequence[float] | float, hu: float) -> None:
        """Paint a tube along a polyline."""
        region = self.along(points, float(np.max(radii)))
        if region is not None:
            self.paint(region, self.cover(tube(region, points, radii)), hu)

    def stamp(
        self, points: NDArray[np.float64], radii: NDArray[np.float64], hu: float | Array
    ) -> None:
        """Paint many small balls at once, each with its partial volume; for thin trees.

        points (n, 3), radii (n,), one CT number or one per ball. Where balls overlap, the one that
        covers most wins.
        """
        if not len(points):
            return
        step = np.array(self.step, dtype=np.float32)
        exact = ((points - [self.x[0], self.y[0], self.z[0]]) / step).astype(np.float32)
        offsets = _offsets(np.ceil((radii.max() + self.edge / 2) / step).astype(int))
        index = np.rint(exact).astype(np.int32)[:, None, :] + offsets
        away = (index - exact[:, None, :]) * step
        distance = np.sqrt(np.einsum("pok,pok->po", away, away)) - radii[:, None]
        # A ball thinner than a voxel cannot fill it.
        fullness = np.minimum(1.0, np.pi * radii**2 / (step[0] * step[1]))
        cover = self.cover(distance) * fullness[:, None].astype(np.float32)
        size = (self.x.size, self.y.size, self.z.size)
        ball, offset = np.nonzero(cover)
        index, cover = index[ball, offset], cover[ball, offset]
        kept = ((index >= 0) & (index < size)).all(axis=1)
        order = np.flatnonzero(kept)[np.argsort(cover[kept], kind="stable")]
        index, cover = index[order], cover[order]
        values = np.broadcast_to(np.asarray(hu, dtype=np.float32), (len(points),))[ball[order]]
        place = (index[:, 2], index[:, 1], index[:, 0])
        before = self.hu[place]
        # Of repeated places numpy keeps the last: the largest coverage.
        self.hu[place] = before + cover * (values - before)


def _offsets(reach: NDArray[np.int64]) -> NDArray[np.int32]:
    """Every index step (n, 3) within a box of the given half-widths."""
    axes = [np.arange(-r, r + 1, dtype=np.int32) for r in reach]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def ellipsoid(region: Region, centre: Point, radii: Point) -> Array:
    """Signed distance to an ellipsoid, first order near its surface."""
    x, y, z = region.x - centre[0], region.y - centre[1], region.z - centre[2]
    level = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
    slope = np.sqrt((x / radii[0] ** 2) ** 2 + (y / radii[1] ** 2) ** 2 + (z / radii[2] ** 2) ** 2)
    return np.asarray(level * (level - 1) / np.maximum(slope, 1e-6), dtype=np.float32)


def tube(region: Region, points: NDArray[np.float64], radii: Sequence[float] | float) -> Array:
    """Signed distance to a tube along a polyline (n, 3), its radius linear between the points.

    Farther away than `FAR` it is not worked out and reads `FAR`.
    """
    sizes = np.broadcast_to(np.asarray(radii, dtype=np.float64), (len(points),))
    nearest = np.full(region.shape, FAR, dtype=np.float32)
    for start, stop, r0, r1 in zip(points[:-1], points[1:], sizes[:-1], sizes[1:], strict=True):
        part = _near(region, start, stop, max(r0, r1) + FAR)
        axis = stop - start
        length2 = max(float(axis @ axis), 1e-6)
        x = region.x[:, :, part[2]].astype(np.float64) - start[0]
        y = region.y[:, part[1], :].astype(np.float64) - start[1]
        z = region.z[part[0]].astype(np.float64) - start[2]
        along = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) / length2, 0, 1)
        away = np.sqrt(
            (x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2 + (z - along * axis[2]) ** 2
        )
        view = nearest[part]
        np.minimum(view, away - (r0 + along * (r1 - r0)), out=view, casting="same_kind")
    return nearest


def _near(
    region: Region, start: NDArray[np.float64], stop: NDArray[np.float64], reach: float
) -> tuple[slice, slice, slice]:
    """The part of a region (z, y, x) within reach of a segment's box."""
    parts = []
    for axis, coordinates in ((2, region.z), (1, region.y), (0, region.x)):
        low, high = sorted((start[axis], stop[axis]))
        flat = coordinates.ravel()
        parts.append(slice(*np.searchsorted(flat, [low - reach, high + reach]).tolist()))
    return (parts[0], parts[1], parts[2])


def soft_union(first: Array, second: Array, blend: float) -> Array:
    """The union of two distances with a rounded seam of width `blend`."""
    share = np.clip(0.5 + 0.5 * (second - first) / blend, 0, 1)
    return np.asarray(second + (first - second) * share - blend * share * (1 - share))


def soft_noise(
    rng: np.random.Generator, region: Region, cell: float, box: Box = CHEST_BOX
) -> Array:
    """Smooth noise, mean 0 and deviation near 1, with bumps about `cell` wide.

    Its lattice fills `box` whatever the region, so that a patient's noise does not depend on how
    the study was scanned. Beyond the box it goes on as at the border.
    """
    lattice = coarse_region(box, cell)
    return refine(rng.standard_normal(lattice.shape), lattice, region) * np.float32(
        1.7
    )  # linear blending costs deviation


def upsample(coarse: Array, places_zyx: Sequence[Array]) -> Array:
    """Read an array at fractional indices along each axis, linearly."""
    fine = coarse
    for axis, place in enumerate(places_zyx):
        low = np.clip(place.astype(np.int64), 0, fine.shape[axis] - 2)
        share = np.clip(place - low, 0, 1).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = -1
        below = np.take(fine, low, axis=axis)
        above = np.take(fine, low + 1, axis=axis)
        above -= below
        above *= share.reshape(shape)
        above += below
        fine = above
    return fine


def coarse_region(box: Box, step: float) -> Region:
    """A coarse grid over a box, of no canvas: smooth distances are worked out there."""
    x, y, z = (np.arange(box[i], box[i + 3] + step, step, dtype=np.float32) for i in range(3))
    whole = slice(None)
    return Region(
        (whole, whole, whole), x.reshape(1, 1, -1), y.reshape(1, -1, 1), z.reshape(-1, 1, 1)
    )


def refine(field: Array, coarse: Region, fine: Region) -> Array:
    """A field from a coarse grid, read at a finer one's voxels."""
    places = []
    for rough, exact in ((coarse.z, fine.z), (coarse.y, fine.y), (coarse.x, fine.x)):
        axis = rough.ravel()
        places.append((exact.ravel() - axis[0]) / (axis[1] - axis[0]))
    return upsample(np.asarray(field, dtype=np.float32), places)


def polyline(*points: Point) -> NDArray[np.float64]:
    """Points as an (n, 3) array."""
    return np.array(points, dtype=np.float64)


def smooth_path(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """A Catmull-Rom curve through the points, sampled about every `step`."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    pieces = []
    for before, start, stop, after in zip(
        padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True
    ):
        count = max(2, int(np.linalg.norm(stop - start) / step))
        t = np.linspace(0, 1, count, endpoint=False)[:, None]
        pieces.append(
            0.5
            * (
                2 * start
                + (stop - before) * t
                + (2 * before - 5 * start + 4 * stop - after) * t**2
                + (3 * start - before - 3 * stop + after) * t**3
            )
        )
    return np.concatenate([*pieces, points[-1:]])


def box_of(points: NDArray[np.float64], reach: float) -> Box:
    """The box within `reach` of points (n, 3)."""
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    return (
        float(low[0]),
        float(low[1]),
        float(low[2]),
        float(high[0]),
        float(high[1]),
        float(high[2]),
    )
