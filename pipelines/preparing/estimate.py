"""What a run of `prepare` would take, from preparing a few volumes without keeping them."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from configs.profile import Profile
from model.volumes.find import Survey
from model.volumes.store import Store
from pipelines.datasets.dataset import Dataset
from pipelines.prepare import PrepareEstimate
from pipelines.preparing.identity import Identified
from pipelines.preparing.work import Task, prepare_one

_SAMPLE = 8


def estimate(
    survey: Survey,
    named: Sequence[Identified],
    profile: Profile,
    dataset: Dataset | None,
    *,
    any_content: bool,
) -> PrepareEstimate:
    """Prepare volumes spread evenly over the archive in a folder that is then removed."""
    count = min(_SAMPLE, len(named))
    sample = [named[number * len(named) // count] for number in range(count)]
    kept = size = 0
    start = time.process_time()
    with tempfile.TemporaryDirectory(prefix="chestct-") as folder:
        store = Store.create(Path(folder), profile)
        for item in sample:
            task = Task(item.candidate, item.ids, store, any_content, dataset, item.record)
            outcome = prepare_one(task)
            if isinstance(outcome, dict):
                kept += 1
                size += (store.path / outcome["array"]).stat().st_size
    seconds = time.process_time() - start  # of a core, whatever else the machine does
    scale = len(named) / max(1, count)
    return PrepareEstimate(
        volumes=len(named),
        refused=len(survey.refused),
        sampled=count,
        sample_kept=kept,
        store_bytes=round(size * scale),
        seconds_one_worker=seconds * scale,
        profile=profile.name,
    )
