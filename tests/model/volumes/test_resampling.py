import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (the field's usual name)
from hypothesis import given, settings
from hypothesis import strategies as st

from model.volumes.resampling import axis_weights, resample
from tests.model.volumes.phantom import affine_of, grid_places, hu_at, position_coded

RNG = np.random.default_rng(3)


@given(
    size=st.integers(1, 60),
    start=st.floats(-20, 60),
    step=st.floats(0.2, 6),
    count=st.integers(1, 40),
)
def test_weights_of_every_covered_sample_sum_to_one(
    size: int, start: float, step: float, count: int
) -> None:
    weights, covered = axis_weights(size, start, step, count)
    assert np.allclose(weights.sum(axis=1), covered, atol=1e-5)
    assert (weights >= 0).all()


@settings(max_examples=40)
@given(
    step=st.tuples(*[st.floats(0.4, 3)] * 3),
    start=st.tuples(*[st.floats(0, 4)] * 3),
)
def test_a_linear_ramp_stays_where_it_is(
    step: tuple[float, float, float], start: tuple[float, float, float]
) -> None:
    shape, affine = (24, 30, 28), affine_of((1.0, 1.0, 1.0))
    out_shape = tuple(int((n - 1 - a) / s) + 1 for n, a, s in zip(shape, start, step, strict=True))
    out = resample(position_coded(shape, affine), start, step, out_shape)
    to_source = np.diag([*step[::-1], 1.0])
    to_source[:3, 3] = start[::-1]
    expected = hu_at(grid_places(out_shape, affine @ to_source))
    # Smoothing leans on the replicated edge within its reach: look inside it.
    reach = [int(np.ceil(4 * max(s * s - 1, 0) ** 0.5 / 2.355 / s)) for s in step]
    inside = tuple(slice(r, n - r) for r, n in zip(reach, out_shape, strict=True))
    if out[inside].size:
        assert np.abs(out[inside] - expected[inside]).max() <= 1.6


def test_upsampling_equals_simpleitk_linear() -> None:
    hu = RNG.integers(-1024, 2000, (12, 14, 13), dtype=np.int16)
    step, start, shape = (0.7, 0.9, 0.55), (0.3, 0.1, 0.4), (15, 13, 20)
    itk = sitk.Resample(
        sitk.GetImageFromArray(hu),
        tuple(int(n) for n in shape[::-1]),
        sitk.Transform(),
        sitk.sitkLinear,
        start[::-1],
        step[::-1],
        (1, 0, 0, 0, 1, 0, 0, 0, 1),
        -1024,
        sitk.sitkFloat32,
    )
    assert np.abs(resample(hu, start, step, shape) - sitk.GetArrayFromImage(itk)).max() <= 0.51


def test_nothing_is_invented_beyond_the_edge() -> None:
    hu = np.full((4, 4, 4), 50, np.int16)
    out = resample(hu, (-2.0, 0.0, 0.0), (1.0, 1.0, 1.0), (8, 4, 4))
    assert (out[:2] == -1024).all()
    assert (out[2:6] == 50).all()
    assert (out[6:] == -1024).all()


def test_a_fine_checkerboard_does_not_alias() -> None:
    pattern = np.indices((40, 40, 40)).sum(axis=0) % 2 * 1000
    out = resample(pattern.astype(np.int16), (0.0, 0.0, 0.0), (4.0, 4.0, 4.0), (10, 10, 10))
    assert np.abs(out[2:-2, 2:-2, 2:-2] - 500).max() <= 5


@pytest.mark.parametrize("extreme", [-32768, 32767])
def test_extremes_do_not_wrap(extreme: int) -> None:
    hu = np.full((5, 5, 5), extreme, np.int16)
    assert (resample(hu, (0.5, 0.5, 0.5), (0.5, 1.5, 1.0), (4, 2, 3)) == extreme).all()
