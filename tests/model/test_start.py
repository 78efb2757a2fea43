from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from configs.contracts import InputError
from configs.training import TrainConfig
from model.data import Part
from model.networks import build_network
from model.networks.sizes import Size, size_of
from model.networks.start import load_start
from model.networks.stock import StockResNet
from model.training import fit
from tests.model.archive import PROFILE
from tests.model.phantom import make_chests

WIDTHS = (8, 16, 32, 64)
FLAT = Size("stock", 8, WIDTHS, (2, 2, 2, 2), (2, 2, 2, 2), input_channels=3, regions=0)
VIDEO = Size("stock", 8, WIDTHS, (2, 2, 2, 2), (1, 2, 2, 2), input_channels=3, regions=0)


def stock_weights(dimensions: int) -> dict[str, torch.Tensor]:
    """As torchvision would save them: `resnet18`, or `r3d_18` with its pairs."""
    torch.manual_seed(3)
    weights = StockResNet(dimensions, FLAT, centred=False).state_dict()
    weights = {name: value.clone() for name, value in weights.items()}
    weights |= {"fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}
    if dimensions == 2:
        return weights
    renamed = {}
    for name, value in weights.items():
        parts = name.split(".")
        if parts[0] in ("conv1", "bn1"):
            parts[0] = "stem." + {"conv1": "0", "bn1": "1"}[parts[0]]
        elif parts[0].startswith("layer") and parts[2][:-1] in ("conv", "bn"):
            parts[2] = f"conv{parts[2][-1]}.{'0' if parts[2].startswith('conv') else '1'}"
        renamed[".".join(parts)] = value
    return renamed


def network_of(name: str, size: Size) -> nn.Module:
    torch.manual_seed(0)
    return build_network(name, PROFILE, 4, size).eval()


def stock_of(network: nn.Module) -> StockResNet:
    return next(m for m in network.modules() if isinstance(m, StockResNet))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_pictures_start_the_slice_networks(tmp_path: Path, suffix: str):
    weights = stock_weights(2)
    path = tmp_path / f"resnet18{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": {f"module.{n}": t for n, t in weights.items()}}, path)
    else:
        save_file(weights, path)
    network = network_of("ctnet83", FLAT)
    load_start(network, path)
    for name, value in stock_of(network).state_dict().items():
        if "num_batches" not in name:
            assert torch.equal(value, weights[name]), name


@torch.inference_mode()
def test_inflated_pictures_answer_a_still_film_as_the_picture(tmp_path: Path):
    """Every slice alike: away from the ends along z, 3D responds as 2D did (Carreira 2017)."""
    save_file(stock_weights(2), tmp_path / "resnet18.safetensors")
    network = network_of("resnet3d", VIDEO)
    load_start(network, tmp_path / "resnet18.safetensors")
    film = stock_of(network).conv1
    picture = torch.randn(1, 3, 32, 32)
    still = picture[:, :, None].expand(-1, -1, 16, -1, -1)
    expected = nn.functional.conv2d(picture, stock_weights(2)["conv1.weight"], stride=2, padding=3)
    assert torch.allclose(film(still)[:, :, 4], expected, atol=1e-5)


def test_films_start_the_3d_networks(tmp_path: Path):
    weights = stock_weights(3)
    assert "stem.0.weight" in weights
    assert "layer1.0.conv2.1.running_var" in weights
    torch.save(weights, tmp_path / "r3d_18.pth")
    network = network_of("additive", VIDEO)
    load_start(network, tmp_path / "r3d_18.pth")
    assert torch.equal(stock_of(network).conv1.weight, weights["stem.0.weight"])
    block = stock_of(network).get_submodule("layer2.0")
    assert torch.equal(block.conv2.weight, weights["layer2.0.conv2.0.weight"])
    assert torch.equal(block.bn2.running_mean, weights["layer2.0.conv2.1.running_mean"])


def test_a_bundle_starts_the_same_trunk_with_other_labels(tmp_path: Path):
    before = build_network("additive", PROFILE, 4, size_of("additive", "tiny"))
    save_file(before.state_dict(), tmp_path / "weights.safetensors")
    after = build_network("additive", PROFILE, 9, size_of("additive", "tiny"))
    load_start(after, tmp_path / "weights.safetensors")
    for name, value in before.trunk.state_dict().items():
        assert torch.equal(value, after.trunk.state_dict()[name]), name


