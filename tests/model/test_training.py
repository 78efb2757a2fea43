import math
import multiprocessing
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from configs.contracts import InputError
from configs.training import RECIPES, Augmentation, LabelPolicy, TrainConfig, load_train
from model.data import Part
from model.losses import BLANK
from model.metrics import macro_auroc
from model.training import Epoch, Fitted, Paused, Step, TrainingError, checkpoint, fit, loop
from model.training.plan import Plan, Steps
from tests.model.narrow import COARSE, narrow_networks
from tests.model.phantom import make_chests

HU, VALUES = make_chests(72, edge=16)
NO_AUGMENTATION = Augmentation(
    rotation_deg=0, scale=0, shift=0, hu_shift=0, hu_scale=0, noise_hu=0, blur=0, thick_slices=0
)
# In float32: on a single cell, oneDNN's bfloat16 convolutions give gradients that are no numbers.
CONFIG = TrainConfig(epochs=3, batch_size=8, threads=1, accelerator="cpu", bf16=False)


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    with narrow_networks():
        yield


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


def assert_equal_weights(one: Fitted, other: Fitted) -> None:
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name


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
    assert fitted.history[0].epoch == -1
    assert fitted.history[-1].loss < fitted.history[1].loss
    assert fitted.best_auroc > {"additive": 0.75, "resnet3d": 0.65}[network]
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("network", ["ctnet83", "axialnet"])
def test_every_network_can_be_trained(tmp_path, network):
    config = SMALL.model_copy(
        update={"network": network, "epochs": 1, "seeds": (0,), "gradient_checkpointing": True}
    )
    fitted = fit_small(tmp_path, config)
    assert np.isfinite(fitted.validation_logits_nl).all()
    assert fitted.history[-1].loss is not None


def test_within_the_margin_the_later_epoch_is_kept(tmp_path):
    config = SMALL.model_copy(update={"epochs": 2, "margin": 1.0, "seeds": (0,)})
    assert fit_small(tmp_path / "later", config).best_epoch == 1
    idle = config.model_copy(update={"margin": 0.0, "learning_rate": 1e-12})
    first = fit_small(tmp_path / "first", idle)
    assert first.best_epoch == 1  # as good as the start: the later one
    assert first.members[0].best_auroc == first.history[0].macro_auroc


# --- resuming ---------------------------------------------------------------------------------

SMALL = TrainConfig(
    network="additive", epochs=3, batch_size=4, threads=1, accelerator="cpu", validate_every=2,
    checkpoint_steps=1, seeds=(0, 5), bf16=False,
)  # fmt: skip
STEPS = 2  # an epoch, of 8 scans
TOTAL = 2 * 3 * STEPS  # of both seeds


def fit_small(folder: Path, config: TrainConfig = SMALL, **changes: object) -> Fitted:
    return fit_on(folder, config, **{"train": part(0, 8), "validation": part(60, 72), **changes})


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Fitted:
    return fit_small(tmp_path_factory.mktemp("unbroken"))


