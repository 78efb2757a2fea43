import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from configs.contracts import InputError
from configs.profile import load_profile
from model.kinds import VoxelKinds
from model.networks import NETWORKS, build_network
from model.networks.additive import AdditiveNetwork
from model.networks.regional import RegionalReading
from model.networks.sizes import SIZES, size_of
from model.networks.slices import SliceTriples
from model.windows import HIGHEST_HU, KNOTS_HU, LOWEST_HU, channel_table, soft_bin_table, table_rows
from tests.model.archive import PROFILE


@pytest.fixture(params=["additive", "resnet3d"], ids=["histogram stem", "convolution stem"])
def network(request: pytest.FixtureRequest) -> AdditiveNetwork:
    torch.manual_seed(0)
    built = build_network("additive", PROFILE, 5, size_of(request.param, "tiny"))
    assert isinstance(built, AdditiveNetwork)
    assert built.regional is not None
    for weight in (
        built.regional.tissues.weight,
        built.regional.shapes.weight,
        built.head.diffuse,
        built.head.focal,
    ):
        torch.nn.init.normal_(weight, std=0.3)
    built.regional.tissues.typical.uniform_(0, 0.1)
    built.regional.shapes.typical.uniform_(0, 0.01)
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
    branch.tissues.weight[:, :, list(soft_tissue)] = 1.0
    changed = (branch.maps(branch.kinds(spot)) - branch.maps(branch.kinds(empty)))[
        0, 0
    ].abs() > 1e-6
    assert changed.nonzero().tolist() == [[1, 3, 0]]
    torch.nn.init.normal_(branch.tissues.weight)
    changed = (branch.maps(branch.kinds(spot)) - branch.maps(branch.kinds(empty)))[
        0, 0
    ].abs() > 1e-6
    assert not changed[2:].any()
    assert not changed[:, :2].any()
    assert not changed[:, :, 2:].any()


@torch.inference_mode()
def test_the_typical_chest_has_no_evidence_and_others_where_they_differ():
    """What every chest has at that place speaks for nothing, however much a kind weighs."""
    branch = RegionalReading((32, 32, 32), (4, 4, 4), 2, 1)
    torch.nn.init.normal_(branch.tissues.weight)
    torch.nn.init.normal_(branch.shapes.weight)
    typical = torch.full((1, 32, 32, 32), -1000, dtype=torch.int16)
    typical[:, 8:24, 8:24, 8:24] = 40
    branch.set_typical(branch.kinds(typical)[0])
    assert branch.maps(branch.kinds(typical)).abs().max() < 1e-6
    other = typical.clone()
    other[0, 11:13, 11:13, 11:13] = -800
    maps = branch.maps(branch.kinds(other))
    assert (maps[0, 0].abs() > 1e-6).nonzero().tolist() == [[1, 1, 1]]
    assert torch.allclose(maps.sum((2, 3, 4)), branch(branch.kinds(other)), atol=1e-4)


def test_kinds_are_counted_once_for_stem_and_regional_reading(network, monkeypatch):
    calls = []
    counted = VoxelKinds.forward
    monkeypatch.setattr(VoxelKinds, "forward", lambda s, hu: calls.append(1) or counted(s, hu))
    network(volumes(1))
    network.evidence(volumes(1))
    assert len(calls) == 2


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


@pytest.mark.parametrize(
    ("name", "size"),
    [("additive", size) for size in SIZES] + [("axialnet", size) for size in ("tiny", "small")],
)
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@torch.inference_mode()
def test_evidence_is_exact_at_every_size(name, size, bf16):
    """In bfloat16 the features are rounded, but the sum over the map is not."""
    torch.manual_seed(0)
    edges = (32, 48, 64)
    profile = PROFILE.model_copy(update={"grid_zyx": edges})
    network = build_network(name, profile, 18, size_of(name, size)).eval()
    for parameter in network.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    hu = torch.randint(-1100, 2000, (1, *edges)).short()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits_bl, maps_blzyx, bias_l = network.evidence(hu)
        again_bl = network(hu)
    tolerance = 1e-3 if bf16 else 1e-4
    assert (again_bl - bias_l - maps_blzyx.sum((2, 3, 4))).abs().max() < tolerance
    assert (logits_bl - again_bl).abs().max() < tolerance
    assert maps_blzyx.abs().max() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_at_profile_tiny(name):
    torch.manual_seed(0)
    network = build_network(name, load_profile("tiny"), 7)
    logits_bl = network(volumes(2, edge=64))
    assert logits_bl.shape == (2, 7)
    assert logits_bl.dtype == torch.float32
    logits_bl.square().sum().backward() if name != "additive" else logits_bl.sum().backward()
    head = {"additive": "bias", "axialnet": "scores"}.get(name, "classifier")
    gradients = [p.grad for n, p in network.named_parameters() if n.startswith(head)]
    assert gradients
    assert all(gradient is not None and gradient.any() for gradient in gradients)


def test_ctnet_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = build_network("ctnet83", load_profile("published"), 83)
    assert sum(p.numel() for p in network.parameters()) == 12_411_779
    assert network.classifier[0].in_features == 7_200


def test_slice_triples_are_spread_evenly_over_the_grid():
    for slices in (402, 64, 224, 160, 8):
        centres = SliceTriples(slices).centres
        assert len(centres) == slices // 3
        assert centres.min() >= 1
        assert centres.max() <= slices - 2
        gaps = centres.diff()
        assert set(gaps.tolist()) <= {3, 4}
        assert abs((centres.float().mean() - (slices - 1) / 2).item()) <= 0.5
    assert SliceTriples(402).centres.tolist() == list(range(1, 402, 3))


@pytest.mark.parametrize(("name", "size"), [("axialnet", "tiny"), ("additive", "video")])
@torch.inference_mode()
def test_centred_halving_keeps_a_map_in_place(name, size):
    """Mirrored in, mirrored out, once the kernels are symmetric: nothing is shifted."""
    torch.manual_seed(0)
    profile = PROFILE.model_copy(update={"grid_zyx": (16, 64, 64)})
    network = build_network(name, profile, 3, size_of(name, size)).eval()
    if name == "additive":
        network.regional = None
        nn.init.normal_(network.head.focal)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.weight.data = (module.weight.data + module.weight.data.flip(-1)) / 2
    hu = torch.randint(-1000, 200, (1, 16, 64, 64)).short()
    _, maps, _ = network.evidence(hu)
    _, mirrored, _ = network.evidence(hu.flip(-1))
    assert maps.std() > 1e-6
    assert torch.allclose(maps, mirrored.flip(-1), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("name", ["resnet3d", "ctnet83"])
def test_baselines_have_no_evidence_and_the_same_interface(name):
    network = build_network(name, PROFILE, 7).eval()
    assert network(volumes(2)).shape == (2, 7)
    assert not hasattr(network, "evidence")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("tiny", 0.5, 1), ("compact", 0.5, 1), ("small", 8, 11), ("base", 33, 40), ("large", 45, 55)],
)
def test_every_size_fits_its_profile(name, low, high):
    with torch.device("meta"):
        networks = [build_network(n, load_profile(name), 18) for n in ("additive", "resnet3d")]
    for network in networks:
        assert low < sum(p.numel() for p in network.parameters()) / 1e6 < high


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
