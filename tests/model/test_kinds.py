import torch

from model.kinds import (
    CONTRAST_EDGES_HU,
    N_KINDS,
    PROMINENCE_EDGES_HU,
    SHAPES,
    SHELL_EDGES_HU,
    SURROUND_EDGES_HU,
    TISSUES,
    VoxelKinds,
)
from model.windows import KNOTS_HU

DENSITIES = len(KNOTS_HU)
SURROUNDS = len(SURROUND_EDGES_HU) + 1


def texture(contrast_hu: float, surround_hu: float) -> int:
    above = sum(contrast_hu > edge for edge in CONTRAST_EDGES_HU)
    return DENSITIES + above * SURROUNDS + sum(surround_hu > edge for edge in SURROUND_EDGES_HU)


def shares_of(hu_zyx: torch.Tensor, cells: int = 1) -> torch.Tensor:
    grid = tuple(hu_zyx.shape)
    return VoxelKinds(grid, (cells,) * 3)(hu_zyx[None].short())[0]


def test_densities_and_textures_each_share_out_every_cell():
    hu = torch.randint(-2000, 4000, (16, 16, 16), generator=torch.Generator().manual_seed(0))
    shares = shares_of(hu, cells=4)
    assert shares.shape == (64, N_KINDS)
    assert torch.allclose(shares[:, :DENSITIES].sum(1), torch.ones(64), atol=1e-5)
    assert torch.allclose(shares[:, DENSITIES : TISSUES.stop].sum(1), torch.ones(64), atol=1e-5)


def test_an_even_volume_has_one_texture_and_its_own_density():
    shares = shares_of(torch.full((8, 8, 8), 50))[0]
    assert shares[KNOTS_HU.index(50.0)] == 1
    assert shares[texture(0, 50)] == 1


def test_a_bright_voxel_in_lung_is_told_from_one_in_soft_tissue():
    lung, tissue = torch.full((8, 8, 8), -850), torch.full((8, 8, 8), 40)
    lung[4, 4, 4] = -850 + 270
    tissue[4, 4, 4] = 40 + 270
    assert shares_of(lung)[0, texture(260, -840)] == 1 / 512
    assert shares_of(tissue)[0, texture(260, 50)] == 1 / 512


def test_cells_are_where_their_voxels_are():
    hu = torch.full((8, 8, 8), -850)
    hu[4:, :4, 4:] = 50
    soft = shares_of(hu, cells=2)[:, KNOTS_HU.index(50.0)].view(2, 2, 2)
    assert soft.nonzero().tolist() == [[1, 0, 1]]


def standing_out(hu_zyx: torch.Tensor, *, bright: bool) -> dict[int, float]:
    """Shares by the class of the shell around, of what stands out."""
    n_shells = len(SHELL_EDGES_HU) + 1
    shapes = shares_of(hu_zyx)[0, SHAPES].view(2, len(PROMINENCE_EDGES_HU), n_shells)
    found = shapes[0 if bright else 1].sum(0)
    return {int(shell): float(found[shell]) for shell in found.nonzero()}


def test_a_ball_stands_out_and_vessels_and_walls_do_not():
    lung = torch.full((16, 16, 16), -850)
    ball, vessel, wall = lung.clone(), lung.clone(), lung.clone()
    ball[7:10, 7:10, 7:10] = 40
    vessel[:, 7:10, 7:10] = 40
    wall[:, :, 7:10] = 40
    around = standing_out(ball, bright=True)
    assert around
    assert all(SHELL_EDGES_HU[shell] < -500 for shell in around)
    assert standing_out(ball, bright=False) == {}
    for hu in (lung, vessel, wall):
        assert standing_out(hu, bright=True) == {}


def test_a_ball_stands_out_where_it_touches_something_on_one_side():
    hu = torch.full((16, 16, 16), -850)
    hu[7:10, 7:10, 7:10] = 40
    hu[7:10, 7:10, 10:] = 40  # a vessel that ends in it
    assert standing_out(hu, bright=True)


def test_a_hole_stands_out_as_dark():
    tissue = torch.full((16, 16, 16), 40)
    tissue[7:10, 7:10, 7:10] = -980
    around = standing_out(tissue, bright=False)
    assert around
    assert all(SHELL_EDGES_HU[shell - 1] >= -100 for shell in around)
    assert standing_out(tissue, bright=True) == {}
