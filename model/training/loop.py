"""One seed's run, step by step. All it must remember is in its checkpoint.

What a step sees and draws follows from seed and step alone, so a run that was killed goes on from
its last checkpoint and ends with the same weights, bit by bit on a CPU.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from configs.contracts import InputError
from configs.training import TrainConfig
from model.augment import augment
from model.losses import as_tensors, known_values, positive_weights, summed_bce
from model.training import checkpoint
from model.training.clock import Clock
from model.training.failure import Paused
from model.training.guard import Guard
from model.training.history import Epoch, Progress, Step, Watcher
from model.training.learner import Learner
from model.training.lesson import Lesson
from model.training.plan import Plan, Steps
from model.training.schedule import rate_at
from model.training.validation import label_aurocs, macro, predict


class SeedRun:
    """Trains a network with one seed, on one device or many; `run` goes on from `path`."""

    def __init__(
        self,
        fabric: Fabric,
        config: TrainConfig,
        seed: int,
        network: nn.Module,
        lesson: Lesson,
        path: Path,
        *,
        watcher: Watcher | None = None,
        asked_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.fabric, self.config, self.seed, self.lesson = fabric, config, seed, lesson
        self.path, self.watcher, self.asked_to_stop = path, watcher, asked_to_stop
        least = max(2, fabric.world_size)
        self.plan = Plan(lesson.train.scan_ids, config.batch_size, config.epochs, seed, least=least)
        target, weight = as_tensors(lesson.targets)
        positive = torch.from_numpy(positive_weights(lesson.targets, config.max_pos_weight))
        self.target_nl, self.weight_nl = fabric.to_device(target), fabric.to_device(weight)
        self.positive_weight_l = fabric.to_device(positive)
        regional = lesson.regional_nl
        self.regional_nl = None if regional is None else fabric.to_device(regional)
        self.learner = Learner(fabric, config, network)
        skip = config.on_nan == "skip"
        self._guard = Guard(fabric, self.learner.network, lesson, skip=skip)
        self.progress = Progress(steps_per_epoch=self.plan.steps_per_epoch)
        self._clock = Clock()

    # --- the run --------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the end, from the checkpoint where there is one.

        Raises Paused when asked to stop, TrainingError at a value that is not a number.
        """
        if self.fabric.broadcast(self.path.exists()):
            self._load()
            if self.watcher is not None:
                self.watcher.resumed(self.progress.history)
        self._clock.start(self.progress.minutes)
        if self.progress.finished:
            return
        if not self.progress.started:
            # The start is a candidate too: it may stay the best.
            self._finish_epoch(0, validate=True)
            self.progress.started = True
            self._save()
        self._steps()
        self.progress.finished = True
        self._save()

    def _steps(self) -> None:
        batches, over = self._batches(), False
        while self.progress.step < self.plan.steps and not over:
            with self._clock.waiting():
                hu_bzyx, rows = _next(batches)
            stop = self._take(hu_bzyx, rows)
            if self.plan.ends_epoch(self.progress.step - 1):
                over = self._end_epoch()
                self._save()
            elif stop or self._save_is_due():
                self._save()
            if stop and not over and self.progress.step < self.plan.steps:
                # A process that ends early may make the cluster kill the one that still writes.
                self.fabric.barrier()
                raise Paused

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        steps = Steps(
            self.plan, self.progress.step, self.fabric.global_rank, self.fabric.world_size
        )
        loader = DataLoader(
            self.lesson.train_volumes,
            batch_sampler=steps,
            num_workers=self.config.workers,
            pin_memory=self.fabric.device.type == "cuda",
        )
        yield from loader

    def _take(self, hu_bzyx: Tensor, rows: Tensor) -> bool:
        """One step; returns whether any process was asked to stop."""
        progress = self.progress
        rate = rate_at(self.config, progress.step, self.plan.steps, progress.minutes)
        self.learner.rate = rate
        loss, stop = self._step(hu_bzyx, rows)
        if not progress.skipped_last:
            progress.loss_sum += loss
            progress.loss_steps += 1
        self._clock.scans += len(self.plan.rows(progress.step))
        progress.step += 1
        if self.watcher is not None:
            speed, wait = self._clock.speed()
            done = Step(self.seed, progress.step, self.plan.steps, loss, rate, speed, wait)
            self.watcher.step(done)
        return stop

    def _step(self, hu_bzyx: Tensor, rows: Tensor) -> tuple[float, bool]:
        step, fabric, learner = self.progress.step, self.fabric, self.learner
        hu_bzyx = self._seen(hu_bzyx, rows)
        rows = rows.to(fabric.device)
        self._guard.before_step()
        given = {} if self.regional_nl is None else {"regional_bl": self.regional_nl[rows]}
        logits_bl = learner.forward(hu_bzyx, **given)
        loss = self._loss(logits_bl, rows)
        fabric.backward(loss * fabric.world_size)  # the processes average their gradients
        norm = learner.gradient_norm()
        agreed, stop = self._agree(float(loss.detach()))
        # Loss and averaged gradient are the same in all processes, and so is what they decide.
        finite = math.isfinite(agreed) and math.isfinite(norm)
        if finite:
            learner.follow_gradient(norm)
        else:
            again = self.progress.skipped_last
            self._guard.leave_out(step, hu_bzyx, rows, logits_bl, again=again)
            self.progress.skipped += 1
        learner.forget_gradient()
        self.progress.skipped_last = not finite
        return agreed, stop

    def _seen(self, hu_bzyx: Tensor, rows: Tensor) -> Tensor:
        """The volumes of a step on the device, as they are drawn this time."""
        step, rank = self.progress.step, self.fabric.global_rank
        seed = np.random.SeedSequence((self.seed, step, rank))
        torch.manual_seed(int(seed.generate_state(1)[0]))  # for dropout
        keys = [(self.seed, self.plan.epoch_of(step), row) for row in rows.tolist()]
        on_device = hu_bzyx.to(self.fabric.device, non_blocking=True)
        return augment(on_device, self.config.augmentation, keys)

    def _loss(self, logits_bl: Tensor, rows: Tensor) -> Tensor:
        """The share of the step's loss; over the processes they add up to that of one."""
        total = summed_bce(
            logits_bl,
            self.target_nl[rows],
            self.weight_nl[rows],
            self.positive_weight_l,
            self.config.label_smoothing,
        )
        known = self.weight_nl[self.plan.rows(self.progress.step)].sum()
        return total / known.clamp_min(1e-9)

    def _agree(self, loss: float) -> tuple[float, bool]:
        """The loss over all processes, whether one was asked to stop, and the first one's clock."""
        minutes, stop = self._clock.minutes(), self.asked_to_stop()
        if self.fabric.world_size > 1:
            first = self.fabric.is_global_zero
            own = torch.tensor([loss, float(stop), minutes if first else 0.0], dtype=torch.float64)
            shared: Any = self.fabric.all_reduce(self.fabric.to_device(own), reduce_op="sum")
            loss, asked, minutes = shared.tolist()
            stop = asked > 0
        self.progress.minutes = minutes
        return loss, stop

    # --- epochs ---------------------------------------------------------------------------------

    def _end_epoch(self) -> bool:
        """Validate where it is due; returns whether the run is over."""
        config, progress = self.config, self.progress
        epoch = self.plan.epoch_of(progress.step - 1) + 1
        took = self._clock.epoch_minutes()
        limit = config.max_minutes
        late = limit is not None and progress.minutes + took > limit
        if self.fabric.world_size > 1 and limit is not None:
            late = self.fabric.broadcast(late)
        last = late or progress.step >= self.plan.steps
        self._finish_epoch(epoch, validate=last or epoch % config.validate_every == 0)
        tired = config.patience is not None and progress.stale >= config.patience
        return late or tired

    def _finish_epoch(self, epoch: int, *, validate: bool) -> None:
        progress = self.progress
        speed, wait = self._clock.speed()
        figures = self._validate(epoch) if validate else []
        line = Epoch(
            seed=self.seed,
            epoch=epoch,
            loss=progress.loss_sum / progress.loss_steps if progress.loss_steps else None,
            macro_auroc=macro(figures) if validate else None,
            learning_rate=self.learner.rate,
            seconds=60 * self._clock.minutes(),
            scans_per_second=speed,
            wait_share=wait,
            skipped=progress.skipped,
            label_auroc=tuple(f if math.isfinite(f) else None for f in figures),
        )
        progress.history.append(line)
        progress.loss_sum, progress.loss_steps = 0.0, 0
        self._clock.new_epoch()
        if self.watcher is not None:
            self.watcher.epoch(line)

    def _validate(self, epoch: int) -> list[float]:
        """Keep the moving average, unless an earlier one was better by more than the margin."""
        network, progress = self.learner.average.network, self.progress
        logits_nl = predict(
            self.fabric, network, self.lesson.validation_volumes, self.config, mixed=True
        )
        self._guard.check_validation(epoch, network, torch.from_numpy(logits_nl))
        figures = label_aurocs(logits_nl, known_values(self.lesson.validation.values_nl))
        auroc = macro(figures)
        better = auroc > progress.highest_auroc
        if auroc >= progress.highest_auroc - self.config.margin or not self.learner.best:
            progress.best_auroc, progress.best_epoch = auroc, epoch
            self.learner.keep_average()
        progress.highest_auroc = max(progress.highest_auroc, auroc)
        progress.stale = 0 if better else progress.stale + 1
        return figures

    # --- state ----------------------------------------------------------------------------------

    def _save_is_due(self) -> bool:
        every = self.config.checkpoint_steps
        if every is not None and self.progress.step % every == 0:
            return True
        # Without a word between the processes: only the first one writes, and all are alike.
        return self._clock.minutes_since_saved() >= self.config.checkpoint_minutes

    def _save(self) -> None:
        self._clock.saved()
        self.progress.minutes = self._clock.minutes()
        tensors = self.learner.tensors()
        if self.fabric.is_global_zero:
            checkpoint.write(self.path, tensors, self.progress.as_json())
        else:  # all stop where the first one would refuse to write
            checkpoint.require_finite(tensors)

    def _load(self) -> None:
        tensors, info = checkpoint.read(self.path)
        progress = Progress.of_json(info)
        if progress.steps_per_epoch != self.plan.steps_per_epoch:
            raise InputError(
                f"{self.path.parent}: the run has {progress.steps_per_epoch} steps an epoch, on "
                f"{self.fabric.world_size} devices it would have {self.plan.steps_per_epoch}; "
                "resume on as many devices as it began with"
            )
        self.learner.restore(tensors)
        self.progress = progress


def _next(batches: Iterator[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    try:
        return next(batches)
    except InputError as error:
        # From a worker process the message comes with that process's traceback around it.
        line = str(error).strip().splitlines()[-1]
        raise InputError(line.removeprefix("configs.contracts.InputError: ")) from None
