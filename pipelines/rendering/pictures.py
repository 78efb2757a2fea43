"""The pictures of one report: slices for the viewer, evidence maps, profiles and key images."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, map_coordinates

from model.volumes import Volume
from pipelines.rendering.content import Decision, Finding, Focus, ScanReport
from pipelines.rendering.display import WINDOWS_HU, Window, load_display
from pipelines.rendering.foci import SliceAxis, slice_profile
from pipelines.rendering.slices import EvidenceMap, Slices, resized

if TYPE_CHECKING:
    from model.prediction import Prediction

MOST_KEY_IMAGES = 9
_KEY_IMAGE_PIXELS = 360
_OVERLAY_RGB = np.array([255.0, 110.0, 0.0])
_OUTLINE_RGB = np.array([255.0, 190.0, 80.0])
_BAR_MM, _BAR_MARGIN, _BAR_GREY = 50.0, 8, 235.0
_OPACITY, _FAINT, _HOT = 0.45, 0.15, 0.5  # as in the viewer


@dataclass(frozen=True, slots=True, eq=False)
class KeyImage:
    """One axial slice through a focus, windowed, with the evidence over it and a bar of 5 cm."""

    finding: Finding
    focus: Focus
    window: Window
    jpeg: bytes
    height_per_width: float


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Everything visual that a page needs beside the content."""

    slices: Slices
    maps: dict[str, EvidenceMap]
    profiles: dict[str, NDArray[np.float64]]
    """By label: the evidence at every shown slice, 0 to 1."""
    key_images: tuple[KeyImage, ...]


def draw(report: ScanReport, volume: Volume, prediction: "Prediction") -> Pictures:
    """Draw what the page of a read scan shows."""
    slices = Slices.of(volume)
    axis = SliceAxis.of(volume)
    maps = _maps(prediction)
    profiles: dict[str, NDArray[np.float64]] = {}
    if prediction.maps_lzyx is not None and prediction.map_affine_lps is not None:
        for label, map_zyx in zip(prediction.labels, prediction.maps_lzyx, strict=True):
            profile = slice_profile(map_zyx, prediction.map_affine_lps, axis)
            profiles[label] = profile[slices.indices]
    return Pictures(slices, maps, profiles, key_images(report, volume, prediction))


def key_images(
    report: ScanReport, volume: Volume, prediction: "Prediction"
) -> tuple[KeyImage, ...]:
    """The best slice of each finding above its threshold or close to it, most probable first."""
    maps, axis = _maps(prediction), SliceAxis.of(volume)
    shown = report.having(Decision.PRESENT) + report.having(Decision.INDETERMINATE)
    placed = [finding for finding in shown if finding.foci][:MOST_KEY_IMAGES]
    return tuple(_key_image(f, f.foci[0], maps[f.label], volume, axis) for f in placed)


def _maps(prediction: "Prediction") -> dict[str, EvidenceMap]:
    maps, affine = prediction.maps_lzyx, prediction.map_affine_lps
    if maps is None or affine is None:
        return {}
    return {
        label: EvidenceMap.of(map_zyx, affine)
        for label, map_zyx in zip(prediction.labels, maps, strict=True)
    }


def _key_image(
    finding: Finding, focus: Focus, evidence: EvidenceMap, volume: Volume, axis: SliceAxis
) -> KeyImage:
    index = axis.index(focus.peak_xyz_mm[2])
    hu_yx = volume.hu_zyx[index]
    rows, columns = hu_yx.shape
    _, mm_y, mm_x = volume.spacing_mm_zyx
    scale = min(1.0, _KEY_IMAGE_PIXELS / max(rows, columns))
    size_yx = (max(1, round(rows * scale)), max(1, round(columns * scale)))
    window = load_display().of(finding.label).window
    centre, width = WINDOWS_HU[window]
    grey = np.clip((resized(hu_yx, size_yx) - centre) / width + 0.5, 0, 1)[..., None] * 255
    strength = _on_slice(evidence, volume, index, size_yx)[..., None]
    opacity = _OPACITY * np.clip((strength - _FAINT) / (1 - _FAINT), 0.0, 1.0)
    rgb = grey * (1 - opacity) + _OVERLAY_RGB * opacity
    hot = strength[..., 0] >= _HOT
    rgb[hot & ~binary_erosion(hot, border_value=1)] = _OUTLINE_RGB
    length = min(round(_BAR_MM / mm_x * scale), size_yx[1] - 2 * _BAR_MARGIN)
    rgb[-_BAR_MARGIN - 2 : -_BAR_MARGIN, -_BAR_MARGIN - length : -_BAR_MARGIN] = _BAR_GREY
    stream = io.BytesIO()
    Image.fromarray(rgb.round().astype(np.uint8)).save(stream, "JPEG", quality=85)
    return KeyImage(finding, focus, window, stream.getvalue(), (rows * mm_y) / (columns * mm_x))


def _on_slice(
    evidence: EvidenceMap, volume: Volume, index: int, size_yx: tuple[int, int]
) -> NDArray[np.float64]:
    """The map (0 to 1) looked up trilinearly at the pixels of one axial slice; 0 outside it."""
    rows, columns = size_yx
    full_rows, full_columns = volume.hu_zyx.shape[1:]
    y, x = np.mgrid[:rows, :columns]
    pixels = np.stack(
        [
            (x + 0.5) * full_columns / columns - 0.5,
            (y + 0.5) * full_rows / rows - 0.5,
            np.full(size_yx, float(index)),
            np.ones(size_yx),
        ]
    )
    to_map = np.linalg.inv(evidence.affine_lps) @ volume.affine_lps
    columns_rows_slices = np.tensordot(to_map, pixels, 1)[:3]
    strength = map_coordinates(
        evidence.cells_zyx / 255.0, columns_rows_slices[::-1], order=1, mode="nearest"
    )
    ends = np.asarray(evidence.cells_zyx.shape[::-1]).reshape(3, 1, 1) - 0.5
    inside = ((columns_rows_slices > -0.5) & (columns_rows_slices < ends)).all(axis=0)
    looked_up: NDArray[np.float64] = np.where(inside, strength, 0.0)
    return looked_up
