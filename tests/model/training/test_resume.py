"""Killed anywhere, a run goes on and ends with the same weights, bit by bit."""

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from configs.training import TrainConfig
from model.training import Epoch, Fitted, Paused, Step, checkpoint
from tests.model.training.lessons import PAIR, SMALL, STEPS, assert_equal_weights, fit_small


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


def resumes_as(unbroken: Fitted, folder: Path, config: TrainConfig, **point: int) -> None:
    """Killed at a point, a run goes on to the weights and the history of one that was not."""
    seldom = config.model_copy(update={"checkpoint_steps": 2})  # so that some steps are done twice
    killed(lambda: fit_small(folder, seldom, watcher=Killer(**point)))
    resumed = fit_small(folder, seldom, resume=True)
    assert_equal_weights(unbroken, resumed)
    for one, other in zip(unbroken.history, resumed.history, strict=True):
        assert (one.seed, one.epoch) == (other.seed, other.epoch)
        assert (one.macro_auroc, one.label_auroc) == (other.macro_auroc, other.label_auroc)
        assert one.loss == other.loss


def kill_points() -> list[dict[str, int]]:
    within, at_its_end = random.Random(7).choice((1, 3, 5)), STEPS
    start, after_two = 1, 3  # a seed tells of its start as of an epoch
    return [{"steps": within}, {"steps": at_its_end}, {"epochs": start}, {"epochs": after_two}]


@pytest.mark.parametrize("point", kill_points(), ids=str)
def test_killed_anywhere_a_run_ends_with_the_same_weights(tmp_path, unbroken, point):
    resumes_as(unbroken, tmp_path, SMALL, **point)


def test_killed_in_the_second_seed_the_first_stays_done(tmp_path, pair):
    resumes_as(pair, tmp_path, PAIR, steps=3 * STEPS + 1)


def test_killed_again_and_again(tmp_path, unbroken):
    for steps in (2, 1, 2):  # the second time nothing new was written: it goes on from the same
        killer = Killer(steps=steps)
        killed(partial(fit_small, tmp_path, watcher=killer, resume=True))
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
