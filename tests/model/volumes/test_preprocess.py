import numpy as np
import pytest

from configs.profile import Profile, load_profile
from model.volumes.preprocess import PreparedVolume, preprocess
from model.volumes.volume import Volume
from tests.model.volumes.phantom import affine_of, chest, volume_of

TINY = load_profile("tiny")


def lung_centre(prepared: PreparedVolume, shift: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """The grid index (x, y, z) at which the phantom's lungs are centred, by its construction."""
    z, y, x = np.array([60, 80, 80]) / 2 + np.array([0, 1, 0]) + shift
    place = prepared.volume.affine_lps @ np.array([x, y, z, 1.0])
    return np.asarray(np.linalg.solve(prepared.affine_lps, place)[:3])


def chest_volume(shift: tuple[int, int, int] = (0, 0, 0), spacing: float = 5.0) -> Volume:
    hu = np.roll(chest(spacing_mm=spacing), shift, axis=(0, 1, 2))
    return volume_of(hu, affine_of((spacing,) * 3, (-200.0, -180.0, 900.0)))


def test_the_grid_is_the_profile_s_and_the_lungs_are_at_its_centre() -> None:
    prepared = preprocess(chest_volume(), TINY)
    assert prepared.hu_zyx.shape == TINY.grid_zyx
    assert prepared.hu_zyx.dtype == np.int16
    assert prepared.spacing_mm_zyx == pytest.approx(TINY.spacing_mm_zyx)
    assert np.abs(lung_centre(prepared) - 31.5).max() <= 1.5


def test_two_patients_lying_elsewhere_in_the_field_of_view_are_aligned() -> None:
    shift = (3, -3, 5)
    here, there = preprocess(chest_volume(), TINY), preprocess(chest_volume(shift), TINY)
    assert np.abs(lung_centre(here) - lung_centre(there, shift)).max() <= 1


def test_a_voxel_of_the_grid_leads_back_to_the_same_place() -> None:
    volume = chest_volume()
    prepared = preprocess(volume, TINY)
    middle = np.array([31, 30, 29, 1.0])  # x, y, z
    place = prepared.affine_lps @ middle
    x, y, z, _ = np.rint(np.linalg.solve(volume.affine_lps, place)).astype(int)
    nearby = volume.hu_zyx[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2]
    assert nearby.min() - 40 <= prepared.hu_zyx[29, 30, 31] <= nearby.max() + 40


def test_a_chest_larger_than_the_grid_is_not_cut() -> None:
    small = Profile(name="s", grid_zyx=(32, 32, 32), spacing_mm_zyx=(5, 5, 5), margin_mm=10)
    prepared = preprocess(chest_volume(), small)
    assert "spacing widened" in prepared.warnings[-1]
    assert max(prepared.spacing_mm_zyx) > 5
    reach = np.array([135, 85, 120]) / np.array(prepared.spacing_mm_zyx)[::-1]
    assert (lung_centre(prepared) - reach >= 0).all()
    assert (lung_centre(prepared) + reach <= 31).all()


def test_without_lungs_the_body_is_centred_and_a_warning_says_so() -> None:
    hu = np.full((40, 60, 60), -1000, np.int16)
    hu[:, 10:30, 5:35] = 40
    prepared = preprocess(volume_of(hu, affine_of((5.0, 5.0, 5.0))), TINY)
    assert any("no lungs" in warning for warning in prepared.warnings)
    tissue = np.argwhere(prepared.hu_zyx > -100)
    assert np.abs((tissue.min(axis=0) + tissue.max(axis=0)) / 2 - 31.5).max() <= 1.5


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 40), (3, 2, 90), (40, 40, 40)])
@pytest.mark.parametrize("value", [-1024, 0, 3071])
def test_small_and_constant_volumes_pass(shape: tuple[int, int, int], value: int) -> None:
    prepared = preprocess(volume_of(np.full(shape, value, np.int16), affine_of()), TINY)
    assert prepared.hu_zyx.shape == TINY.grid_zyx
    assert set(np.unique(prepared.hu_zyx)) <= {value, -1024}
    assert value in prepared.hu_zyx or min(shape) < 8


def test_a_filled_lung_does_not_shift_the_midline() -> None:
    hu = chest().copy()
    half = hu[:, :, 40:]
    half[(half < -500) & (half > -950)] = 20  # effusion over the whole left lung
    prepared = preprocess(volume_of(hu, affine_of((5.0, 5.0, 5.0))), TINY)
    spine = np.argwhere(prepared.hu_zyx > 250)[:, 2]
    assert abs((spine.min() + spine.max()) / 2 - 31.5) <= 1.5


def test_the_same_volume_gives_the_same_bytes() -> None:
    assert (
        preprocess(chest_volume(), TINY).hu_zyx.tobytes()
        == preprocess(chest_volume(), TINY).hu_zyx.tobytes()
    )
