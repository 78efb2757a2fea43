"""What a run of `prepare` would take, from preparing a few volumes without keeping them."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from configs.profile import Profile
from model.volumes.find import Candidate, Survey
from model.volumes.store import Store, VolumeIds
from pipelines.preparing.work import Task, prepare_one
from pipelines.running.progress import results

_SAMPLE = 8


@dataclass(frozen=True, slots=True)
class PrepareEstimate:
    """Disk and time for the volumes that an archive promises; measured on `sampled` of them."""

    volumes: int
    refused: int
    sampled: int
    sample_kept: int
    store_bytes: int
    seconds_one_worker: float

    def show(self) -> None:
        """Print it for people."""
        minutes = self.seconds_one_worker / 60
        results.print(
            f"{self.volumes:,} volumes to prepare, {self.refused:,} series refused by their "
            f"headers; of {self.sampled} tried, {self.sample_kept} would be kept"
        )
        results.print(
            f"about {self.store_bytes / 1e6:,.0f} MB of store and {minutes:,.1f} minutes of one "
            "core; nothing was written"
        )


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