def test_what_does_not_match_is_refused_by_name(tmp_path: Path):
    weights = stock_weights(2)
    path = tmp_path / "resnet18.safetensors"
    save_file({n: t for n, t in weights.items() if n != "layer3.1.conv2.weight"}, path)
    with pytest.raises(InputError, match=r"lacks 'layer3.1.conv2.weight'"):
        load_start(network_of("ctnet83", FLAT), path)
    save_file(weights | {"layer9.0.conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"besides 'layer9.0.conv1.weight'"):
        load_start(network_of("ctnet83", FLAT), path)
    save_file(weights, path)
    with pytest.raises(InputError, match=r"shaped .* the trunk .*wants"):
        load_start(network_of("ctnet83", size_of("ctnet83", "tiny")), path)
    with pytest.raises(InputError, match="size: video"):
        load_start(network_of("additive", size_of("additive", "tiny")), path)
    weights["bn1.weight"][0] = float("nan")
    save_file(weights, path)
    with pytest.raises(InputError, match="not numbers"):
        load_start(network_of("ctnet83", FLAT), path)


class Payload:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("content", ["text", "code", "empty", "list"])
def test_only_named_tensors_are_read(tmp_path: Path, content: str, capsys):
    path = tmp_path / "start.pt"
    if content == "code":
        torch.save({"conv1.weight": Payload()}, path)
    elif content == "list":
        torch.save([torch.zeros(1)], path)
    else:
        path.write_text({"text": "not a file of weights", "empty": ""}[content])
    with pytest.raises(InputError, match="start_weights: "):
        load_start(network_of("ctnet83", FLAT), path)
    with pytest.raises(InputError, match="no such file"):
        load_start(network_of("ctnet83", FLAT), tmp_path / "none.pt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["axialnet", "ctnet83"])
def test_fit_trains_a_slice_network_from_a_start(tmp_path: Path, name: str):
    hu, values = make_chests(24)
    ids = [str(i) for i in range(24)]
    before = build_network(name, PROFILE, 4, size_of(name, "tiny"))
    save_file(before.state_dict(), tmp_path / "weights.safetensors")
    config = TrainConfig(
        network=name,
        start_weights=str(tmp_path / "weights.safetensors"),
        epochs=1,
        batch_size=8,
        learning_rate=1e-9,
        threads=1,
    )
    fitted = fit(
        config,
        PROFILE,
        Part(ids[:12], ids[:12], ids[:12], values[:12]),
        Part(ids[12:], ids[12:], ids[12:], values[12:]),
        lambda i: hu[int(i)],
        resume_folder=tmp_path / "resume",
    )
    started = before.get_submodule("trunk").stock.conv1.weight
    assert torch.allclose(fitted.network.get_submodule("trunk").stock.conv1.weight, started)


def test_fit_starts_by_imitating_cached_features(tmp_path: Path):
    hu, values = make_chests(24)
    ids = [str(i) for i in range(24)]
    np.savez(tmp_path / "encoder.npz", volume_id=ids, features=values.astype(float))
    config = TrainConfig(
        start_weights=str(tmp_path / "encoder.npz"), epochs=1, batch_size=8, threads=1
    )

    fitted = fit(
        config,
        PROFILE,
        Part(ids[:12], ids[:12], ids[:12], values[:12]),
        Part(ids[12:], ids[12:], ids[12:], values[12:]),
        lambda i: hu[int(i)],
        resume_folder=tmp_path / "resume",
    )
    assert np.isfinite(fitted.validation_logits_nl).all()
    (tmp_path / "encoder.npz").unlink()
    with pytest.raises(InputError, match="no such file"):
        fit(
            config,
            PROFILE,
            Part(ids[:12], ids[:12], ids[:12], values[:12]),
            Part(ids[12:], ids[12:], ids[12:], values[12:]),
            lambda i: hu[int(i)],
            resume_folder=tmp_path / "another",
        )
