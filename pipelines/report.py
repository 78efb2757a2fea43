"""`chestct report`: one scan's probabilities with their evidence, in the forms asked for."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from configs import files
from configs.contracts import InputError, Stage
from configs.triage_policy import load_triage_policy
from pipelines.rendering import earlier, finding_wording, forms, wording
from pipelines.rendering.content import Decision, ScanReport
from pipelines.rendering.forms import Form
from pipelines.running.progress import messages, results
from pipelines.running.run import Run
from pipelines.sending.delivery import delivery

if TYPE_CHECKING:
    from model.bundle import Bundle
    from pipelines.overtime.content import Timeline
    from pipelines.rendering.reading import Clock, Reading

_MOST_PRINTED = 8


def report(
    scan: Path,
    *,
    model: Path,
    out: Path,
    form: str = "json,html",
    series: str | None = None,
    report_text: Path | None = None,
    report_id: str | None = None,
    prior: list[Path] | None = None,
    policy: str = "default",
    identified: bool = False,
    send: str | None = None,
    stow: str | None = None,
    restart: bool = False,
    timings: bool = False,
    quiet: bool = False,
) -> ScanReport:
    """Read one scan with a bundle, and write what it says and where it looked.

    Writes report.json, report.html and whatever form is asked for, rejected.parquet and run.json,
    once the scan is read: nothing in OUT is touched before.
    A scan that is no readable chest CT gets a report with the reasons and without any
    probability, and InputError (exit code 2) is raised after it is written.

    Parameters
    ----------
    scan
        A DICOM folder or a volume file.
    model
        A bundle's folder.
    out
        Folder for the report.
    form
        Any of json, html, pdf and dicom, separated by commas. A form whose extra is not installed
        is named and left out.
    series
        Series instance UID, where the folder holds several.
    report_text
        The radiologist's own report: a text file, or an archive with --report-id. What it says is
        set against what the network says, and its text stands in the output.
    report_id
        The report's identifier in the archive.
    prior
        An earlier scan of the same patient, may be repeated: over_time.json and over_time.html set
        the scores of all beside each other (docs/timeline.md).
    policy
        The policy of the worklist that the scan may stand in (`chestct triage`): where that flags
        a finding which this report does not call present, the report says so.
    identified
        Write patient id, accession, date, sex, age and UIDs; without it UIDs are hashed and the
        rest is left out. The form dicom needs it.
    send
        HOST:PORT:AET of an archive: write the form dicom and send it there by C-STORE;
        tls://HOST:PORT:AET sends it encrypted.
    stow
        URL of a DICOMweb service: write the form dicom and post it there (STOW-RS).
    restart
        Replace the report of another scan in this folder; one of the same scan always is.
    timings
        Print the seconds of every stage.
    quiet
        Print nothing.
    """
    destination = delivery(send, stow)
    identified = identified or destination is not None
    wanted = _writable(forms.chosen(f"{form},dicom" if destination else form), quiet=quiet)
    if Form.DICOM in wanted and not identified:
        raise InputError("--form dicom: DICOM objects name patient and study; add --identified")
    weights = load_triage_policy(policy)
    text = _text(report_text, report_id)
    config = {
        "form": [f.value for f in wanted],
        "series": series if identified else series is not None,
        "identified": identified,
    }
    inputs = {"scan": scan, "model": model} | ({"text": report_text} if report_text else {})
    inputs |= {f"prior_{number}": path for number, path in enumerate(prior or (), start=1)}
    run = Run("report", out, inputs, config, anonymous=not identified)
    with ExitStack() as stack:
        stack.enter_context(run.alone())
        earlier.check_ours(out)
        from pipelines.rendering.reading import Clock, read_scan
        from pipelines.rendering.writers import Writers
        from pipelines.triaging.coverage import cover

        clock = Clock()
        writers = stack.enter_context(Writers(wanted))
        with clock.stage("load model"):
            from model import bundle as bundles

            bundle = bundles.load(model)
        flagged_from = cover(weights, bundle.labels, bundle.calibrations).flagged_from
        reading = read_scan(
            scan,
            bundle,
            model,
            series=series,
            identified=identified,
            text=text,
            flagged_from=flagged_from,
            clock=clock,
        )
        named = earlier.Named.of(scan, reading)
        earlier.check_same(out, named, reading, restart=restart)
        over_time = None
        if prior and not reading.refused:
            with clock.stage("prior scans"):
                over_time = _over_time([*prior, scan], bundle, model, identified=identified)
        stack.enter_context(run)  # only now: what fails before leaves an earlier report as it is
        earlier.clear(out)
        writers.begin(reading, scan, out)
        _write(reading, wanted, out, clock)
        if over_time:
            from pipelines.timeline import write

            write(over_time, out, "over_time")
        outcomes = writers.outcomes()
        clock.seconds |= {f"write {form}": one.seconds for form, one in outcomes.items()}
        problems = [one.problem for one in outcomes.values() if one.problem]
        objects = outcomes[Form.DICOM].paths if Form.DICOM in outcomes else ()
        lost = destination.deliver(objects, run) if destination and objects else None
        content = reading.content
        run.facts |= named.facts()
        run.facts["stage_seconds"] = {name: round(s, 3) for name, s in clock.seconds.items()}
        run.counts["findings"] = len(content.findings)
        for reason in content.quality.reasons:
            run.reject(content.scan.series or "scan", Stage.READ, reason.code, reason.meaning)
    if reading.refused:
        first = content.quality.reasons[0]
        raise InputError(f"{scan}: not read: {first.code}: {first.meaning} (see {out})")
    if not quiet:
        for problem in problems:
            messages.print(problem, markup=False)
        _print(content, out, clock if timings else None)
    if len(problems) == len(wanted):
        raise InputError("; ".join(problems))
    if destination and not objects:
        raise InputError("nothing was sent: there are no DICOM objects of this scan")
    if lost:
        raise InputError(f"{lost}; all are kept in {out / 'dicom'}")
    return content


def _writable(wanted: tuple[Form, ...], *, quiet: bool) -> tuple[Form, ...]:
    """The forms that can be written; each other is named in one line."""
    reasons = {form: forms.lacking(form) for form in wanted}
    for reason in filter(None, reasons.values()):
        if not quiet:
            messages.print(reason, markup=False)
    writable = tuple(form for form in wanted if reasons[form] is None)
    if not writable:
        raise InputError("; ".join(filter(None, reasons.values())))
    return writable


def _text(path: Path | None, report_id: str | None) -> str | None:
    if path is None:
        if report_id is not None:
            raise InputError("--report-id names a report of the archive that --report-text gives")
        return None
    from pipelines.reports_in.single import read_one

    return read_one(path, report_id)


def _write(reading: "Reading", wanted: tuple[Form, ...], out: Path, clock: "Clock") -> None:
    """The forms that this process writes."""
    if Form.JSON in wanted:
        with clock.stage("write json"):
            files.write_json(out / "report.json", reading.content.model_dump(mode="json"))
    if Form.HTML in wanted:
        with clock.stage("write html"):
            from pipelines.rendering import html

            files.write_text(out / "report.html", html.page(reading))


def _over_time(scans: list[Path], bundle: "Bundle", model: Path, *, identified: bool) -> "Timeline":
    """The same findings in this scan and the earlier ones."""
    from pipelines.timeline import over_time

    return over_time(scans, bundle, model, identified=identified)


def _print(content: ScanReport, out: Path, clock: "Clock | None") -> None:
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
            finding_wording.chance(finding),
            finding_wording.cut(finding),
            finding.decision.value,
            f"{finding_wording.place(where)}, slice {where.best_slice}" if where else "",
        )
    results.print(table)
    for guess in (*wording.two_verdicts(content), *wording.guesses(content)):
        results.print(guess, markup=False)
    if clock:
        for name, seconds in clock.seconds.items():
            results.print(f"{name:<12}{seconds:7.2f} s")
    results.print(content.intended_use)
    for path in (
        *sorted(out.glob("report.*")),
        *sorted(out.glob("over_time.*")),
        *sorted(out.glob("dicom/*.dcm")),
    ):
        results.print(str(path))
