"""From evidence maps to places: the regions that spoke for a finding, and its profile along z.

The network's logit is its bias plus the sum of the map, so a focus's share is a plain fraction of
the positive part of that sum. A focus is as coarse as the map's cells; its box covers whole cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from model.volumes import Volume
from pipelines.rendering.content import MAX_FOCI, Box, Evidence, Focus
from pipelines.rendering.landmarks import Landmarks

_HOT = 0.5  # of the strongest cell: full width at half maximum
_SMALLEST_SHARE = 0.02
_ALL_NEIGHBOURS = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True, eq=False)
class SliceAxis:
    """How slices are counted: from the head, 1 on top, as most workstations show a chest CT."""

    z_mm: NDArray[np.float64]
    """LPS z at the middle of every slice, from feet to head."""
    numbers: NDArray[np.int_]
    uids: tuple[str, ...] = ()
    """SOP instance UIDs in the same order; empty in a report that names nobody."""

    @classmethod
    def of(cls, volume: Volume, *, identified: bool = False) -> Self:
        """The axis of a canonical volume."""
        depth, rows, columns = volume.hu_zyx.shape
        middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
        z_mm = (
            volume.affine_lps[2, :2] @ middle
            + volume.affine_lps[2, 2] * np.arange(depth)
            + volume.affine_lps[2, 3]
        )
        source = volume.source
        known = identified and source.instance_axis == 0 and len(source.instance_uids) == depth
        return cls(z_mm, np.arange(depth, 0, -1), source.instance_uids if known else ())

    def nearest(self, z_mm: float) -> int:
        """The number of the slice nearest to an LPS z."""
        return int(self.numbers[self.index(z_mm)])

    def index(self, z_mm: float) -> int:
        """The index (0 at the feet) of the slice nearest to an LPS z."""
        return int(np.abs(self.z_mm - z_mm).argmin())


def evidence(
    map_zyx: NDArray[np.float32],
    map_affine_lps: NDArray[np.float64],
    bias: float,
    axis: SliceAxis,
    landmarks: Landmarks,
) -> Evidence:
    """Sum one label's contribution map and find its foci, strongest first."""
    supporting = np.maximum(map_zyx.astype(np.float64), 0.0)
    total = float(supporting.sum())
    foci = _foci(supporting, total, map_affine_lps, axis, landmarks) if total > 0 else ()
    x, y, z = (round(float(mm), 1) for mm in np.linalg.norm(map_affine_lps[:3, :3], axis=0))
    return Evidence(
        cell_mm_zyx=(z, y, x),
        bias=bias,
        supporting=total,
        opposing=min(0.0, float(np.minimum(map_zyx.astype(np.float64), 0.0).sum())),
        foci=foci,
    )


def _foci(
    supporting: NDArray[np.float64],
    total: float,
    affine: NDArray[np.float64],
    axis: SliceAxis,
    landmarks: Landmarks,
) -> tuple[Focus, ...]:
    regions, count = _regions(supporting)
    shares = ndimage.sum_labels(supporting, regions, np.arange(1, count + 1)) / total
    strongest = np.argsort(-shares, kind="stable")[:MAX_FOCI]
    boxes = ndimage.find_objects(regions)
    return tuple(
        _focus(supporting * (regions == region + 1), boxes[region], float(shares[region]), affine,
               axis, landmarks)
        for region in strongest
        if shares[region] >= _SMALLEST_SHARE
    )  # fmt: skip


def region_of(
    map_zyx: NDArray[np.float32], map_affine_lps: NDArray[np.float64], focus: Focus
) -> NDArray[np.bool_]:
    """The cells of the map that one of its label's foci consists of."""
    regions, _ = _regions(np.maximum(map_zyx.astype(np.float64), 0.0))
    peak = np.linalg.inv(map_affine_lps) @ [*focus.peak_xyz_mm, 1.0]
    x, y, z = np.rint(peak[:3]).astype(int)
    cells: NDArray[np.bool_] = regions == regions[z, y, x]
    return cells


def _regions(supporting: NDArray[np.float64]) -> tuple[NDArray[np.int_], int]:
    regions, count = ndimage.label(supporting >= _HOT * supporting.max(), _ALL_NEIGHBOURS)
    return regions, count


def _focus(
    region: NDArray[np.float64],
    cells: tuple[slice, slice, slice],
    share: float,
    affine: NDArray[np.float64],
    axis: SliceAxis,
    landmarks: Landmarks,
) -> Focus:
    low, high = _box_lps(cells, affine)
    peak_cell = np.unravel_index(int(region.argmax()), region.shape)
    peak_ends = _box_lps(tuple(slice(int(i), int(i) + 1) for i in peak_cell), affine)
    peak = _lps(peak_cell, affine)
    centre = _lps(ndimage.center_of_mass(region), affine)
    held = np.nonzero(region)
    places_x = affine[0, :3] @ np.stack(held[::-1]) + affine[0, 3]
    ends = sorted((axis.nearest(low[2]), axis.nearest(high[2])))
    return Focus(
        box_lps=Box(low_xyz_mm=_rounded(low), high_xyz_mm=_rounded(high)),
        peak_xyz_mm=_rounded(peak),
        slices=(ends[0], ends[1]),
        best_slice=axis.nearest(peak[2]),
        best_instance_uid=axis.uids[axis.index(peak[2])] if axis.uids else None,
        in_body=landmarks.holds_body(*peak_ends),
        side=landmarks.side(places_x, region[held]),
        zone=landmarks.zone(float(low[2]), float(centre[2]), float(high[2])),
        share=min(1.0, share),
    )


def _box_lps(
    cells: tuple[slice, ...], affine: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = [(part.start - 0.5, part.stop - 0.5) for part in cells]
    corners = np.array(
        [_lps((z, y, x), affine) for z in edges[0] for y in edges[1] for x in edges[2]]
    )
    return corners.min(axis=0), corners.max(axis=0)


def _lps(
    index_zyx: Sequence[float | np.integer], affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    place: NDArray[np.float64] = affine[:3, :3] @ np.asarray(index_zyx, float)[::-1] + affine[:3, 3]
    return place


def _rounded(place: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 1) for value in place)
    return x, y, z


def slice_profile(
    map_zyx: NDArray[np.float32], map_affine_lps: NDArray[np.float64], axis: SliceAxis
) -> NDArray[np.float64]:
    """The supporting evidence at every source slice, relative to the strongest slice (0 to 1)."""
    per_plane = np.maximum(map_zyx, 0).sum(axis=(1, 2), dtype=np.float64)
    row, column = (map_zyx.shape[1] - 1) / 2, (map_zyx.shape[2] - 1) / 2
    planes_z = [_lps((plane, row, column), map_affine_lps)[2] for plane in range(len(per_plane))]
    profile = np.interp(axis.z_mm, planes_z, per_plane)
    half = abs(map_affine_lps[2, 2]) / 2
    outside = (axis.z_mm < planes_z[0] - half) | (axis.z_mm > planes_z[-1] + half)
    profile[outside] = 0.0
    relative: NDArray[np.float64] = profile / max(per_plane.max(), 1e-12)
    return np.clip(relative, 0.0, 1.0)
