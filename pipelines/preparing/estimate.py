"""What a run of `prepare` would take, from preparing a few volumes without keeping them."""

import tempfile
import time
from pathlib import Path

from configs.profile import Profile
from model.volumes.find import Candidate, Survey
from model.volumes.store import Store, VolumeIds
from pipelines.prepare import PrepareEstimate
from pipelines.preparing.work import Task, prepare_one

_SAMPLE = 8


def estimate(
    survey: Survey,
    chosen: tuple[Candidate, ...],
    profile: Profile,
    *,
    any_content: bool,
) -> PrepareEstimate:
    """Prepare volumes spread evenly over the archive in a folder that is then removed."""
    count = min(_SAMPLE, len(chosen))
    sample = [chosen[number * len(chosen) // count] for number in range(count)]
    kept = size = 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="chestct-") as folder:
        store = Store.create(Path(folder), profile)
        for number, candidate in enumerate(sample):
            ids = VolumeIds(f"{number}", "", "", "")
            outcome = prepare_one(Task(candidate, ids, store, any_content))
            if isinstance(outcome, dict):
                kept += 1
                size += (store.path / outcome["array"]).stat().st_size
    seconds = time.perf_counter() - start
    scale = len(chosen) / max(1, count)
    return PrepareEstimate(
        volumes=len(chosen),
        refused=len(survey.refused),
        sampled=count,
        sample_kept=kept,
        store_bytes=round(size * scale),
        seconds_one_worker=seconds * scale,
    )
