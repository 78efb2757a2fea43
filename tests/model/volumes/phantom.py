"""Test oracles: volumes whose every voxel says where it belongs, and a crude chest."""

import numpy as np

from model.volumes.volume import Affine, HuArray, Source, Volume

GRADIENT_HU_PER_MM = np.array([1.0, 2.0, 3.0])  # along x, y, z


def hu_at(xyz_mm: np.ndarray) -> np.ndarray:
    """The HU that belongs to LPS places (…, 3), unrounded."""
    return np.asarray(100 + xyz_mm @ GRADIENT_HU_PER_MM)


def grid_places(shape_zyx: tuple[int, int, int], affine_lps: Affine) -> np.ndarray:
    """LPS places (z, y, x, 3) of all voxels."""
    z, y, x = np.meshgrid(*(np.arange(size) for size in shape_zyx), indexing="ij")
    return np.asarray(np.stack([x, y, z], -1) @ affine_lps[:3, :3].T + affine_lps[:3, 3])


def position_coded(shape_zyx: tuple[int, int, int], affine_lps: Affine) -> HuArray:
    """HU linear in world position."""
    return np.rint(hu_at(grid_places(shape_zyx, affine_lps))).astype(np.int16)


def affine_of(
    spacing_zyx: tuple[float, float, float] = (2.5, 0.7, 0.9),
    origin_xyz: tuple[float, float, float] = (-30.0, -25.0, -40.0),
) -> Affine:
    """A canonical axis-aligned affine."""
    affine = np.diag([*spacing_zyx[::-1], 1.0])
    affine[:3, 3] = origin_xyz
    return affine


def volume_of(hu_zyx: HuArray, affine_lps: Affine) -> Volume:
    """A volume as a reader would give it."""
    source = Source("test", hu_zyx.shape, affine_lps, "0" * 64)
    return Volume(hu_zyx, affine_lps, "1.2.3", source)


def chest(
    shape_zyx: tuple[int, int, int] = (60, 80, 80),
    spacing_mm: float = 5.0,
    noise_hu: float = 20.0,
    *,
    airway: bool = True,
    lungs: tuple[int, ...] = (-1, 1),
    arms: bool = False,
    lost_on_the_right: float = 0.0,
) -> HuArray:
    """An upright chest of ellipsoids: body, two lungs, heart, aorta, spine, airway, liver, a table.

    `lost_on_the_right`: how many mm the right lung is smaller, and the heart drawn over to it.
    """
    places = grid_places(shape_zyx, np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0]))
    extent = np.array(shape_zyx[::-1]) * spacing_mm
    x, y, z = np.moveaxis(places - extent / 2, -1, 0)
    hu = np.full(shape_zyx, -1000.0)
    hu[(x / 165) ** 2 + (y / 115) ** 2 < 1] = 40
    if arms:  # at the sides
        hu[((np.abs(x) - 205) / 45) ** 2 + (y / 45) ** 2 < 1] = 40
    for side in lungs:
        taper = np.clip((z + 125) / 60, 0, 1) * np.clip((125 - z) / 60, 0, 1)
        width, depth = 60 * np.sqrt(taper) + 1e-3, 85 * np.sqrt(taper) + 1e-3
        lung = ((x - side * 75) / width) ** 2 + ((y - 5) / depth) ** 2 < 1
        if side < 0:
            lung &= z > lost_on_the_right - 125
        hu[lung & (taper > 0)] = -850
    hu[(x > 15) & ((x / 120) ** 2 + (y / 80) ** 2 < 1) & (z < -115)] = -100  # fat beside the liver
    hu[((x - 28) / 14) ** 2 + ((y - 62) / 14) ** 2 < 1] = 45
    hu[
        ((x - 25 + lost_on_the_right) / 55) ** 2 + ((y + 25) / 45) ** 2 + ((z + 45) / 55) ** 2 < 1
    ] = 45
    if airway:
        hu[((x / 9) ** 2 + ((y + 5) / 9) ** 2 < 1) & (z > 30)] = -1000
    hu[(x / 18) ** 2 + ((y - 85) / 20) ** 2 < 1] = 350
    hu[(np.abs(y - 135) < 6) & (np.abs(x) < 180)] = -300
    hu += np.random.default_rng(0).normal(0, noise_hu, shape_zyx)
    return np.rint(hu).clip(-1024, 3071).astype(np.int16)


def with_round_field(hu_zyx: HuArray, blank_hu: int = 0) -> HuArray:
    """A copy with one value outside the circle that touches the image's sides."""
    side = hu_zyx.shape[1]
    y, x = np.ogrid[:side, :side]
    hu = hu_zyx.copy()
    hu[:, np.hypot(y - (side - 1) / 2, x - (side - 1) / 2) > side / 2] = blank_hu
    return hu
