"""Where voxels lie: from slices in space to a straight stack, and to canonical axes."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.volumes.uneven import even_depths
from model.volumes.volume import Affine, HuArray, VolumeError, VolumeReason

MAX_ERROR_MM = 1.0
"""No slice may lie farther than this, or half a step, from its place in a straight stack."""

_SAME_PLACE_MM = 0.01
_NOTED_ERROR_MM = 0.1
_SHEAR_MM = 0.3  # over the whole stack: not worth interpolating
_MAX_SHEAR_MM_A_MM = 0.75  # 37 degrees: beyond any gantry

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Slices in rising order along the normal, and the straight stack they make."""

    order: tuple[int, ...]
    affine_lps: Affine
    """4x4 from (column, row, slice) to LPS mm; orthogonal columns."""
    shear_mm_rc: tuple[float, float] = (0.0, 0.0)
    """How far each slice lies along its rows and columns beyond the one before (gantry tilt)."""
    warnings: tuple[str, ...] = field(default=())
    at: Points | None = None
    """Where each slice lies among the source's, as fractional numbers; None: they are the same."""

    @property
    def slices(self) -> int:
        """How many slices the stack has."""
        return len(self.order) if self.at is None else len(self.at)


def plane_axes(orientation: tuple[float, ...]) -> tuple[Points, Points, Points]:
    """Unit vectors along a row (rising column), along a column (rising row), and the normal.

    Raises VolumeError ORIENTATION unless the cosines are of unit length within 1 % and orthogonal
    within a thousandth.
    """
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(along_row), np.linalg.norm(along_column)
    if not all(0.99 <= length <= 1.01 for length in lengths):
        raise VolumeError(
            VolumeReason.ORIENTATION, "ImageOrientationPatient (0020,0037) is not of unit length"
        )
    along_row, along_column = along_row / lengths[0], along_column / lengths[1]
    overlap = float(along_row @ along_column)
    if abs(overlap) > 1e-3:
        raise VolumeError(
            VolumeReason.ORIENTATION, "ImageOrientationPatient (0020,0037) is not orthogonal"
        )
    # Rounded cosines: give each direction half of the correction.
    row = along_row - overlap / 2 * along_column
    column = along_column - overlap / 2 * along_row
    row, column = row / np.linalg.norm(row), column / np.linalg.norm(column)
    return row, column, np.cross(row, column)


def stack_slices(
    positions: Points,
    orientation: tuple[float, ...],
    pixel_spacing: tuple[float, float],
    thickness: float | None,
) -> Stack:
    """Order slices by their place along the normal and fit the straight stack they make.

    `positions` (n, 3) are the LPS mm of the first voxels' centres, `pixel_spacing` is (between
    rows, between columns). Raises VolumeError (DUPLICATE_POSITION, GAP, UNEVEN_STEP, SHIFT, TILT)
    when any slice is farther from its place than `MAX_ERROR_MM` or half a step, unless the steps
    change as a scanner changes them (`uneven`): then the stack is even, and `at` leads back.
    """
    row, column, normal = plane_axes(orientation)
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    warnings: tuple[str, ...] = ()
    shear = (0.0, 0.0)
    places = positions[order]
    at: Points | None = None
    origin = places[0]
    if len(order) == 1:
        step = thickness if thickness and thickness > 0 else 1.0
        warnings = ("a single slice: the step is the slice thickness",)
    else:
        try:
            origin, vector, error = _fit_line(places, _check_steps(np.diff(depth[order])))
        except VolumeError as uneven:
            if uneven.reason is not VolumeReason.UNEVEN_STEP:
                raise
            at = _even_places(places, depth[order])
            if at is None:
                raise
            places = _between(places, at)
            origin, vector, error = _fit_line(places, _check_steps(np.diff(places @ normal)))
            steps = np.diff(depth[order])
            warnings = (
                f"steps of {steps.min():.2f} to {steps.max():.2f} mm resampled to "
                f"{vector @ normal:.2f} mm by the true position of each slice",
            )
        if error > _NOTED_ERROR_MM:
            warnings = (f"slices lie up to {error:.2f} mm from even steps",)
        step = float(vector @ normal)
        shear = float(vector @ row), float(vector @ column)
        drift = float(np.hypot(*shear))
        if drift * (len(places) - 1) <= _SHEAR_MM:
            shear = (0.0, 0.0)
        elif drift > _MAX_SHEAR_MM_A_MM * step:
            raise VolumeError(VolumeReason.TILT, "slices shear more than a gantry tilts")
        else:
            degrees = np.degrees(np.arctan2(drift, step))
            warnings += (f"gantry tilt of {degrees:.1f} degrees corrected by its shear",)
    affine = np.eye(4)
    affine[:3, 0] = row * pixel_spacing[1]
    affine[:3, 1] = column * pixel_spacing[0]
    affine[:3, 2] = normal * step
    affine[:3, 3] = origin
    return Stack(tuple(order.tolist()), affine, shear, warnings, at)


