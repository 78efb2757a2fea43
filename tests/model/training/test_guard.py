"""Values that are no numbers: found where they first stand, never kept."""

import re

import numpy as np
import pytest
import torch

from configs.contracts import InputError
from model.training import TrainingError, checkpoint, loop
from tests.model.training.lessons import HU, SMALL, fit_small


def test_not_a_number_stops_with_its_cause(tmp_path):
    config = SMALL.model_copy(update={"learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(TrainingError, match=r"became NaN or infinite.*; lower learning_rate"):
        fit_small(tmp_path, config)
    for path in (tmp_path / "resume").glob("seed_*"):
        tensors, _ = checkpoint.read(path)
        assert all(torch.isfinite(value).all() for value in tensors.values())


def test_not_a_number_in_a_volume_names_it(tmp_path):
    def read(i: str) -> np.ndarray:
        return np.where(i == "7", np.nan, HU[int(i)])

    with pytest.raises(InputError, match="volume 7: holds NaN"):
        fit_small(tmp_path, read=read)


def test_a_volume_of_another_grid_is_named_also_by_workers(tmp_path):
    config = SMALL.model_copy(update={"workers": 1, "in_memory": False, "network": "resnet3d"})
    with pytest.raises(InputError, match=r"^volume 7: \(4, 16, 16\) voxels, the profile has"):
        fit_small(tmp_path, config, read=lambda i: HU[int(i)][:4] if i == "7" else HU[int(i)])


@pytest.fixture
def poisoned(monkeypatch):
    """Logits of one volume that are NaN, in the steps that are told."""

    def poison(steps: set[int]) -> None:
        step = -1

        def summed(logits, *arguments):
            nonlocal step
            step += 1
            if step in steps:
                logits[1, 2] = float("nan")
            return original(logits, *arguments)

        monkeypatch.setattr(loop, "summed_bce", summed)

    original = loop.summed_bce
    return poison


def test_a_step_that_is_no_number_can_be_skipped_once(tmp_path, poisoned):
    config = SMALL.model_copy(update={"on_nan": "skip"})
    poisoned({1, 3})
    fitted = fit_small(tmp_path, config)
    assert fitted.history[-1].skipped == 2
    assert all(torch.isfinite(v).all() for v in fitted.network.state_dict().values())
    poisoned({4, 5})
    with pytest.raises(TrainingError, match=r"step 5: the logit of label 2 for volume \d+ .*twice"):
        fit_small(tmp_path / "twice", config)
    poisoned({4})
    with pytest.raises(TrainingError, match=r"step 4: the logit of label 2 for volume \d+ became"):
        fit_small(tmp_path / "stop")


@pytest.mark.parametrize("value", [float("nan"), 1e30])
def test_a_gradient_alone_that_is_no_number_is_named(tmp_path, monkeypatch, value):
    """Loss and logits are numbers; the second is finite too, and only its square is not."""
    original = loop.Learner.gradient_norm

    def poisoned(learner):
        gradient = learner.network.get_parameter("trunk.stages.1.0.0.weight").grad
        gradient[0, 0, 0, 0, 0] = value
        return original(learner)

    monkeypatch.setattr(loop.Learner, "gradient_norm", poisoned)
    name = re.escape("the gradient of trunk.stages.1.0.0.weight became NaN or infinite")
    with pytest.raises(TrainingError, match=f"step 0: {name}"):
        fit_small(tmp_path, SMALL.model_copy(update={"network": "resnet3d"}))
