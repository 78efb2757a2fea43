"""Where the body's midline and the lungs' height lie, to name a place by side and zone.

Coarse on purpose: it names places for a reader, it measures nothing. Lobes need lobe masks.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.volumes.anatomy import Anatomy
from pipelines.rendering.content import Side, Zone

_MIDLINE_HALF_WIDTH_MM = 12.0
_MOST = 0.7  # of a weight or a height: what counts as one side, or as all zones
_LEAST_BODY = 0.05  # of a box: less than this is its edge, not its content
_LEAST_AREA = 0.05  # of the widest plane: the tips of the lungs say little about their height


Place = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The body's midline (LPS x), the lungs' lowest and highest z (None where not seen), in mm."""

    midline_x_mm: float
    lungs_z_mm: tuple[float, float] | None
    anatomy: Anatomy | None = None

    @classmethod
    def of(cls, anatomy: Anatomy) -> Self:
        """The median of the body's middle over the planes that hold lung, and the lungs' ends."""
        lung_area = anatomy.lungs_zyx.sum(axis=(1, 2))
        planes = np.flatnonzero(lung_area > _LEAST_AREA * max(1, lung_area.max()))
        body = anatomy.body_zyx[planes] if planes.size else anatomy.body_zyx
        column = float(np.median([_middle(plane) for plane in body]))
        middle = (np.asarray(anatomy.body_zyx.shape, float) - 1) / 2
        midline = _lps(anatomy, (column, middle[1], middle[0]))[0]
        if not planes.size:
            return cls(midline, None, anatomy)
        low, high = (_lps(anatomy, (column, middle[1], plane))[2] for plane in planes[[0, -1]])
        return cls(midline, (low, high), anatomy)

    def side(self, x_mm: NDArray[np.float64], weight: NDArray[np.float64]) -> Side:
        """The patient's own side on which most of the weight at these LPS x lies."""
        distance, total = x_mm - self.midline_x_mm, float(weight.sum())
        left = float(weight[distance > _MIDLINE_HALF_WIDTH_MM].sum()) / total
        right = float(weight[distance < -_MIDLINE_HALF_WIDTH_MM].sum()) / total
        if max(left, right) >= _MOST:
            return Side.LEFT if left > right else Side.RIGHT
        return Side.BOTH if min(left, right) >= (1 - _MOST) / 2 else Side.MIDLINE

    def zone(self, low_z_mm: float, centre_z_mm: float, high_z_mm: float) -> Zone | None:
        """The third of the lungs' height of a region's centre, or all for one that spans them."""
        if self.lungs_z_mm is None:
            return None
        low, high = self.lungs_z_mm
        spanned = min(high, high_z_mm) - max(low, low_z_mm)
        if spanned >= _MOST * (high - low):
            return Zone.ALL
        height = (centre_z_mm - low) / max(high - low, 1e-6)
        return Zone.LOWER if height < 1 / 3 else Zone.MIDDLE if height < 2 / 3 else Zone.UPPER

    def holds_body(self, low_xyz_mm: Place, high_xyz_mm: Place) -> bool:
        """False for a box that lies in air or on the table, with (almost) no body inside."""
        if self.anatomy is None:
            return True
        to_index = np.linalg.inv(self.anatomy.affine_lps)
        corners = [to_index[:3, :3] @ end + to_index[:3, 3] for end in (low_xyz_mm, high_xyz_mm)]
        last = np.asarray(self.anatomy.body_zyx.shape[::-1]) - 1
        first = np.clip(np.floor(np.minimum(*corners)), 0, last).astype(int)
        end = np.clip(np.ceil(np.maximum(*corners)), 0, last).astype(int)
        body = self.anatomy.body_zyx[
            first[2] : end[2] + 1, first[1] : end[1] + 1, first[0] : end[0] + 1
        ]
        return bool(body.mean() >= _LEAST_BODY)


def _middle(plane: NDArray[np.bool_]) -> float:
    columns = np.flatnonzero(plane.any(axis=0))
    return float(columns[0] + columns[-1]) / 2 if columns.size else (plane.shape[1] - 1) / 2


def _lps(anatomy: Anatomy, column_row_slice: tuple[float, float, float]) -> list[float]:
    affine = anatomy.affine_lps
    place: list[float] = (affine[:3, :3] @ column_row_slice + affine[:3, 3]).tolist()
    return place
