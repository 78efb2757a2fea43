import torch

from configs.training import Augmentation
from model.augment import augment
from tests.model.phantom import make_chests

NONE = Augmentation(
    rotation_deg=0, scale=0, shift=0, hu_shift=0, hu_scale=0, noise_hu=0, blur=0, thick_slices=0
)


def chests() -> torch.Tensor:
    return torch.from_numpy(make_chests(3)[0])


def drawn(recipe: Augmentation, seed: int = 0) -> torch.Tensor:
    return augment(chests(), recipe, torch.Generator().manual_seed(seed))


def with_only(**changes: float) -> torch.Tensor:
    return drawn(NONE.model_copy(update=changes))


def test_nothing_asked_nothing_changed():
    assert torch.equal(drawn(NONE), chests())


def test_depends_on_the_generator_alone():
    assert torch.equal(drawn(Augmentation(), 5), drawn(Augmentation(), 5))
    assert not torch.equal(drawn(Augmentation(), 5), drawn(Augmentation(), 6))


def test_mirrors_left_and_right_only():
    assert torch.equal(with_only(flip_left_right=1.0), chests().flip(3))


def test_shift_moves_by_at_most_its_share_and_pads_with_air_outside():
    marked = torch.full((40, 16, 16, 16), -1024, dtype=torch.int16)
    marked[:, 8, 8, 8] = 1000
    moved = augment(
        marked, NONE.model_copy(update={"shift": 0.125}), torch.Generator().manual_seed(0)
    )
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
    turned = augment(
        ball, NONE.model_copy(update={"rotation_deg": 20.0}), torch.Generator().manual_seed(0)
    )
    inside = (turned > -512).float()[:, 4]
    spread_y = (inside * y[4] ** 2).sum((1, 2)) / inside.sum((1, 2))
    spread_x = (inside * x[4] ** 2).sum((1, 2)) / inside.sum((1, 2))
    assert (spread_y / spread_x - 1).abs().max() < 0.15


def test_padding_stays_padding_under_noise():
    padded = chests()
    padded[:, :4] = -1024
    noisy = augment(
        padded,
        NONE.model_copy(update={"noise_hu": 50.0, "hu_shift": 30.0}),
        torch.Generator().manual_seed(0),
    )
    assert (noisy[:, :4] == -1024).all()
    assert not torch.equal(noisy[:, 4:], padded[:, 4:])


def test_thick_slices_pair_neighbours():
    thick = with_only(thick_slices=1.0)
    assert torch.equal(thick[:, 0::2], thick[:, 1::2])
