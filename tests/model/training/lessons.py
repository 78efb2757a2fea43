"""A small archive to learn from, and recipes that take less than a second."""

from pathlib import Path

import torch

from configs.training import TrainConfig
from model.data import Part
from model.training import Fitted, fit
from tests.model.narrow import COARSE
from tests.model.phantom import make_chests

HU, VALUES = make_chests(72, edge=16)
# In float32: on a single cell, oneDNN's bfloat16 convolutions give gradients that are no numbers.
CONFIG = TrainConfig(epochs=3, batch_size=8, threads=1, accelerator="cpu", bf16=False)
SMALL = TrainConfig(
    network="additive", epochs=3, batch_size=4, threads=1, accelerator="cpu", validate_every=2,
    checkpoint_steps=1, bf16=False,
)  # fmt: skip
STEPS = 2  # an epoch of SMALL, of 8 scans
PAIR = SMALL.model_copy(update={"seeds": (0, 5)})
ONE_EPOCH = SMALL.model_copy(update={"epochs": 1})


def part(first: int, last: int) -> Part:
    ids = [str(i) for i in range(first, last)]
    return Part(ids, ids, ids, VALUES[first:last])


def fit_on(folder: Path, config: TrainConfig = CONFIG, **changes: object) -> Fitted:
    arguments = {"train": part(0, 48), "validation": part(48, 72), **changes}
    return fit(
        config,
        COARSE,
        read=arguments.pop("read", lambda i: HU[int(i)]),
        resume_folder=folder / "resume",
        **arguments,
    )


def fit_small(folder: Path, config: TrainConfig = SMALL, **changes: object) -> Fitted:
    return fit_on(folder, config, **{"train": part(0, 8), "validation": part(60, 72), **changes})


def assert_equal_weights(one: Fitted, other: Fitted) -> None:
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
