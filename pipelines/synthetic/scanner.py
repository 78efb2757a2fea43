"""The scanner: from a case to the grid it is drawn on, and from the drawing to its slices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.synthetic.build import Build
from pipelines.synthetic.canvas import Array, Canvas
from pipelines.synthetic.case import Case

AIR_HU = -1000.0
PADDING_HU = -1024
_THICKEST_SLAB_MM = 3.0  # a thicker slice is the mean of several drawn ones
_COVER = (-152.0, 148.0)  # chest mm, bottom and top


@dataclass(frozen=True, slots=True)
class Field:
    """The scanned field: its canvas (the part that holds the body) and how it fits the matrix."""

    canvas: Canvas
    matrix: int
    pixel_mm: float
    slice_mm: float
    slabs: int  # drawn slices for one scanned slice
    first_column: int
    first_row: int
    origin_mm: tuple[float, float, float]  # LPS of voxel (0, 0, 0)
    offset_mm: tuple[float, float, float]  # LPS of the chest's origin

    @property
    def affine_lps(self) -> NDArray[np.float64]:
        """4x4: (column, row, slice) to LPS mm."""
        affine = np.diag([self.pixel_mm, self.pixel_mm, self.slice_mm, 1.0])
        affine[:3, 3] = self.origin_mm
        return affine


def field_of(case: Case, build: Build) -> Field:
    """Lay the scan's grid over the patient."""
    rng = np.random.default_rng([case.seed, 5])
    scan, scale = case.acquisition, build.scale
    slabs = int(np.ceil(scan.slice_mm / _THICKEST_SLAB_MM))
    bottom, top = _COVER[0] + rng.uniform(-6, 6), _COVER[1] + rng.uniform(-6, 4)
    slices = int((top - bottom) * scale / scan.slice_mm)
    middle = rng.normal([0, 14], 4)  # chest mm; the table needs room behind
    corner = middle - scan.matrix * scan.pixel_mm / scale / 2
    pixel = scan.pixel_mm / scale
    axes = corner[:, None] + pixel * (np.arange(scan.matrix) + 0.5)
    reach = 206 + build.fat if "arms_down" in case.variants else 178 + 1.3 * build.fat
    columns = np.flatnonzero(np.abs(axes[0]) < reach)
    rows = np.flatnonzero((axes[1] > -150 - 1.6 * build.fat) & (axes[1] < 156 + build.fat))
    step = scan.slice_mm / scale / slabs
    z = bottom + step * (np.arange(slices * slabs) + 0.5)
    canvas = Canvas(
        axes[0][columns].astype(np.float32),
        axes[1][rows].astype(np.float32),
        z.astype(np.float32),
        scale,
    )
    place = rng.uniform([-15, -190, -1400], [15, -140, -300])
    first = np.array([axes[0][0], axes[1][0], bottom + step * slabs / 2])
    return Field(
        canvas=canvas,
        matrix=scan.matrix,
        pixel_mm=scan.pixel_mm,
        slice_mm=scan.slice_mm,
        slabs=slabs,
        first_column=int(columns[0]),
        first_row=int(rows[0]),
        origin_mm=_triple(np.round(place + scale * first, 3)),
        offset_mm=_triple(place),
    )


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def scan(case: Case, field: Field) -> NDArray[np.int16]:
    """Scan the drawing: slabs averaged, kernel and noise, the field's round border; int16 HU."""
    rng = np.random.default_rng([case.seed, 6])
    drawn = field.canvas.hu
    depth, rows, columns = drawn.shape
    if field.slabs > 1:
        drawn = drawn.reshape(depth // field.slabs, field.slabs, rows, columns).mean(axis=1)
    matrix = field.matrix
    hu = np.full((len(drawn), matrix, matrix), AIR_HU, dtype=np.float32)
    row, column = field.first_row, field.first_column
    hu[:, row : row + rows, column : column + columns] = drawn
    if "breathing_blur" in case.variants:
        _blur_breathing(hu, rng)
    hu = _apply_kernel(hu, case.acquisition.kernel)
    hu += _noise(rng, hu.shape, case)
    np.clip(hu, PADDING_HU, 3071, out=hu)
    if rng.random() < 0.5:
        reach = np.arange(matrix) - (matrix - 1) / 2
        hu[:, reach[:, None] ** 2 + reach[None] ** 2 > (matrix / 2) ** 2] = PADDING_HU
    return np.rint(hu).astype(np.int16)


def _blur_breathing(hu: Array, rng: np.random.Generator) -> None:
    """Doubled contours over some slices in the lower half."""
    centre = int(rng.uniform(0.1, 0.45) * len(hu))
    reach = max(2, int(0.06 * len(hu)))
    shift = int(rng.integers(1, 3))
    part = slice(max(0, centre - reach), centre + reach)
    hu[part] = 0.6 * hu[part] + 0.4 * np.roll(hu[part], shift, axis=1)


def _apply_kernel(hu: Array, kernel: str) -> Array:
    """A soft kernel blurs in the plane; a sharp one lifts edges."""
    if kernel == "soft":
        return np.asarray(_blur(hu, 0.55), dtype=np.float32)
    return np.asarray(hu + 0.45 * (hu - _blur(hu, 0.9)), dtype=np.float32)


def _blur(hu: Array, sigma: float) -> Array:
    for axis in (1, 2):
        hu = ndimage.gaussian_filter1d(hu, sigma, axis=axis, truncate=2.5)
    return hu


def _noise(rng: np.random.Generator, shape: tuple[int, ...], case: Case) -> Array:
    """Noise with the kernel's texture: coarse grain for soft, fine grain for sharp."""
    white = rng.standard_normal(shape, dtype=np.float32)
    grain = (
        _blur(white, 0.7) if case.acquisition.kernel == "soft" else white - 0.6 * _blur(white, 1)
    )
    matrix = shape[1]
    reach = np.linspace(-1, 1, matrix, dtype=np.float32)
    fall = 1.15 - 0.55 * (reach[:, None] ** 2 + reach[None] ** 2)  # noisiest in the middle
    grain *= fall * np.float32(case.acquisition.noise_hu / max(float(grain[:4].std()), 1e-6))
    return np.asarray(grain, dtype=np.float32)
