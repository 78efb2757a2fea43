import pytest

from configs.contracts import InputError
from model.training import loop
from model.training.plan import Plan
from tests.model.training.lessons import ONE_EPOCH, STEPS, fit_small, part


def test_another_run_is_not_resumed_and_the_difference_is_shown(tmp_path):
    config = ONE_EPOCH
    fit_small(tmp_path, config)
    with pytest.raises(InputError, match="unfinished run; --resume goes on"):
        fit_small(tmp_path, config)
    with pytest.raises(InputError, match=r"learning_rate: was 0\.002, is 0\.0001"):
        fit_small(tmp_path, config.model_copy(update={"learning_rate": 1e-4}), resume=True)
    with pytest.raises(InputError, match=r"train volumes: was 8, is 7; train data: was \w+, is"):
        fit_small(tmp_path, config, train=part(1, 8), resume=True)
    with pytest.raises(InputError, match="label file: was None, is 12ab"):
        fit_small(tmp_path, config, sources={"label file": "12ab"}, resume=True)
    other_places = config.model_copy(update={"checkpoint_minutes": 1.0, "in_memory": False})
    assert fit_small(tmp_path, other_places, resume=True).history[-1].epoch == 1


def test_a_run_that_was_refused_is_no_unfinished_one(tmp_path):
    config = ONE_EPOCH.model_copy(update={"network": "axialnet"})
    slices = config.model_copy(update={"start_weights": str(tmp_path / "gone.pt")})
    with pytest.raises(InputError, match="no such file"):
        fit_small(tmp_path, slices)
    (tmp_path / "gone.pt").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"gone\.pt"):
        fit_small(tmp_path, slices)
    assert fit_small(tmp_path, config).history[-1].epoch == 1


def test_a_run_whose_epochs_would_be_cut_otherwise_is_not_resumed(tmp_path, monkeypatch):
    config = ONE_EPOCH.model_copy(update={"network": "resnet3d"})
    fit_small(tmp_path, config)
    steps = f"has {STEPS} steps an epoch, on 1 devices it would have 1"
    monkeypatch.setattr(
        loop, "Plan", lambda ids, size, *rest, **least: Plan(ids, 8, *rest, least=8)
    )
    with pytest.raises(InputError, match=steps):
        fit_small(tmp_path, config, resume=True)
