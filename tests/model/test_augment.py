import torch

from configs.training import Augmentation
from model.augment import augment
from tests.model.phantom import make_chests

NONE = Augmentation(
    rotation_deg=0, scale=0, shift=0, hu_shift=0, hu_scale=0, noise_hu=0, blur=0, thick_slices=0
)


def chests() -> torch.Tensor:
    return torch.from_numpy(make_chests(3)[0])


def keys(count: int, seed: int = 0) -> list[tuple[int, ...]]:
    return [(seed, row) for row in range(count)]


def drawn(recipe: Augmentation, seed: int = 0) -> torch.Tensor:
    return augment(chests(), recipe, keys(3, seed))


def with_only(**changes: float) -> torch.Tensor:
    return drawn(NONE.model_copy(update=changes))


def test_nothing_asked_nothing_changed():
    assert torch.equal(drawn(NONE), chests())


EVERYTHING = Augmentation(elastic=0.02, blur=0.5, sharpen=0.5, thick_slices=0.5)


def test_depends_on_the_sample_s_key_alone():
    assert torch.equal(drawn(EVERYTHING, 5), drawn(EVERYTHING, 5))
    assert not torch.equal(drawn(EVERYTHING, 5), drawn(EVERYTHING, 6))
    alone = augment(chests()[1:2], EVERYTHING, [(5, 1)])
    assert torch.equal(alone[0], drawn(EVERYTHING, 5)[1])


def test_a_field_changes_nothing_else():
    """With noise off, the pose is the one that noise went with."""
    still = NONE.model_copy(update={"shift": 0.1})
    louder = still.model_copy(update={"noise_hu": 1e-6, "thick_slices": 0.0})
    assert torch.equal(drawn(still), drawn(louder))


def test_kernels_soften_and_sharpen():
    def roughness(hu: torch.Tensor) -> torch.Tensor:
        return hu.float().diff(dim=3).abs().mean()

    assert roughness(with_only(blur=1.0)) < roughness(chests()) < roughness(with_only(sharpen=1.0))


def test_bending_is_smooth_and_bounded():
    marked = torch.full((6, 32, 32, 32), -1024, dtype=torch.int16)
    marked[:, 12:20, 12:20, 12:20] = 1000
    bent = augment(marked, NONE.model_copy(update={"elastic": 0.05}), keys(6))
    assert not torch.equal(bent, marked)
    inside = (bent > 0).nonzero()[:, 1:]
    assert inside.min() >= 12 - 2
    assert inside.max() <= 19 + 2
    assert abs(float((bent > 0).sum() / (marked > 0).sum()) - 1) < 0.5


def test_mirrors_left_and_right_only():
    assert torch.equal(with_only(flip_left_right=1.0), chests().flip(3))


def test_shift_moves_by_at_most_its_share_and_pads_with_air_outside():
    marked = torch.full((40, 16, 16, 16), -1024, dtype=torch.int16)
    marked[:, 8, 8, 8] = 1000
    moved = augment(marked, NONE.model_copy(update={"shift": 0.125}), keys(40))
    peaks = moved.flatten(1).argmax(1)
    z = peaks // 256
    assert z.min() >= 6
    assert z.max() <= 10
    assert len(z.unique()) > 2
    assert moved.min() == -1024


def test_rotation_does_not_shear_a_grid_that_is_no_cube():
    """A ball stays a ball: its second moments stay equal along y and x, turned about z."""
    _, y, x = torch.meshgrid(*(torch.arange(n) - n / 2 + 0.5 for n in (8, 48, 24)), indexing="ij")
    ball = torch.where((y**2 + (x) ** 2) < 64, 0, -1024).short()[None].repeat(20, 1, 1, 1)
    turned = augment(ball, NONE.model_copy(update={"rotation_deg": 20.0}), keys(20))
    inside = (turned > -512).float()[:, 4]
    spread_y = (inside * y[4] ** 2).sum((1, 2)) / inside.sum((1, 2))
    spread_x = (inside * x[4] ** 2).sum((1, 2)) / inside.sum((1, 2))
    assert (spread_y / spread_x - 1).abs().max() < 0.15


def test_padding_stays_padding_under_noise():
    padded = chests()
    padded[:, :4] = -1024
    noisy = augment(padded, NONE.model_copy(update={"noise_hu": 50.0, "hu_shift": 30.0}), keys(3))
    assert (noisy[:, :4] == -1024).all()
    assert not torch.equal(noisy[:, 4:], padded[:, 4:])


def test_thick_slices_pair_neighbours():
    thick = with_only(thick_slices=1.0)
    assert torch.equal(thick[:, 0::2], thick[:, 1::2])
