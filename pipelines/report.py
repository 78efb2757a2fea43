"""`chestct report`: one scan's probabilities with their evidence, as JSON and as one HTML page."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from configs import files
from configs.contracts import InputError, Stage
from pipelines.rendering import wording
from pipelines.rendering.content import Decision, Remark, ScanReport, Status, percent
from pipelines.running.progress import results
from pipelines.running.run import Run

if TYPE_CHECKING:
    from model.bundle import Bundle
    from pipelines.rendering.pictures import Pictures

_JSON, _HTML = "report.json", "report.html"
_MOST_PRINTED = 8


def report(
    scan: Path,
    *,
    model: Path,
    out: Path,
    series: str | None = None,
    identified: bool = False,
    timings: bool = False,
    quiet: bool = False,
) -> ScanReport:
    """Read one scan with a bundle, and write what it says and where it looked.

    Writes report.json, report.html, rejected.parquet and run.json. A scan that is no readable
    chest CT gets a report with the reasons and without any probability, and InputError (exit
    code 2) is raised after it is written.

    Parameters
    ----------
    scan
        A DICOM folder or a volume file.
    model
        A bundle's folder.
    out
        Folder for the report.
    series
        Series instance UID, where the folder holds several.
    identified
        Write patient id, accession, date, sex, age and UIDs; without it UIDs are hashed and the
        rest is left out.
    timings
        Print the seconds of every stage.
    quiet
        Print nothing.
    """
    clock = _Clock()
    config = {"series": series, "identified": identified}
    with Run("report", out, {"scan": scan, "model": model}, config) as run:
        for stale in (_JSON, _HTML):  # never another scan's numbers beside this scan's refusal
            (out / stale).unlink(missing_ok=True)
        with clock.stage("load model"):
            from model import bundle as bundles

            bundle = bundles.load(model)
        content, pictures = _read(scan, series, bundle, model, clock, identified=identified)
        with clock.stage("write"):
            from pipelines.rendering.html import render

            files.write_json(out / _JSON, content.model_dump(mode="json"))
            files.write_text(out / _HTML, render(content, pictures))
        run.facts["stage_seconds"] = {name: round(s, 3) for name, s in clock.seconds.items()}
        run.counts["findings"] = len(content.findings)
        for reason in content.quality.reasons:
            run.reject(content.scan.series or "scan", Stage.READ, reason.code, reason.meaning)
    if content.status is Status.REFUSED:
        first = content.quality.reasons[0]
        raise InputError(f"{scan}: not read: {first.code}: {first.meaning} (see {out / _HTML})")
    if not quiet:
        _print(content, out, clock if timings else None)
    return content


def _read(
    scan: Path,
    series: str | None,
    bundle: "Bundle",
    model: Path,
    clock: "_Clock",
    *,
    identified: bool,
) -> tuple[ScanReport, "Pictures | None"]:
    """The content, and the pictures unless the scan is refused."""
    from model.volumes import VolumeError, assess, read_volume
    from model.volumes.anatomy import find_anatomy
    from model.volumes.preprocess import preprocess
    from pipelines.rendering import assemble, pictures

    with clock.stage("read scan"):
        try:
            volume = read_volume(scan, series)
        except VolumeError as error:
            # The message begins with the path, which may hold a name: not for the report.
            message = str(error).removeprefix(f"{error.reason}: ").removeprefix(f"{scan}: ")
            reason = Remark(code=error.reason, meaning=message)
            return assemble.unreadable(reason, bundle, model, identified=identified), None
    with clock.stage("assess"):
        anatomy = find_anatomy(volume)
        assessment = assess(volume, anatomy)
    if not assessment.in_scope:
        return assemble.refuse(volume, assessment, bundle, model, identified=identified), None
    with clock.stage("prepare"):
        prepared = preprocess(volume, bundle.profile, anatomy)
    with clock.stage("predict"):
        prediction = bundle.predict(prepared)
    with clock.stage("draw"):
        content = assemble.read(
            volume,
            assessment,
            anatomy,
            bundle,
            prediction,
            model,
            warnings=prepared.warnings,
            identified=identified,
        )
        return content, pictures.draw(content, volume, prediction)


def _print(content: ScanReport, out: Path, clock: "_Clock | None") -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("finding", "probability", "threshold", "decision", "where"):
        table.add_column(
            heading, justify="right" if heading in ("probability", "threshold") else "left"
        )
    for finding in (*content.having(Decision.PRESENT), *content.having(Decision.INDETERMINATE))[
        :_MOST_PRINTED
    ]:
        where = finding.foci[0] if finding.foci else None
        table.add_row(
            finding.name,
            percent(finding.probability),
            percent(finding.threshold),
            finding.decision.value,
            f"{wording.place(where)}, slice {where.best_slice}" if where else "",
        )
    results.print(table)
    if clock:
        for name, seconds in clock.seconds.items():
            results.print(f"{name:<12}{seconds:7.2f} s")
    results.print(content.intended_use)
    results.print(str(out / _HTML))


@dataclass(slots=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = time.perf_counter() - started
