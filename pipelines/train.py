"""`chestct train`: from a cohort, its labels and its volumes to a bundle."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from configs.contracts import ExitCode, InputError, RecordReason, Split, Stage
from configs.profile import load_profile
from configs.training import TrainConfig, find_recipe, load_train
from model import bundle as bundles
from model.bundle import Bundle
from pipelines.rendering.finding_wording import counted
from pipelines.running.progress import messages, results
from pipelines.running.run import Run
from pipelines.training.earlier import RESUME

if TYPE_CHECKING:
    from lightning import Fabric

    from model.training import Fitted
    from model.volumes.store import Store
    from pipelines.training.teaching import Teaching

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


def train(
    *,
    config: Path,
    labels: Path,
    store: Path,
    cohort: Path,
    out: Path,
    also_labels: list[Path] | None = None,
    soft_labels: Path | None = None,
    convention: str | None = None,
    override: Sequence[str] = (),
    local_copy: Path | None = None,
    resume: bool = False,
    restart: bool = False,
    quiet: bool = False,
) -> Bundle:
    """Train a network on a cohort and write it as a bundle.

    The network, the calibration and the thresholds are chosen on the validation split; the test
    split is not learnt from. A run that is killed, or told to stop by SIGTERM or SIGUSR1 (exit
    code 75), goes on with --resume and ends with the same weights. A folder that holds a bundle or
    an unfinished run is not begun anew but with --restart.

    Parameters
    ----------
    config
        The recipe: a YAML file, or the name of one that comes with chestct (compact, small, base,
        large).
    labels
        Output folder of `chestct label`, or its labels.parquet.
    store
        Output folder of `chestct prepare`.
    cohort
        Output folder of `chestct cohort`, or its cohort.parquet.
    out
        Folder for the bundle, history.csv and run.json.
    also_labels
        More label tables of the same reports, each under a convention of its own.
    soft_labels
        soft_labels.parquet: probabilities with confidences for the same reports.
    convention
        The labeling convention that the labels follow; default: what their run.json says.
    override
        A field of the recipe with another value, `epochs=5` or `augmentation.noise_hu=0`.
    local_copy
        A folder on each machine's own disk to copy the volumes to first.
    resume
        Go on with the run in this folder, or start it where there is none yet.
    restart
        Throw away the unfinished run in this folder, and replace its bundle when the new one is
        made.
    quiet
        Print nothing.
    """
    from model.training import Paused, TrainingError, check_parts
    from model.training.devices import first_only, launch, leave
    from model.volumes.store import Store
    from pipelines.training import earlier
    from pipelines.training.teaching import read_teaching

    config = find_recipe(config)
    recipe = load_train(config, _overrides(override))
    if finished := earlier.finished_bundle(out, recipe, resume, restart, quiet=quiet):
        return finished
    fabric = launch(recipe)
    quiet = quiet or not fabric.is_global_zero
    inputs = {"config": config, "labels": labels, "store": store, "cohort": cohort}
    inputs |= {f"labels {i}": path for i, path in enumerate(also_labels or [], start=2)}
    inputs |= {"soft labels": soft_labels} if soft_labels else {}
    run = Run("train", out, inputs, {"recipe": recipe.model_dump(mode="json")})
    with ExitStack() as stack:
        stack.callback(leave)

        def begin() -> "Teaching":
            stack.enter_context(run.alone())  # no second run of this folder, from the first moment
            earlier.check_free(out, resume=resume, restart=restart)
            opened = Store.open(store)
            _check_profile(opened, recipe, config)
            tables = [labels, *(also_labels or [])]
            taught = read_teaching(tables, convention, cohort, opened, soft_labels)
            parts = (taught.parts[Split.TRAIN], taught.parts[Split.VALIDATION])
            check_parts(recipe, *parts, fabric.world_size)
            stack.enter_context(run)  # only now: a refusal leaves an earlier bundle's record alone
            if restart:
                shutil.rmtree(out / RESUME, ignore_errors=True)
            return taught

        teaching = first_only(fabric, begin)  # what all need is read, and refused, once
        opened = Store.open(store)
        opened, teaching = _sound(fabric, opened, teaching, local_copy, run, quiet=quiet)
        began = time.monotonic()
        try:
            fitted = _fit(fabric, recipe, teaching, opened, out, resume=resume, quiet=quiet)
        except Paused:
            if not quiet:
                text = f"Asked to stop. The state is in {out / RESUME}: --resume goes on."
                messages.print(text, soft_wrap=True)
            raise SystemExit(ExitCode.PAUSED if fabric.is_global_zero else 0) from None
        except InputError as error:
            if fabric.is_global_zero:
                earlier.forget_unbegun(out)
            if fabric.is_global_zero or not isinstance(error, TrainingError):
                raise
            raise SystemExit(ExitCode.DONE) from None  # all meet it, the first one says it
        bundle = _finish(fitted, recipe, teaching, opened, time.monotonic() - began)
        if fabric.is_global_zero:
            bundles.save(out, bundle)
            run.counts.update(
                {f"{split.value}_volumes": len(part) for split, part in teaching.parts.items()}
            )
            run.facts["labels_left_out"] = list(teaching.left_out)
            run.facts["validation"] = bundle.card.metrics
    if fabric.is_global_zero:
        shutil.rmtree(out / RESUME, ignore_errors=True)  # only now: run.json stands
    if not quiet:
        _print(fitted, recipe, bundle, out)
    return bundle


def _overrides(pairs: Sequence[str]) -> dict[str, Any]:
    overrides = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--override {pair!r}: expected FIELD=VALUE")
        try:
            overrides[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--override {pair!r}: the value cannot be read") from None
    return overrides


def _check_profile(store: "Store", recipe: TrainConfig, config: Path) -> None:
    if store.profile.name != recipe.profile:
        load_profile(recipe.profile)
        raise InputError(
            f"{store.path}: prepared for profile {store.profile.name!r}, {config} trains "
            f"{recipe.profile!r}; run `chestct prepare SCANS --out ANOTHER_STORE --profile "
            f"{recipe.profile}`, or train this store with --override profile={store.profile.name}"
        )


def _sound(
    fabric: "Fabric",
    store: "Store",
    teaching: "Teaching",
    local_copy: Path | None,
    run: Run,
    *,
    quiet: bool,
) -> tuple["Store", "Teaching"]:
    """Leave out what is not as it was written, and read from the machine's own disk if asked."""
    from pipelines.training.volumes import copied, damaged_volumes

    volumes = [
        name
        for split in (Split.TRAIN, Split.VALIDATION)
        for name in teaching.parts[split].volume_ids
    ]
    if local_copy is not None:
        store = copied(fabric, store, volumes, local_copy, quiet=quiet)
    damaged = damaged_volumes(fabric, store, volumes, quiet=quiet)
    for name in damaged:
        detail = "its file is missing or altered since it was written; prepare its scan again"
        run.reject(name, Stage.TRAIN, RecordReason.DAMAGED, detail)
    if damaged and not quiet:
        messages.print(f"{len(damaged)} damaged volumes are left out: see rejected.parquet")
    return store, teaching.without(set(damaged))