def _even_places(places: Points, depth: Points) -> Points | None:
    """The fractional slice numbers of an even stack through an uneven but straight one."""
    even = even_depths(depth)
    if even is None:
        return None
    lean = (depth - depth.mean()) @ places / ((depth - depth.mean()) ** 2).sum()
    line = places.mean(axis=0) + np.outer(depth - depth.mean(), lean)
    aside = np.linalg.norm(places - line, axis=1).max()
    if aside > min(np.diff(even).min() / 2, MAX_ERROR_MM):
        raise VolumeError(
            VolumeReason.SHIFT, f"slices lie up to {aside:.1f} mm off a straight stack"
        )
    return np.asarray(np.interp(even, depth, np.arange(len(depth))))


def _between(places: Points, at: Points) -> Points:
    numbers = np.arange(len(places))
    return np.stack([np.interp(at, numbers, places[:, axis]) for axis in range(3)], axis=1)


def _check_steps(steps: Points) -> float:
    """The step of an even stack; raises VolumeError naming what breaks it."""
    if steps.min() < _SAME_PLACE_MM:
        same = int((steps < _SAME_PLACE_MM).sum())
        raise VolumeError(
            VolumeReason.DUPLICATE_POSITION, f"{same + 1} different images at one position"
        )
    mean = float(steps.mean())
    if np.abs(steps - mean).max() < min(mean / 4, MAX_ERROR_MM):
        return mean  # also steps of 2 and 3 mm by turns: 2.5 in rounded positions
    step = float(np.median(steps))
    tolerance = min(step / 2, MAX_ERROR_MM)
    odd = np.abs(steps - step) >= tolerance
    if not odd.any():
        return step
    multiples = steps[odd] / step
    if odd.sum() <= max(1, len(steps) // 4) and np.all(
        (multiples > 1.5) & (np.abs(multiples - np.rint(multiples)) * step < tolerance)
    ):
        missing = int(np.rint(multiples - 1).sum())
        raise VolumeError(
            VolumeReason.GAP,
            f"{missing} of {len(steps) + 1 + missing} slices missing; the first after slice "
            f"{int(np.flatnonzero(odd)[0]) + 1} from below",
        )
    raise VolumeError(
        VolumeReason.UNEVEN_STEP,
        f"the step between slices runs from {steps.min():.2f} to {steps.max():.2f} mm",
    )


def _fit_line(points: Points, step: float) -> tuple[Points, Points, float]:
    """Origin, step vector and largest error of the straight, even stack nearest to the points."""
    index = np.arange(len(points)) - (len(points) - 1) / 2
    vector = index @ points / (index @ index)
    origin = points.mean(axis=0) - (len(points) - 1) / 2 * vector
    errors = np.linalg.norm(points - origin - np.outer(np.arange(len(points)), vector), axis=1)
    if errors.max() > min(step / 2, MAX_ERROR_MM):
        along = vector / np.linalg.norm(vector)
        offsets = points - origin
        sideways = np.linalg.norm(offsets - np.outer(offsets @ along, along), axis=1)
        if sideways.max() > min(step / 2, MAX_ERROR_MM):
            raise VolumeError(
                VolumeReason.SHIFT, f"slices lie up to {sideways.max():.1f} mm off a straight stack"
            )
        raise VolumeError(
            VolumeReason.UNEVEN_STEP,
            f"slices lie up to {errors.max():.1f} mm from even steps",
        )
    return origin, vector, float(errors.max())


