import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.contracts import InputError
from configs.profile import load_profile
from model.networks import build_network
from model.networks.additive import AdditiveNetwork
from model.networks.regional import RegionalReading
from model.networks.sizes import SIZES, size_of
from model.windows import HIGHEST_HU, KNOTS_HU, LOWEST_HU, channel_table, soft_bin_table, table_rows
from tests.model.archive import PROFILE


@pytest.fixture(params=["additive", "resnet3d"], ids=["histogram stem", "convolution stem"])
def network(request: pytest.FixtureRequest) -> AdditiveNetwork:
    torch.manual_seed(0)
    built = build_network("additive", PROFILE, 5, size_of(request.param, "tiny"))
    assert isinstance(built, AdditiveNetwork)
    assert built.regional is not None
    for weight in (built.regional.weight, built.head.diffuse, built.head.focal):
        torch.nn.init.normal_(weight, std=0.3)
    built.regional.mean.uniform_(0, 0.1)
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm3d | torch.nn.BatchNorm1d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    return built.eval()


def volumes(count: int = 3, edge: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(-1100, 2000, (count, edge, edge, edge), generator=generator).short()


@torch.inference_mode()
def test_maps_sum_exactly_to_the_logits(network):
    logits_bl, maps_blzyx, bias_l = network.evidence(volumes())
    assert maps_blzyx.shape == (3, 5, 4, 4, 4)
    assert (logits_bl - bias_l - maps_blzyx.sum((2, 3, 4))).abs().max() < 1e-4
    assert (network(volumes()) - logits_bl).abs().max() < 1e-4
    assert maps_blzyx.abs().max() > 1e-3


@torch.inference_mode()
def test_maps_sum_to_the_logits_in_bfloat16(network):
    with torch.autocast("cpu", torch.bfloat16):
        logits_bl, maps_blzyx, bias_l = network.evidence(volumes())
        again_bl = network(volumes())
    assert logits_bl.dtype == torch.float32
    assert (again_bl - bias_l - maps_blzyx.sum((2, 3, 4))).abs().max() < 1e-3


@torch.inference_mode()
def test_regional_evidence_lies_where_the_density_is():
    branch = RegionalReading((32, 32, 32), (4, 4, 4), 2, 1)
    empty = torch.full((1, 32, 32, 32), -1000, dtype=torch.int16)
    spot = empty.clone()
    spot[0, 9:15, 25:31, 1:7] = 60
    soft_tissue = (KNOTS_HU.index(50.0), KNOTS_HU.index(75.0))
    branch.weight[:, :, list(soft_tissue)] = 1.0
    changed = (branch.maps(spot) - branch.maps(empty))[0, 0].abs() > 1e-6
    assert changed.nonzero().tolist() == [[1, 3, 0]]
    torch.nn.init.normal_(branch.weight)
    changed = (branch.maps(spot) - branch.maps(empty))[0, 0].abs() > 1e-6
    assert not changed[2:].any()
    assert not changed[:, :2].any()
    assert not changed[:, :, 2:].any()


@torch.inference_mode()
def test_deep_evidence_is_centred_on_its_voxels(network):
    """A map shifted by half a cell would point beside the lesion: mirrored in, mirrored out."""
    network.regional = None
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.weight.data = (module.weight.data + module.weight.data.flip(-1)) / 2
    _, maps, _ = network.evidence(volumes(1))
    _, mirrored, _ = network.evidence(volumes(1).flip(-1))
    assert torch.allclose(maps, mirrored.flip(-1), atol=1e-4)


def test_baseline_has_no_evidence_and_the_same_interface():
    network = build_network("resnet3d", PROFILE, 7).eval()
    assert network(volumes(2)).shape == (2, 7)
    assert not hasattr(network, "evidence")


@pytest.mark.parametrize("name", SIZES)
def test_every_size_fits_its_profile(name):
    with torch.device("meta"):
        network = build_network("resnet3d", load_profile(name), 18)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    low, high = {"tiny": (0.5, 1), "small": (8, 11), "base": (33, 40), "large": (45, 55)}[name]
    assert low < millions < high


def test_wrong_names_and_grids_are_refused():
    with pytest.raises(InputError, match="choose one of additive"):
        build_network("transformer", PROFILE, 3)
    with pytest.raises(InputError, match="size"):
        build_network("additive", PROFILE.model_copy(update={"name": "mine"}), 3)
    with pytest.raises(InputError, match="divisible by 8"):
        build_network("additive", PROFILE.model_copy(update={"grid_zyx": (32, 36, 32)}), 3)


@settings(deadline=None)
@given(st.integers(-32768, 32767))
def test_every_int16_has_a_row_and_bins_share_it(hu):
    row = int(table_rows(torch.tensor([hu], dtype=torch.int16))[0])
    shares = soft_bin_table()[row]
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).sum() <= 2


def test_channels_are_windows_then_bins():
    table = channel_table(16)
    assert table.shape == (HIGHEST_HU - LOWEST_HU + 1, 16)
    assert table[-600 - LOWEST_HU, 0] == 0
    assert table[240 - LOWEST_HU, 1] == 1
    assert torch.allclose(table[:, 3:].sum(1), torch.ones(len(table)))