class Killer:
    """Ends its own process, as a power cut would, after so many steps or epochs."""

    def __init__(self, *, steps: int = -1, epochs: int = -1) -> None:
        self.steps, self.epochs = steps, epochs

    def resumed(self, history: list[Epoch]) -> None: ...

    def step(self, step: Step) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def epoch(self, epoch: Epoch) -> None:
        self.epochs -= 1
        if self.epochs == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(run: Callable[[], object]) -> None:
    """Run in a process of its own, which must end by SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def kill_points() -> list[dict[str, int]]:
    chosen = random.Random(7).sample(range(1, TOTAL + 1), 2)
    boundaries = [STEPS, 3 * STEPS + 1]  # the last of an epoch; the first of the second seed
    return [{"steps": s} for s in sorted({*chosen, *boundaries})] + [{"epochs": e} for e in (1, 3)]


@pytest.mark.parametrize("point", kill_points(), ids=str)
def test_killed_anywhere_a_run_ends_with_the_same_weights(tmp_path, unbroken, point):
    config = SMALL.model_copy(update={"checkpoint_steps": 2})  # some steps are done twice
    killed(lambda: fit_small(tmp_path, config, watcher=Killer(**point)))
    resumed = fit_small(tmp_path, config, resume=True)
    assert_equal_weights(unbroken, resumed)
    for one, other in zip(unbroken.history, resumed.history, strict=True):
        assert (one.seed, one.epoch) == (other.seed, other.epoch)
        assert (one.macro_auroc, one.label_auroc) == (other.macro_auroc, other.label_auroc)
        assert one.loss == other.loss


def test_killed_again_and_again(tmp_path, unbroken):
    for step in (2, 1, 4):  # the second time nothing new was written: it goes on from the same
        killed(lambda: fit_small(tmp_path, watcher=Killer(steps=step), resume=True))  # noqa: B023
    assert_equal_weights(unbroken, fit_small(tmp_path, resume=True))


@pytest.mark.parametrize("write", [1, 2, 4])
def test_killed_while_a_checkpoint_is_written(tmp_path, unbroken, write, monkeypatch):
    """Half a file is on disk when the process dies; TMPDIR is another file system."""
    elsewhere = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    before = set(elsewhere.glob("*safetensors*"))
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    left = write

    def half(flat, path, metadata):
        nonlocal left
        save(flat, path, metadata=metadata)
        left -= 1
        if left == 0:
            with path.open("rb+") as file:
                file.truncate(path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    save = checkpoint.save_file
    monkeypatch.setattr(checkpoint, "save_file", half)
    killed(lambda: fit_small(tmp_path))
    monkeypatch.setattr(checkpoint, "save_file", save)
    assert set(elsewhere.glob("*safetensors*")) == before
    assert_equal_weights(unbroken, fit_small(tmp_path, resume=True))


def test_asked_to_stop_a_run_writes_its_state_and_goes_on(tmp_path, unbroken):
    config = SMALL.model_copy(update={"checkpoint_steps": None})
    asked = iter([False, False, True])
    with pytest.raises(Paused):
        fit_small(tmp_path, config, asked_to_stop=lambda: next(asked))
    _, info = checkpoint.read(tmp_path / "resume" / "seed_0.safetensors")
    assert info["step"] == 3
    assert_equal_weights(unbroken, fit_small(tmp_path, config, resume=True))


def test_workers_and_memory_change_nothing(tmp_path, unbroken):
    config = SMALL.model_copy(update={"workers": 2, "in_memory": False})
    assert_equal_weights(unbroken, fit_small(tmp_path, config))


def test_members_differ_by_their_seed_and_are_averaged(unbroken):
    one, other = (member.state_dict() for member in unbroken.network.members)
    assert not all(torch.equal(one[name], other[name]) for name in one)
    hu = torch.from_numpy(HU[:2])
    logits, maps, bias = unbroken.network.evidence(hu)
    assert (logits - bias - maps.sum((2, 3, 4))).abs().max() < 1e-4
    each = torch.stack([member(hu) for member in unbroken.network.members])
    assert torch.allclose(unbroken.network(hu), each.mean(0))


def test_another_run_is_not_resumed_and_the_difference_is_shown(tmp_path):
    config = SMALL.model_copy(update={"epochs": 1, "seeds": (0,)})
    fit_small(tmp_path, config)
    with pytest.raises(InputError, match="unfinished run; add --resume"):
        fit_small(tmp_path, config)
    with pytest.raises(InputError, match=r"learning_rate: was 0\.002, is 0\.0001"):
        fit_small(tmp_path, config.model_copy(update={"learning_rate": 1e-4}), resume=True)
    with pytest.raises(InputError, match=r"train volumes: was 8, is 7; train data: was \w+, is"):
        fit_small(tmp_path, config, train=part(1, 8), resume=True)
    with pytest.raises(InputError, match="label file: was None, is 12ab"):
        fit_small(tmp_path, config, sources={"label file": "12ab"}, resume=True)
    other_places = config.model_copy(update={"checkpoint_minutes": 1.0, "in_memory": False})
    assert fit_small(tmp_path, other_places, resume=True).history[-1].epoch == 0


def test_a_run_that_was_refused_is_no_unfinished_one(tmp_path):
    config = SMALL.model_copy(update={"epochs": 1, "seeds": (0,), "network": "axialnet"})
    slices = config.model_copy(update={"start_weights": str(tmp_path / "gone.pt")})
    with pytest.raises(InputError, match="no such file"):
        fit_small(tmp_path, slices)
    (tmp_path / "gone.pt").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"gone\.pt"):
        fit_small(tmp_path, slices)
    assert fit_small(tmp_path, config).history[-1].epoch == 0


def test_a_run_whose_epochs_would_be_cut_otherwise_is_not_resumed(tmp_path, monkeypatch):
    config = SMALL.model_copy(update={"epochs": 1, "seeds": (0,), "network": "resnet3d"})
    fit_small(tmp_path, config)
    steps = f"has {STEPS} steps an epoch, on 1 devices it would have 1"
    monkeypatch.setattr(
        loop, "Plan", lambda ids, size, *rest, **least: Plan(ids, 8, *rest, least=8)
    )
    with pytest.raises(InputError, match=steps):
        fit_small(tmp_path, config, resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.write(path, {"network.head": torch.arange(9.0)}, {"step": 1})
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged since it was written"):
        checkpoint.read(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a checkpoint"):
        checkpoint.read(path)


# --- values that are no numbers ---------------------------------------------------------------


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
    config = SMALL.model_copy(update={"on_nan": "skip", "seeds": (0,)})
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


def test_a_checkpoint_never_holds_what_is_not_a_number(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.write(path, {"network.head": torch.ones(2)}, {})
    with pytest.raises(TrainingError, match=r"network\.head became NaN"):
        checkpoint.write(path, {"network.head": torch.tensor([1.0, math.inf])}, {})
    assert torch.equal(checkpoint.read(path)[0]["network.head"], torch.ones(2))


# --- what is taught, and how ------------------------------------------------------------------


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


def test_patience_and_the_clock_end_a_run(tmp_path):
    config = SMALL.model_copy(update={"epochs": 500, "seeds": (0,), "checkpoint_steps": None})
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
    config = SMALL.model_copy(update={"epochs": 1, "seeds": (0,)})
    chosen = fit_small(tmp_path, config, train=train, validation=validation)
    assert chosen.blank_weight in (1, 0.75, 0.5)
    fixed = config.model_copy(update={"labels": LabelPolicy(blank_weight=0.3)})
    fitted = fit_small(tmp_path / "fixed", fixed, train=train, validation=validation)
    assert fitted.blank_weight == 0.3


def test_computing_activations_again_changes_no_weight(tmp_path):
    config = SMALL.model_copy(update={"epochs": 1, "network": "resnet3d", "seeds": (0,)})
    plain = fit_small(tmp_path / "plain", config)
    again = config.model_copy(update={"gradient_checkpointing": True})
    assert_equal_weights(plain, fit_small(tmp_path / "again", again))


def test_an_epoch_shows_every_scan_once_in_an_order_of_its_own():
    plan = Plan(["a", "a", "b", "c", "c", "c", "d"], batch_size=3, epochs=20, seed=1)
    scan_of = [0, 0, 1, 2, 2, 2, 3]
    per_epoch = plan.steps_per_epoch
    epochs = [
        [int(r) for step in range(e * per_epoch, (e + 1) * per_epoch) for r in plan.rows(step)]
        for e in range(20)
    ]
    assert all(sorted(scan_of[row] for row in rows) == [0, 1, 2, 3] for rows in epochs)
    assert {row for rows in epochs for row in rows} == set(range(7))
    assert len({tuple(rows) for rows in epochs}) > 5
    assert [plan.rows(s).tolist() for s in (5, 0)] == [plan.rows(s).tolist() for s in (5, 0)]


@pytest.mark.parametrize(
    ("scans", "batch", "least"), [(3, 2, 2), (17, 16, 2), (9, 4, 4), (5, 8, 5)]
)
def test_no_step_is_too_small(scans, batch, least):
    plan = Plan([str(i) for i in range(scans)], batch, epochs=1, seed=0, least=least)
    sizes = [len(plan.rows(step)) for step in range(plan.steps)]
    assert sum(sizes) == scans
    assert min(sizes) >= least
    shares = [list(Steps(plan, 0, rank, least)) for rank in range(least)]
    for step in range(plan.steps):
        together = [row for share in shares for row in share[step]]
        assert sorted(together) == sorted(plan.rows(step).tolist())


# --- recipes ----------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"workers": 2}, "in_memory and workers contradict"),
        ({"compile": True, "gradient_checkpointing": True}, "compile and gradient_checkpointing"),
        ({"accelerator": "cpu", "devices": 2}, "norm: group or devices: 1"),
        ({"seeds": [1, 1]}, "seeds: name at least one, and each once"),
        ({"augmentation.blur": 0.7, "augmentation.sharpen": 0.7}, "blur and sharpen together"),
    ],
)
def test_contradictions_are_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        load_train(RECIPES / "demo.yaml", changes)
