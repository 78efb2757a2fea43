"""One seed's run, step by step. All it must remember is in its checkpoint.

What a step sees and draws follows from seed and step alone, so a run that was killed goes on from
its last checkpoint and ends with the same weights, bit by bit on a CPU.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from model.data import Part, Volumes
from model.ema import MovingAverage
from model.losses import Targets, as_tensors, known_values, positive_weights, summed_bce
from model.networks import channels_last
from model.training import checkpoint
from model.training.clock import Clock
from model.training.devices import gathered
from model.training.failure import (
    Paused,
    TrainingError,
    first_bad_cell,
    first_bad_gradient,
    first_bad_layer,
    first_bad_weight,
)
from model.training.history import Epoch, Progress, Step, Watcher
from model.training.memory import too_little
from model.training.plan import Plan, Steps
from model.training.recompute import recompute_blocks
from model.training.validation import label_aurocs, macro, predict


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What is taught and what is asked; the same for every seed."""

    train: Part
    validation: Part
    train_volumes: Volumes
    validation_volumes: Volumes
    targets: Targets
    labels: Sequence[str]
    blank_weight: float
    regional_nl: Tensor | None = None
    """Logits that stand in for the network's regional branch while training."""


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
        self._build(network)
        self.progress = Progress()
        self.best_state: dict[str, Tensor] = {}
        self._clock = Clock()

    def _build(self, network: nn.Module) -> None:
        config, fabric = self.config, self.fabric
        if config.channels_last:
            network = channels_last(network)
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.network = network.to(fabric.device)
        self.average = MovingAverage(self.network, config.ema_decay)
        if config.gradient_checkpointing and not recompute_blocks(self.network):
            raise InputError(
                f"gradient_checkpointing: network {config.network} has no residual blocks to "
                "compute again; set it to false"
            )
        trained = [p for p in self.network.parameters() if p.requires_grad]
        # Matrices and kernels decay, biases and norms do not.
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        called: Any = torch.compile(self.network) if config.compile else self.network
        self.forward, self._stepped = fabric.setup(called, self.optimizer)

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
            self._finish_epoch(-1, validate=True)
            self.progress.started = True
            self._save()
        batches = self._batches()
        over = False
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
        self.progress.finished = True
        self._save()

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
        rate = self.config.learning_rate * self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        try:
            loss, stop = self._step(hu_bzyx, rows)
        except torch.OutOfMemoryError:
            raise too_little(self.config.batch_size) from None
        except RuntimeError as error:
            if "can't allocate memory" in str(error) or "not enough memory" in str(error):
                raise too_little(self.config.batch_size) from None
            raise
        progress = self.progress
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
        step, fabric = self.progress.step, self.fabric
        seed = np.random.SeedSequence((self.seed, step, fabric.global_rank))
        torch.manual_seed(int(seed.generate_state(1)[0]))  # for dropout
        keys = [(self.seed, self.plan.epoch_of(step), row) for row in rows.tolist()]
        hu_bzyx = augment(
            hu_bzyx.to(fabric.device, non_blocking=True), self.config.augmentation, keys
        )
        rows = rows.to(fabric.device)
        kept = self._running_statistics() if self.config.on_nan == "skip" else {}
        given = {} if self.regional_nl is None else {"regional_bl": self.regional_nl[rows]}
        logits_bl = self.forward(hu_bzyx, **given)
        total = summed_bce(
            logits_bl,
            self.target_nl[rows],
            self.weight_nl[rows],
            self.positive_weight_l,
            self.config.label_smoothing,
        )
        # Of the step over all processes, which average their gradients: so that the result is
        # that of one process with the same scans.
        known = self.weight_nl[self.plan.rows(step)].sum().clamp_min(1e-9)
        loss = total / known * fabric.world_size
        fabric.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip)
        agreed, stop = self._agree(float(loss.detach()) / fabric.world_size)
        # Loss and averaged gradient are the same in all processes, and so is what they decide.
        finite = math.isfinite(agreed) and math.isfinite(float(norm))
        if finite:
            self._stepped.step()
            self.average.follow(self.network)
        else:
            self._not_a_number(hu_bzyx, rows, logits_bl, kept)
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.skipped_last = not finite
        return agreed, stop

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

    def _rate(self) -> float:
        """Warm-up, then a cosine to zero; by the clock where the time limit comes first."""
        config = self.config
        done = self.progress.step / self.plan.steps
        if config.max_minutes is not None:
            done = max(done, self.progress.minutes / config.max_minutes)
        if done < config.warmup:
            return max(done, 1 / self.plan.steps) / config.warmup
        falling = (done - config.warmup) / max(1e-9, 1 - config.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))

    # --- epochs ---------------------------------------------------------------------------------

    def _end_epoch(self) -> bool:
        """Validate where it is due; returns whether the run is over."""
        config, progress = self.config, self.progress
        epoch = self.plan.epoch_of(progress.step - 1)
        took = self._clock.epoch_minutes()
        limit = config.max_minutes
        late = limit is not None and progress.minutes + took > limit
        if self.fabric.world_size > 1 and limit is not None:
            late = self.fabric.broadcast(late)
        last = late or progress.step >= self.plan.steps
        self._finish_epoch(epoch, validate=last or (epoch + 1) % config.validate_every == 0)
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
            learning_rate=float(self.optimizer.param_groups[0]["lr"]),
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
        network, progress = self.average.network, self.progress
        logits_nl = predict(
            self.fabric, network, self.lesson.validation_volumes, self.config, mixed=True
        )
        bad = first_bad_cell(torch.from_numpy(logits_nl))
        if bad is not None:
            weight = first_bad_weight(network)
            where = self._named(bad, self.lesson.validation) if weight is None else weight
            raise TrainingError(
                f"validation of epoch {epoch}: {where} became NaN or infinite; lower learning_rate"
            )
        figures = label_aurocs(logits_nl, known_values(self.lesson.validation.values_nl))
        auroc = macro(figures)
        better = auroc > progress.highest_auroc
        if auroc >= progress.highest_auroc - self.config.margin or not self.best_state:
            progress.best_auroc, progress.best_epoch = auroc, epoch
            self.best_state = {
                name: value.detach().cpu().clone() for name, value in network.state_dict().items()
            }
        progress.highest_auroc = max(progress.highest_auroc, auroc)
        progress.stale = 0 if better else progress.stale + 1
        return figures

    # --- values that are no numbers -------------------------------------------------------------

    def _running_statistics(self) -> dict[str, Tensor]:
        return {name: buffer.clone() for name, buffer in self.network.named_buffers()}

    def _not_a_number(
        self, hu_bzyx: Tensor, rows: Tensor, logits_bl: Tensor, kept: dict[str, Tensor]
    ) -> None:
        """Name the cause, and stop, or leave this step out as if it had not been."""
        found = gathered(self.fabric, self._cause(hu_bzyx, rows, logits_bl))
        own = [cause for cause in found if cause] or ["the gradient"]
        skip = self.config.on_nan == "skip" and not self.progress.skipped_last
        if not skip:
            twice = " twice in a row" if self.progress.skipped_last else ""
            raise TrainingError(
                f"step {self.progress.step}: {own[0]} became NaN or infinite{twice}; lower "
                "learning_rate, or leave single steps out with on_nan: skip"
            )
        for name, buffer in self.network.named_buffers():
            buffer.copy_(kept[name])
        self.progress.skipped += 1

    def _cause(self, hu_bzyx: Tensor, rows: Tensor, logits_bl: Tensor) -> str:
        """Where it first stands in this process: a weight, a volume's label, a layer."""
        weight = first_bad_weight(self.network)
        if weight is not None:
            return f"the weight {weight}"
        cell = first_bad_cell(logits_bl)
        if cell is not None:
            layer = first_bad_layer(self.network, hu_bzyx)
            inside = f" (first in layer {layer})" if layer else ""
            return self._named((int(rows[cell[0]]), cell[1]), self.lesson.train) + inside
        gradient = first_bad_gradient(self.network)
        return f"the gradient of {gradient}" if gradient else ""

    def _named(self, cell: tuple[int, int], part: Part) -> str:
        return f"the logit of {self.lesson.labels[cell[1]]} for volume {part.volume_ids[cell[0]]}"

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
        if not self.fabric.is_global_zero:
            return
        tensors = {
            **checkpoint.under("network", self.network.state_dict()),
            **checkpoint.under("average", self.average.state_dict()),
            **checkpoint.under("optimizer", checkpoint.optimizer_tensors(self.optimizer)),
            **checkpoint.under("best", self.best_state),
        }
        checkpoint.write(self.path, tensors, self.progress.as_json())

    def _load(self) -> None:
        tensors, info = checkpoint.read(self.path)
        self.network.load_state_dict(checkpoint.below("network", tensors))
        self.average.load_state_dict(checkpoint.below("average", tensors))
        checkpoint.restore_optimizer(self.optimizer, checkpoint.below("optimizer", tensors))
        self.best_state = checkpoint.below("best", tensors)
        self.progress = Progress.of_json(info)


def _next(batches: Iterator[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    try:
        return next(batches)
    except InputError as error:
        # From a worker process the message comes with that process's traceback around it.
        line = str(error).strip().splitlines()[-1]
        raise InputError(line.removeprefix("configs.contracts.InputError: ")) from None
