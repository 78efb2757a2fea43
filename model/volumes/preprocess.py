"""The one way from a volume to a network's grid, for training and for reports alike."""

from dataclasses import dataclass, field

import numpy as np

from configs.profile import Profile
from model.volumes.anatomy import Anatomy, Mask, find_anatomy
from model.volumes.resampling import resample
from model.volumes.volume import Affine, HuArray, Volume, spacing_of

PREPROCESS_VERSION = 1
"""Raised whenever a volume would give other voxels; stores and bundles of another are refused."""

_MIN_LUNGS_ML = 400.0
_MIN_LESSER_SHARE = 0.3
_THREAD_SHARE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class PreparedVolume:
    """A volume on a profile's grid: `hu_zyx` int16, beyond the scan -1024.

    `affine_lps` maps the grid's (column, row, slice) indices to LPS mm, so a voxel of the grid
    leads to a place in the patient and, through `volume.source`, to a slice of the source.
    """

    hu_zyx: HuArray = field(repr=False)
    affine_lps: Affine
    profile: Profile
    volume: Volume = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def spacing_mm_zyx(self) -> tuple[float, float, float]:
        """The grid's spacing; wider than the profile's only where the chest would not fit."""
        return spacing_of(self.affine_lps)


def preprocess(volume: Volume, profile: Profile, anatomy: Anatomy | None = None) -> PreparedVolume:
    """Bring a volume to the profile's grid, with the lungs at its centre.

    The grid keeps the volume's own axes. Where the lungs and the margin do not fit, the spacing
    widens along that axis and a warning says so: no lung is ever cut off. `anatomy` saves finding
    it again; it must be this volume's.
    """
    low, high, warnings = _box(anatomy or find_anatomy(volume))
    source_mm = np.asarray(volume.spacing_mm_zyx)
    grid = np.asarray(profile.grid_zyx)
    needed_mm = (high - low) * source_mm + 2 * profile.margin_mm
    spacing_mm = np.maximum(profile.spacing_mm_zyx, needed_mm / grid)
    if (spacing_mm > np.asarray(profile.spacing_mm_zyx) * 1.001).any():
        warnings += ("spacing widened so that the chest fits the grid",)
    else:
        spacing_mm = np.asarray(profile.spacing_mm_zyx)
    step = spacing_mm / source_mm
    start = (low + high) / 2 - step * (grid - 1) / 2
    hu_zyx = resample(volume.hu_zyx, _triple(start), _triple(step), profile.grid_zyx)
    hu_zyx.flags.writeable = False
    to_source = np.diag([*step[::-1], 1.0])
    to_source[:3, 3] = start[::-1]
    return PreparedVolume(
        hu_zyx, volume.affine_lps @ to_source, profile, volume, volume.warnings + warnings
    )


def _box(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The first and last voxel (z, y, x) of what the grid centres on, in the volume's indices."""
    step = np.asarray(anatomy.step_zyx)
    lungs = anatomy.lungs_zyx
    if lungs.sum() * anatomy.voxel_ml < _MIN_LUNGS_ML:
        mask = anatomy.body_zyx if anatomy.body_zyx.any() else np.ones_like(lungs)
        low, high = _extent(mask)
        # Without lungs there is no telling which part of the body matters: the spacing stays.
        middle = (low + high) / 2 * step
        return middle, middle, ("no lungs found; centred on the body",)
    low, high = _extent(lungs)
    body_low, body_high = _extent(anatomy.body_zyx[int(low[0]) : int(high[0]) + 1])
    middle = (body_low[2] + body_high[2]) / 2
    right = int(lungs[:, :, : round(middle)].sum())
    left = int(lungs.sum()) - right
    if min(left, right) < _MIN_LESSER_SHARE * max(left, right):
        # One lung is missing or filled: the body tells the midline better than the other lung.
        reach = max(high[2] - middle, middle - low[2])
        low[2], high[2] = middle - reach, middle + reach
        return low * step, high * step, ("lungs uneven; centred on the body from side to side",)
    return low * step, high * step, ()


def _extent(mask: Mask) -> tuple[np.ndarray, np.ndarray]:
    """First and last index (z, y, x) where the mask is more than a thread, such as the trachea."""
    low, high = [], []
    for axis in range(3):
        area = mask.sum(axis=tuple(other for other in range(3) if other != axis))
        used = np.flatnonzero(area > _THREAD_SHARE * area.max())
        low.append(used[0])
        high.append(used[-1])
    return np.asarray(low, float), np.asarray(high, float)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    z, y, x = values.tolist()
    return (z, y, x)
