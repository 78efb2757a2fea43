from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from configs.contracts import InputError
from configs.training import RECIPES, Augmentation, TrainConfig, load_train
from model.classifier import TrainingError
from model.data import Part
from model.metrics import macro_auroc
from model.training import Epoch, Fitted, fit
from tests.model.archive import PROFILE
from tests.model.phantom import make_chests

HU, VALUES = make_chests(72)
NO_AUGMENTATION = Augmentation(
    rotation_deg=0, scale=0, shift=0, hu_shift=0, hu_scale=0, noise_hu=0, blur=0, thick_slices=0
)
CONFIG = TrainConfig(epochs=3, batch_size=8, threads=1)


def part(first: int, last: int) -> Part:
    ids = [str(i) for i in range(first, last)]
    return Part(ids, ids, ids, VALUES[first:last])


def fit_on(tmp_path: Path, config: TrainConfig = CONFIG, **changes: object) -> Fitted:
    arguments = {"train": part(0, 48), "validation": part(48, 72), **changes}
    return fit(
        config,
        PROFILE,
        read=arguments.pop("read", lambda i: HU[int(i)]),
        resume_file=tmp_path / "resume.ckpt",
        **arguments,
    )


@pytest.mark.parametrize(("network", "epochs"), [("additive", 4), ("resnet3d", 8)])
def test_learns_and_keeps_the_best_epoch(tmp_path, network, epochs, capfd):
    config = CONFIG.model_copy(
        update={"network": network, "epochs": epochs, "augmentation": NO_AUGMENTATION}
    )
    fitted = fit_on(tmp_path, config)
    again = macro_auroc(fitted.validation_logits_nl, VALUES[48:])
    assert again == pytest.approx(fitted.best_auroc, abs=0.03)
    assert fitted.best_auroc >= max(epoch.macro_auroc for epoch in fitted.history)
    assert fitted.history[-1].loss < fitted.history[0].loss
    assert fitted.best_auroc > {"additive": 0.75, "resnet3d": 0.65}[network]
    assert "".join(capfd.readouterr()) == ""


def test_within_the_margin_the_later_epoch_is_kept(tmp_path):
    config = CONFIG.model_copy(update={"epochs": 2, "margin": 1.0})
    assert fit_on(tmp_path, config).best_epoch == 1
    ruined = config.model_copy(update={"margin": 0.0, "learning_rate": 3.0, "warmup": 0.0})
    assert fit_on(tmp_path, ruined).best_epoch == -1


def test_same_seed_same_weights_another_seed_others(tmp_path):
    states = [
        fit_on(tmp_path, CONFIG.model_copy(update={"epochs": 1, "seed": seed})).network.state_dict()
        for seed in (0, 0, 1)
    ]
    same = [torch.equal(states[0][name], states[1][name]) for name in states[0]]
    other = [torch.equal(states[0][name], states[2][name]) for name in states[0]]
    assert all(same)
    assert not all(other)


class Interrupt:
    """Stops the run from outside after an epoch, as a lost connection would."""

    def step(self, done: int, total: int, loss: float) -> None: ...

    def epoch(self, epoch: Epoch) -> None:
        if epoch.epoch == 1:
            raise KeyboardInterrupt


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path):
    unbroken = fit_on(tmp_path)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit_on(tmp_path, watcher=Interrupt())
    resumed = fit_on(tmp_path, resume=True)
    assert [e.epoch for e in resumed.history] == [0, 1, 2]
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_another_run_is_not_resumed(tmp_path):
    fit_on(tmp_path, CONFIG.model_copy(update={"epochs": 1}))
    with pytest.raises(InputError, match="other config"):
        fit_on(tmp_path, CONFIG.model_copy(update={"learning_rate": 1e-4}), resume=True)
    with pytest.raises(InputError, match="nothing to resume"):
        fit_on(tmp_path / "elsewhere", resume=True)


def test_not_a_number_stops_with_its_cause(tmp_path):
    with pytest.raises(TrainingError, match="lower learning_rate"):
        fit_on(tmp_path, CONFIG.model_copy(update={"learning_rate": 1e30, "warmup": 0.0}))


def test_parts_that_cannot_be_learnt_from_are_refused(tmp_path):
    with pytest.raises(InputError, match="validation split is empty"):
        fit_on(tmp_path, validation=part(0, 0))
    healthy = Part(["1", "2"], ["1", "2"], ["1", "2"], np.zeros((2, 3), np.int8))
    with pytest.raises(InputError, match="both values in the validation"):
        fit_on(tmp_path, validation=healthy)


def test_patience_and_the_clock_end_a_run(tmp_path):
    stopped = fit_on(tmp_path, CONFIG.model_copy(update={"epochs": 50, "max_minutes": 0.03}))
    assert len(stopped.history) < 20
    assert stopped.history[-1].learning_rate < CONFIG.learning_rate


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_load(path):
    assert load_train(path).epochs >= 1


def test_overrides_replace_and_mistakes_are_named():
    config = load_train(RECIPES / "demo.yaml", {"epochs": 2, "augmentation.noise_hu": 0})
    assert (config.epochs, config.augmentation.noise_hu) == (2, 0)
    with pytest.raises(InputError, match="'epoch' is not a field"):
        load_train(RECIPES / "demo.yaml", {"epoch": 2})
    with pytest.raises(InputError, match=r"epochs: .*greater"):
        load_train(RECIPES / "demo.yaml", {"epochs": 0})
    with pytest.raises(ValidationError):
        Augmentation(flip_up_down=0.5)  # type: ignore[call-arg]
