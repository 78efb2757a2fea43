"""One scan read by a bundle: from its files to the content of its report."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from model.volumes import Candidate, Volume, VolumeError, assess, read_volume
from model.volumes.anatomy import find_anatomy
from model.volumes.preprocess import preprocess
from pipelines.rendering import assemble
from pipelines.rendering.content import Remark, ScanReport, Status

if TYPE_CHECKING:  # torch, which the forms have no need of
    from model.bundle import Bundle
    from model.prediction import Prediction


@dataclass(slots=True)
class Clock:
    """Seconds of every stage, in the order of their first start."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what the block takes to a stage's seconds."""
        started = time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + taken


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A report's content with what it was read from, which a refused scan has not."""

    content: ScanReport
    volume: Volume | None = None
    prediction: "Prediction | None" = None

    @property
    def refused(self) -> bool:
        """Whether the scan was set aside before the network saw it."""
        return self.content.status is Status.REFUSED


def read_scan(
    scan: Path | Candidate,
    bundle: "Bundle",
    bundle_path: Path,
    *,
    series: str | None = None,
    identified: bool = False,
    text: str | None = None,
    flagged_from: Mapping[str, float] | None = None,
    clock: Clock | None = None,
) -> Reading:
    """Read one scan; one that cannot be trusted or is no chest CT gives a refused report.

    `scan` is a folder or file, or a series that was found in a tree (`series` is for a folder).
    `text` is the radiologist's own report of the scan, to be set against the network's;
    `flagged_from` are the thresholds of the worklist that the scan may stand in, by label.
    Raises nothing for a bad scan: its reasons stand in the content.
    """
    clock = clock or Clock()
    with clock.stage("read scan"):
        try:
            volume = scan.read() if isinstance(scan, Candidate) else read_volume(scan, series)
        except VolumeError as error:
            # The message begins with the path, which may hold a name: not for the report.
            message = str(error).removeprefix(f"{error.reason}: ").removeprefix(f"{scan}: ")
            reason = Remark(code=error.reason, meaning=message)
            refused = assemble.unreadable(reason, bundle, bundle_path, identified=identified)
            return Reading(refused)
    with clock.stage("assess"):
        anatomy = find_anatomy(volume)
        assessment = assess(volume, anatomy)
    if not assessment.in_scope:
        refused = assemble.refuse(volume, assessment, bundle, bundle_path, identified=identified)
        return Reading(refused, volume)
    with clock.stage("prepare"):
        prepared = preprocess(volume, bundle.profile, anatomy)
    with clock.stage("predict"):
        prediction = bundle.predict(prepared)
    with clock.stage("locate"):
        content = assemble.read(
            volume,
            assessment,
            anatomy,
            bundle,
            prediction,
            bundle_path,
            warnings=prepared.warnings,
            identified=identified,
            flagged_from=flagged_from,
        )
    if text is not None:
        from pipelines.rendering.second_reader import beside

        with clock.stage("read text"):
            content = beside(content, text)
    return Reading(content, volume, prediction)
