"""What an output folder holds of an earlier run of `train`: never overwritten unasked."""

import shutil
from pathlib import Path

from configs import files
from configs.contracts import InputError
from configs.training import TrainConfig
from model import bundle as bundles
from model.bundle import Bundle
from pipelines.running.progress import results

RESUME = "resume"
"""The folder in OUT with the state of a run that is not finished."""


def is_finished(out: Path) -> bool:
    """Whether a run in this folder came to its end."""
    record = out / "run.json"
    return record.exists() and files.read_json(record).get("verb") == "train"


def check_free(out: Path, *, resume: bool, restart: bool) -> None:
    """Raise InputError where a run would replace, unasked, what an earlier one left.

    A run is unfinished from its first moment on, though it has no state yet to go on from. It is
    not in the way of `resume`, nor is the older bundle beside it.
    """
    from model.training.identity import is_claimed

    if restart:
        return
    state = out / RESUME
    if not resume and is_claimed(state):
        raise InputError(
            f"{state}: an unfinished run; --resume goes on with it, --restart begins anew"
        )
    if (is_finished(out) or bundles.is_there(out)) and not (resume and state.is_dir()):
        raise InputError(
            f"{out}: holds a finished bundle; choose another --out, or replace it with --restart "
            "(--resume goes on with unfinished runs)"
        )


def forget_unbegun(out: Path) -> None:
    """Leave nothing of a run that failed before its first state: it would fail again."""
    from model.training.identity import is_begun

    if not is_begun(out / RESUME):
        shutil.rmtree(out / RESUME, ignore_errors=True)


def finished_bundle(
    out: Path, recipe: TrainConfig, resume: bool, restart: bool, *, quiet: bool
) -> Bundle | None:
    """What a requeued job ends with whose last words were lost; None where there is work to do.

    Raises InputError where the run that is finished was another one.
    """
    from model.training.identity import recipe_difference

    if resume and restart:
        raise InputError("--resume goes on with a run and --restart begins anew; give one of them")
    if not resume or not is_finished(out):
        return None
    changed = recipe_difference(files.read_json(out / "run.json")["config"].get("recipe"), recipe)
    if changed:
        raise InputError(
            f"{out}: holds another run, which is finished ({changed}); choose another --out, or "
            "replace it with --restart instead of --resume"
        )
    bundle = bundles.load(out)
    shutil.rmtree(out / RESUME, ignore_errors=True)
    if not quiet:
        results.print(f"{out}: the run is finished; --restart instead of --resume trains again")
    return bundle