def _fit(
    fabric: "Fabric",
    recipe: TrainConfig,
    teaching: "Teaching",
    store: "Store",
    out: Path,
    *,
    resume: bool,
    quiet: bool,
) -> "Fitted":
    from model.training import fit
    from pipelines.training.console import Console, print_counts
    from pipelines.training.records import Recorder, open_logger

    first = fabric.is_global_zero
    if not quiet:
        print_counts(teaching)
    names = [label.partition(":")[2] for label in teaching.labels]
    with Console(names, quiet=quiet).shown() as console, _stop_signals() as asked_to_stop:
        recorder = Recorder(out, names, console, open_logger(recipe, out)) if first else None
        fitted = fit(
            recipe,
            store.profile,
            teaching.parts[Split.TRAIN],
            teaching.parts[Split.VALIDATION],
            store.read,
            resume_folder=out / RESUME,
            resume=resume,
            labels=names,
            sources=teaching.sources,
            fabric=fabric,
            watcher=recorder,
            asked_to_stop=asked_to_stop,
        )
        if recorder is not None:
            recorder.close()
    return fitted


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGUSR1 came: a cluster's word that the time is almost up."""
    asked = False

    def note(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True

    try:
        before = {number: signal.signal(number, note) for number in _STOP_SIGNALS}
    except ValueError:  # not the main thread: signals go elsewhere
        before = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(
    fitted: "Fitted", recipe: TrainConfig, teaching: "Teaching", store: "Store", seconds: float
) -> Bundle:
    from pipelines.training.finish import make_bundle

    return make_bundle(fitted, recipe, teaching, store, seconds)


def _ended_by(epochs: int, recipe: TrainConfig) -> str:
    """Which limits may have ended the schedule before its last epoch."""
    limits = {"max_minutes": recipe.max_minutes, "patience": recipe.patience}
    named = " or ".join(name for name, value in limits.items() if value is not None)
    return f" of {recipe.epochs} ({named} reached)" if epochs < recipe.epochs and named else ""


def _print(fitted: "Fitted", recipe: TrainConfig, bundle: Bundle, out: Path) -> None:
    epochs = fitted.history[-1].epoch
    kept = ", ".join(
        (f"seed {m.seed}: " if len(bundle.members) > 1 else "")
        + (f"epoch {m.epoch}" if m.epoch else "the start")
        for m in bundle.members
    )
    results.print(
        f"Trained {counted(epochs, 'epoch')}{_ended_by(epochs, recipe)} in "
        f"{bundle.card.seconds:.0f} s; kept: {kept}; macro AUROC "
        f"{fitted.best_auroc:.3f} on validation. Bundle: {out}"
    )
