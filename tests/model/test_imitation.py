from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from configs.contracts import InputError
from model.data import Volumes
from model.networks import build_network
from model.networks.imitation import imitate, read_features
from model.networks.sizes import size_of
from tests.model.narrow import COARSE
from tests.model.phantom import make_chests

HU, VALUES = make_chests(32, edge=16)
IDS = [f"volume{i}" for i in range(32)]
CPU = torch.device("cpu")


def features() -> np.ndarray:
    """Stands in for an encoder: what it says of a volume follows from the volume."""
    means = HU.reshape(32, -1).astype(float).mean(axis=1)
    return np.stack([means, *VALUES.T.astype(float)], axis=1)


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_features_come_in_the_order_of_the_volumes(tmp_path: Path, suffix: str):
    path = tmp_path / f"encoder{suffix}"
    order = np.random.default_rng(0).permutation(32)
    ids, table = np.array(IDS)[order], features()[order]
    if suffix == ".npz":
        np.savez(path, volume_id=ids, features=np.c_[table, np.ones(32)])
    else:
        pd.DataFrame(table, columns=list("abcd")).assign(volume_id=ids).to_parquet(path)
    found = read_features(path, IDS[:20])
    expected = features()[:20]
    expected = (expected - expected.mean(axis=0)) / expected.std(axis=0)
    assert found.shape == (20, 4)
    assert np.allclose(found.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"volume_id": IDS[:31], "features": features()[:31]}, "1 of 32 volumes have no features"),
        ({"volume_id": [*IDS, IDS[0]], "features": features()[[*range(32), 0]]}, "two rows"),
        ({"volume_id": IDS, "features": features()[:30]}, "32 volumes beside"),
        ({"volume_id": IDS, "features": np.full((32, 2), np.nan)}, "not numbers"),
        ({"volume_id": IDS, "features": np.ones((32, 2))}, "no feature varies"),
        ({"features": features()}, "plain arrays volume_id and features"),
        ({"volume_id": np.array(IDS, dtype=object), "features": features()}, "plain arrays"),
    ],
)
def test_wrong_features_are_refused(tmp_path: Path, content: dict[str, object], says: str):
    np.savez(tmp_path / "encoder.npz", **content)
    with pytest.raises(InputError, match=says):
        read_features(tmp_path / "encoder.npz", IDS)
    with pytest.raises(InputError, match="no such file"):
        read_features(tmp_path / "none.npz", IDS)


@pytest.mark.parametrize("name", ["additive", "axialnet"])
def test_a_trunk_learns_what_the_encoder_says(name: str):
    torch.manual_seed(0)
    network = build_network(name, COARSE, 3, size_of(name, "tiny"))
    others = {n: p.clone() for n, p in network.state_dict().items() if "trunk." not in n}
    table = torch.from_numpy(features()).float()
    explained = imitate(
        network,
        Volumes(IDS, lambda name: HU[IDS.index(name)], COARSE.grid_zyx, in_memory=True),
        (table - table.mean(0)) / table.std(0),
        batch_size=8,
        learning_rate=3e-3,
        seed=0,
        device=CPU,
    )
    assert explained > 0.3
    for name, value in others.items():
        assert torch.equal(network.state_dict()[name], value), name
