"""The canvas: regions, distances, painting, and partial volumes."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.synthetic.canvas import (
    FAR,
    Canvas,
    coarse_region,
    ellipsoid,
    polyline,
    refine,
    soft_union,
    tube,
)

place = st.floats(-20, 20)


def a_canvas(step: float = 2.0) -> Canvas:
    axis = np.arange(-30, 30 + step, step, dtype=np.float32)
    return Canvas(axis, axis, axis, scale=1.0)


def test_painting_a_ball_adds_its_volume() -> None:
    canvas = a_canvas(step=1.0)
    canvas.ellipsoid((0.0, 0.0, 0.0), (10.0, 10.0, 10.0), hu=0.0)
    painted = float(((canvas.hu + 1000) / 1000).sum())
    assert painted == pytest.approx(4 / 3 * np.pi * 10**3, rel=0.02)


@given(x=place, y=place, z=place, radius=st.floats(4, 12))
def test_a_ball_s_distance_is_exact(x: float, y: float, z: float, radius: float) -> None:
    region = a_canvas().region()
    assert region is not None
    distance = ellipsoid(region, (x, y, z), (radius, radius, radius))
    exact = np.sqrt((region.x - x) ** 2 + (region.y - y) ** 2 + (region.z - z) ** 2) - radius
    outside = exact > 0
    assert np.allclose(distance[outside], exact[outside], atol=1e-2)


@given(x=place, y=place, z=place)
def test_a_tube_s_distance_is_exact_nearby(x: float, y: float, z: float) -> None:
    assume(np.linalg.norm((x, y, z)) > 0.5)  # a tube has a length
    region = a_canvas().region()
    assert region is not None
    points = polyline((0.0, 0.0, 0.0), (x, y, z))
    distance = tube(region, points, 3.0)
    grid = np.stack(np.broadcast_arrays(region.x, region.y, region.z), axis=-1).astype(float)
    axis = points[1]
    along = np.clip(grid @ axis / (axis @ axis), 0, 1)
    exact = np.linalg.norm(grid - along[..., None] * axis, axis=-1) - 3.0
    near = exact < FAR - 0.1
    assert np.allclose(distance[near], exact[near], atol=1e-2)
    assert (distance[~near] > FAR - 0.2).all()


def test_a_region_outside_the_canvas_is_none() -> None:
    assert a_canvas().around((200.0, 0.0, 0.0), (5.0, 5.0, 5.0)) is None


def test_a_thin_stamp_fills_only_part_of_a_voxel() -> None:
    canvas = a_canvas()
    canvas.stamp(np.zeros((1, 3)), np.array([0.4]), 1000.0)
    assert -1000 < canvas.hu.max() < -500


def test_stamps_outside_the_canvas_are_left_out() -> None:
    canvas = a_canvas()
    canvas.stamp(np.array([[30.0, 30.0, 30.0], [500.0, 0.0, 0.0]]), np.array([3.0, 3.0]), 0.0)
    assert canvas.hu[-1, -1, -1] == 0
    assert (canvas.hu[:-4] == -1000).all()


def test_refining_a_linear_field_is_exact() -> None:
    fine = a_canvas().region((-20, -20, -20, 20, 20, 20))
    assert fine is not None
    coarse = coarse_region((-24, -24, -24, 24, 24, 24), 6.0)
    field = coarse.x + 2 * coarse.y - 3 * coarse.z
    assert np.allclose(refine(field, coarse, fine), fine.x + 2 * fine.y - 3 * fine.z, atol=1e-3)


def test_a_soft_union_holds_both_shapes() -> None:
    first, second = np.array([-2.0, 8.0, 1.0]), np.array([8.0, -2.0, 1.0])
    joined = soft_union(first, second, blend=4.0)
    assert (joined[:2] == -2).all()
    assert joined[2] == pytest.approx(0.0)  # the seam is rounded: less than either distance
