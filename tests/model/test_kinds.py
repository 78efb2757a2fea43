import torch

from model.kinds import CONTRAST_EDGES_HU, N_KINDS, SURROUND_EDGES_HU, VoxelKinds
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
    assert torch.allclose(shares[:, DENSITIES:].sum(1), torch.ones(64), atol=1e-5)


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
