"""The pictures show the volume: its values, its geometry, within the budget."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.volumes import Volume
from pipelines.rendering.slices import (
    CURVE_HU,
    CURVE_LEVEL,
    MOST_SLICES,
    EvidenceMap,
    Slices,
    levels,
)


def to_hu(picture: np.ndarray) -> np.ndarray:
    return np.interp(picture, CURVE_LEVEL, CURVE_HU)


def test_levels_keep_soft_tissue_to_two_hu_and_lung_to_five() -> None:
    soft, lung = np.arange(-160, 241, dtype=np.int16), np.arange(-1000, -159, dtype=np.int16)
    assert np.abs(to_hu(levels(soft)) - soft).max() <= 2.0
    assert np.abs(to_hu(levels(lung)) - lung).max() <= 5.0
    assert (np.diff(levels(np.arange(-2000, 4000, dtype=np.int16)).astype(int)) >= 0).all()


def test_pixels_state_the_place_that_the_affine_gives_them(volume: Volume) -> None:
    """HU is a function of place; what a shown pixel states must be where its affine puts it."""
    affine = np.diag([0.9, 0.8, 3.0, 1.0])
    affine[:3, 3] = (-300.0, -200.0, 50.0)
    z, y, x = np.meshgrid(np.arange(6), np.arange(500), np.arange(700), indexing="ij")
    place = np.stack([x, y, z, np.ones_like(x)], -1) @ affine.T
    hu = (place[..., 0] / 4 + place[..., 1] / 4 + place[..., 2] / 4).round().astype(np.int16)
    slices = Slices.of(replace(volume, hu_zyx=hu, affine_lps=affine))
    assert max(slices.shape_zyx) == 512
    corners = [-0.5, -0.5, 0, 1], [699.5, 499.5, 5, 1]
    shown = [-0.5, -0.5, 0, 1], [511.5, slices.shape_zyx[1] - 0.5, 5, 1]
    for corner, edge in zip(corners, shown, strict=True):
        np.testing.assert_allclose(slices.affine_lps @ edge, affine @ corner, atol=1e-9)
    for index in (0, 5):
        picture = to_hu(np.asarray(Image.open(io.BytesIO(slices.jpegs[index]))))
        for row, column in ((50, 60), (300, 400)):
            at = slices.affine_lps @ [column, row, index, 1.0]
            assert picture[row, column] == pytest.approx(at[:3].sum() / 4, abs=7)


def test_noise_and_many_slices_stay_within_the_budget(volume: Volume) -> None:
    noise = np.random.default_rng(0).normal(0, 300, (MOST_SLICES * 2 + 5, 64, 64))
    thin = replace(volume, hu_zyx=noise.astype(np.int16))
    slices = Slices.of(thin, budget_bytes=700_000)
    assert len(slices.jpegs) <= MOST_SLICES
    assert sum(map(len, slices.jpegs)) <= 700_000
    first = slices.affine_lps @ [0, 0, 0, 1]
    assert first[2] == pytest.approx((volume.affine_lps @ [0, 0, slices.indices[0], 1])[2])


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(1, 90)] * 3))
def test_a_map_keeps_its_place_when_it_is_averaged_down(shape: tuple[int, int, int]) -> None:
    map_zyx = np.zeros(shape, np.float32)
    peak = tuple(size // 2 for size in shape)
    map_zyx[peak] = 3.0
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    found = EvidenceMap.of(map_zyx, affine)
    assert max(found.cells_zyx.shape) <= 40
    assert found.cells_zyx.max() == 255
    cell = np.unravel_index(found.cells_zyx.argmax(), found.cells_zyx.shape)
    shown = found.affine_lps @ [*cell[::-1], 1.0]
    true = affine @ [*peak[::-1], 1.0]
    half_cell = np.linalg.norm(found.affine_lps[:3, :3], axis=0) / 2
    assert (np.abs(shown - true)[:3] <= half_cell).all()