def straighten(hu_kji: HuArray, stack: Stack, fill_hu: int) -> tuple[HuArray, Affine]:
    """Undo gantry tilt: slide each slice within its plane so that the stack stands upright.

    Linear interpolation between neighbouring pixels; the field of view grows so that nothing is
    lost. Without shear the array is returned as it is.
    """
    if stack.shear_mm_rc == (0.0, 0.0):
        return hu_kji, stack.affine_lps
    pixel_mm = np.linalg.norm(stack.affine_lps[:3, :2], axis=0)
    per_slice = np.asarray(stack.shear_mm_rc) / pixel_mm  # columns, rows
    slices, rows, columns = hu_kji.shape
    offsets = np.outer(np.arange(slices), per_slice)
    low, high = np.floor(offsets.min(axis=0)), np.ceil(offsets.max(axis=0))
    grow_columns, grow_rows = (high - low).astype(int)
    out = np.full((slices, rows + grow_rows, columns + grow_columns), fill_hu, np.int16)
    for k, (by_column, by_row) in enumerate(offsets - low):
        plane = _slide(hu_kji[k].astype(np.float32), float(by_row), out.shape[1], 0, fill_hu)
        plane = _slide(plane, float(by_column), out.shape[2], 1, fill_hu)
        out[k] = np.rint(plane)
    affine = stack.affine_lps.copy()
    affine[:3, 3] += affine[:3, :2] @ low
    return out, affine


def _slide(
    plane: NDArray[np.float32], by: float, size: int, axis: int, fill_hu: int
) -> NDArray[np.float32]:
    """Shift along an axis by `by` >= 0 pixels into an array of `size`."""
    plane = np.moveaxis(plane, axis, 0)
    whole = int(np.floor(by))
    part = by - whole
    out = np.full((size, plane.shape[1]), fill_hu, np.float32)
    count = plane.shape[0]
    if part < 1e-6:
        out[whole : whole + count] = plane
    else:
        # Pixel i of the result lies between source pixels i - whole - 1 and i - whole.
        out[whole + 1 : whole + count] = (1 - part) * plane[1:] + part * plane[:-1]
        # At the edges a pixel that the source reaches half-way takes its value.
        if part <= 0.5:
            out[whole] = plane[0]
        else:
            out[whole + count] = plane[-1]
    return np.moveaxis(out, 0, axis)


def canonicalise(hu_kji: HuArray, affine_lps: Affine) -> tuple[HuArray, Affine, int]:
    """Bring an array to +x left, +y posterior, +z head by swapping and flipping axes alone.

    `affine_lps` maps (column, row, slice) to LPS mm. Returns the array, its affine, and the axis
    of the result along which the source's slices now lie. No voxel's value changes.
    """
    directions = affine_lps[:3, :3] / np.linalg.norm(affine_lps[:3, :3], axis=0)
    source_of = _nearest_axes(directions)
    signs = [np.sign(directions[world, source_of[world]]) for world in range(3)]
    out_affine = np.eye(4)
    out_affine[:3, 3] = affine_lps[:3, 3]
    array_axis = {source: 2 - source for source in range(3)}  # column is the last array axis
    array = hu_kji.transpose([array_axis[source_of[world]] for world in (2, 1, 0)])
    flips = []
    for world in range(3):
        source = source_of[world]
        column = affine_lps[:3, source]
        if signs[world] < 0:
            flips.append(2 - world)
            size = hu_kji.shape[array_axis[source]]
            out_affine[:3, 3] += column * (size - 1)
            column = -column
        out_affine[:3, world] = column
    slice_axis = 2 - source_of.index(2)
    return np.ascontiguousarray(np.flip(array, tuple(flips))), out_affine, slice_axis


def _nearest_axes(directions: Points) -> list[int]:
    """For world x, y, z: the source axis that runs most along it, each used once."""
    best: tuple[float, list[int]] = (-1.0, [0, 1, 2])
    for x in range(3):
        for y in range(3):
            if y == x:
                continue
            z = 3 - x - y
            along = float(abs(directions[0, x]) + abs(directions[1, y]) + abs(directions[2, z]))
            if along > best[0] + 1e-9:
                best = (along, [x, y, z])
    return best[1]
