"""A slice between two that resemble each other must resemble them too."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (the field's usual name)
from scipy import ndimage

from model.volumes import VolumeError, VolumeReason
from model.volumes.neighbours import check_neighbours
from tests.model.volumes.phantom import chest
from tests.model.volumes.plain_files import placed
from tests.model.volumes.small_phantom import refused

CHEST = chest()
TEXTURE = ndimage.gaussian_filter(
    np.random.default_rng(0).normal(0, 10_000, (40, 128, 128)), (2, 4, 4)
)
TEXTURE = np.rint(TEXTURE).astype(np.int16)


@pytest.mark.parametrize("noise_hu", [0.0, 20.0, 100.0])
def test_anatomy_and_noise_pass(noise_hu: float) -> None:
    assert check_neighbours(chest(noise_hu=noise_hu)) == ()


def test_few_slices_and_constants_are_not_judged() -> None:
    assert check_neighbours(CHEST[::20]) == ()
    assert check_neighbours(np.full((9, 8, 8), 40, np.int16)) == ()


@pytest.mark.parametrize("number", [20, 30, 40])
def test_a_slice_turned_over_or_from_elsewhere_is_refused(number: int) -> None:
    for other in (CHEST[number, ::-1], CHEST[(number + 25) % 60], CHEST[number] + 1024):
        hu = CHEST.copy()
        hu[number] = other
        with pytest.raises(VolumeError, match=f"{number + 1} of 60") as caught:
            check_neighbours(hu)
        assert caught.value.reason is VolumeReason.FOREIGN_SLICE


@pytest.mark.parametrize("number", [0, 1, 20, 38, 39])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_turned_slice_is_refused_wherever_it_lies(number: int, axes: tuple[int, ...]) -> None:
    single, onwards = TEXTURE.copy(), TEXTURE.copy()
    single[number] = np.flip(single[number], axes)
    onwards[number:] = np.flip(onwards[number:], [1 + axis for axis in axes])
    check_neighbours(TEXTURE)
    for hu in (single, onwards) if number else (single,):
        with pytest.raises(VolumeError, match="turned over") as caught:
            check_neighbours(hu)
        assert caught.value.reason is VolumeReason.FOREIGN_SLICE


def test_a_slice_in_which_the_patient_moved_is_told() -> None:
    hu = TEXTURE.copy()
    hu[20] = np.roll(hu[20], 8, axis=0)
    (warning,) = check_neighbours(hu)
    assert "slice 21 of 40" in warning
    assert "move" in warning


@pytest.mark.parametrize("number", [6, 20, 35])
def test_a_breath_between_sparse_slices_is_not_refused(number: int) -> None:
    hu = TEXTURE.copy()
    hu[number] = hu[number + 2]  # so that the slice between them differs from two that are alike
    check_neighbours(hu)


def test_two_scans_by_turns_are_refused() -> None:
    hu = CHEST.copy()
    hu[::2] = np.roll(hu[::2], 3, axis=1)
    with pytest.raises(VolumeError, match="every second slice"):
        check_neighbours(hu)


def test_a_jump_is_told() -> None:
    hu = np.concatenate([CHEST[:30], CHEST[:30]])
    assert check_neighbours(hu) == ("the content jumps between slices 30 and 31",)


def test_volume_files_are_looked_at_too(tmp_path: Path) -> None:
    hu = CHEST.copy()
    hu[30] = hu[30, ::-1]
    sitk.WriteImage(placed(hu), str(tmp_path / "x.mha"))
    assert refused(tmp_path / "x.mha") is VolumeReason.FOREIGN_SLICE
