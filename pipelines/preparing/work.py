"""One volume from its files to the store; it runs in worker processes."""

import errno
from dataclasses import dataclass
from pathlib import Path

from configs.contracts import InputError, RecordReason, Stage
from model.volumes.anatomy import find_anatomy, measure_lungs
from model.volumes.assess import NOTES, Assessment, assess
from model.volumes.find import Candidate
from model.volumes.preprocess import PREPROCESS_VERSION, preprocess
from model.volumes.store import Row, Store, VolumeIds
from model.volumes.volume import VolumeError, VolumeReason
from pipelines.datasets.dataset import Dataset, Record
from pipelines.running.run import Rejected

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What a full or locked disk answers: no scan is to blame, whoever was writing."""


@dataclass(frozen=True, slots=True)
class Task:
    """One volume to prepare; it travels to a worker process."""

    candidate: Candidate
    ids: VolumeIds
    store: Store
    any_content: bool
    dataset: Dataset | None = None
    record: Record | None = None
    root: Path | None = None
    """The archive, which a worker on another machine must see."""
    preprocess_version: int = PREPROCESS_VERSION
    """Of the process that made the task."""


def prepare_one(task: Task) -> Row | Rejected:
    """Read, assess, preprocess and write one volume: its manifest row, or why there is none.

    Raises InputError on a machine that has another chestct or cannot see the scans, and OSError
    when the store cannot be written: that is never the scan's fault.
    """
    name = task.ids.volume_id
    _check_place(task)
    try:
        volume = task.candidate.read()
        if task.dataset is not None:
            volume = task.dataset.describe(volume, task.record)
        anatomy = find_anatomy(volume)
        assessment = assess(volume, anatomy)
        if not assessment.in_scope and not task.any_content:
            return _out_of_scope(name, assessment)
        prepared = preprocess(volume, task.store.profile, anatomy)
        lungs = measure_lungs(volume, anatomy)
    except VolumeError as error:
        return Rejected(name, Stage.PREPARE, error.reason, message_of(error))
    except (ValueError, ArithmeticError, MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        # One series that meets a mistake of ours must not cost the others; its text may quote it.
        detail = f"unexpected {type(error).__name__}"
        return Rejected(name, Stage.PREPARE, VolumeReason.UNREADABLE, detail)
    return task.store.write_array(prepared, task.ids, assessment.reasons, lungs)


def _check_place(task: Task) -> None:
    """A worker of another kind would reject, or keep, what this archive's others do not."""
    if task.preprocess_version != PREPROCESS_VERSION:
        raise InputError("a worker has another chestct; install the same on every machine")
    for folder in (task.root, task.store.path):
        if folder is not None and not folder.exists():
            raise InputError(
                f"{folder}: a worker does not see it; scans and store must lie where all machines "
                "see them under the same path"
            )


def _out_of_scope(name: str, assessment: Assessment) -> Rejected:
    """The first reason as the code, all of them with their measurements in the detail."""
    reasons = [reason for reason in assessment.reasons if reason not in NOTES]
    measured = [
        " ".join([reason, *(f"{what}={value:g}" for what, value in figures.items())])
        for reason, figures in ((reason, assessment.behind(reason)) for reason in reasons)
    ]
    detail = f"not a whole, upright chest CT in HU: {', '.join(measured)}"
    return Rejected(name, Stage.PREPARE, reasons[0], detail)


def set_aside(task: Task, reason: RecordReason) -> Rejected:
    """What stands for a volume whose process crashed or hung."""
    return Rejected(task.ids.volume_id, Stage.PREPARE, reason, "its process ended or hung")


def message_of(error: VolumeError) -> str:
    """What an error says, without its code."""
    return str(error).partition(": ")[2]
