import os
import signal

import numpy as np
import pytest
import torch

from configs.contracts import InputError
from configs.training import Augmentation, LabelPolicy
from model.data import Part
from model.losses import BLANK
from model.measures import macro_auroc
from tests.model.training.lessons import (
    CONFIG,
    HU,
    ONE_EPOCH,
    SMALL,
    VALUES,
    assert_equal_weights,
    fit_on,
    fit_small,
    part,
)

NO_AUGMENTATION = Augmentation(
    rotation_deg=0, scale=0, shift=0, hu_shift=0, hu_scale=0, noise_hu=0, blur=0, thick_slices=0
)


@pytest.mark.parametrize(("network", "epochs"), [("additive", 3), ("resnet3d", 8)])
def test_learns_and_keeps_the_best_epoch(tmp_path, network, epochs, capfd):
    config = CONFIG.model_copy(
        update={"network": network, "epochs": epochs, "augmentation": NO_AUGMENTATION}
    )
    fitted = fit_on(tmp_path, config)
    again = macro_auroc(fitted.validation_logits_nl, VALUES[48:])
    assert again == pytest.approx(fitted.best_auroc)
    assert fitted.members[0].best_auroc == pytest.approx(fitted.best_auroc, abs=0.03)
    assert fitted.members[0].best_auroc >= max(epoch.macro_auroc for epoch in fitted.history)
    assert fitted.history[0].epoch == 0
    assert fitted.history[-1].loss < fitted.history[1].loss
    assert fitted.best_auroc > {"additive": 0.75, "resnet3d": 0.65}[network]
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("network", ["ctnet83", "axialnet"])
def test_every_network_can_be_trained(tmp_path, network):
    config = SMALL.model_copy(
        update={"network": network, "epochs": 1, "gradient_checkpointing": True}
    )
    fitted = fit_small(tmp_path, config)
    assert np.isfinite(fitted.validation_logits_nl).all()
    assert fitted.history[-1].loss is not None


def test_within_the_margin_the_later_epoch_is_kept(tmp_path):
    config = SMALL.model_copy(update={"epochs": 2, "margin": 1.0})
    assert fit_small(tmp_path / "later", config).best_epoch == 2
    idle = config.model_copy(update={"margin": 0.0, "learning_rate": 1e-12})
    first = fit_small(tmp_path / "first", idle)
    assert first.best_epoch == 2  # as good as the start: the later one
    assert first.members[0].best_auroc == first.history[0].macro_auroc


def test_workers_and_memory_change_nothing(tmp_path, unbroken):
    config = SMALL.model_copy(update={"workers": 2, "in_memory": False})
    assert_equal_weights(unbroken, fit_small(tmp_path, config))


def test_members_differ_by_their_seed_and_are_averaged(pair):
    one, other = (member.state_dict() for member in pair.network.members)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    hu = torch.from_numpy(HU[:2])
    logits, maps, bias = pair.network.evidence(hu)
    assert (logits - bias - maps.sum((2, 3, 4))).abs().max() < 1e-4
    each = torch.stack([member(hu) for member in pair.network.members])
    assert torch.allclose(pair.network(hu), each.mean(0))


def test_parts_that_cannot_be_learnt_from_are_refused(tmp_path):
    with pytest.raises(InputError, match="validation split is empty"):
        fit_on(tmp_path, validation=part(0, 0))
    healthy = Part(["1", "2"], ["1", "2"], ["1", "2"], np.zeros((2, 3), np.int8))
    with pytest.raises(InputError, match="both values in the validation"):
        fit_on(tmp_path, validation=healthy)


def test_too_little_memory_is_said_before_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr("model.training.memory.available_bytes", lambda: 100_000)
    with pytest.raises(
        InputError, match=r"72 volumes of profile tiny .*--override in_memory=false"
    ):
        fit_on(tmp_path)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), RuntimeError("can't allocate memory")]
)
def test_a_step_without_memory_says_which_fields_help(tmp_path, monkeypatch, error):
    def summed(*arguments):
        raise error

    monkeypatch.setattr("model.training.loop.summed_bce", summed)
    with pytest.raises(InputError, match=r"step of 4 scans .*batch_size, set gradient_checkpointi"):
        fit_small(tmp_path)


def test_volumes_that_the_computers_memory_does_not_hold_are_not_blamed_on_the_step(tmp_path):
    def read(volume: str):
        raise MemoryError

    with pytest.raises(InputError, match=r"this computer .*; set in_memory: false, lower workers"):
        fit_small(tmp_path, read=read)


def test_a_reading_process_that_is_killed_says_which_fields_help(tmp_path):
    config = SMALL.model_copy(update={"workers": 1, "in_memory": False, "network": "resnet3d"})
    here = os.getpid()

    def read(volume: str):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return HU[int(volume)]

    with pytest.raises(InputError, match=r"workers: one of 1 processes .*lower workers or batch"):
        fit_small(tmp_path, config, read=read)


def test_patience_and_the_clock_end_a_run(tmp_path):
    config = SMALL.model_copy(update={"epochs": 500, "checkpoint_steps": None})
    stopped = fit_small(tmp_path, config.model_copy(update={"max_minutes": 0.02}))
    assert len(stopped.history) < 100
    assert stopped.history[-1].learning_rate < CONFIG.learning_rate
    assert stopped.history[-1].macro_auroc is not None
    idle = config.model_copy(update={"patience": 1, "learning_rate": 1e-12})
    assert len(fit_small(tmp_path / "idle", idle).history) == 3


def test_blanks_choose_their_weight_on_validation(tmp_path):
    values = np.where(VALUES == 0, BLANK, VALUES).astype(np.int8)
    ids = [str(i) for i in range(72)]
    train = Part(ids[:24], ids[:24], ids[:24], values[:24])
    validation = Part(ids[48:], ids[48:], ids[48:], values[48:])
    config = ONE_EPOCH
    chosen = fit_small(tmp_path, config, train=train, validation=validation)
    assert chosen.blank_weight in (1, 0.75, 0.5)
    fixed = config.model_copy(update={"labels": LabelPolicy(blank_weight=0.3)})
    fitted = fit_small(tmp_path / "fixed", fixed, train=train, validation=validation)
    assert fitted.blank_weight == 0.3


def test_computing_activations_again_changes_no_weight(tmp_path):
    config = ONE_EPOCH.model_copy(update={"network": "resnet3d"})
    plain = fit_small(tmp_path / "plain", config)
    again = config.model_copy(update={"gradient_checkpointing": True})
    assert_equal_weights(plain, fit_small(tmp_path / "again", again))
