"""`chestct timeline`: one patient's findings over time, scores by the network, changes by text."""

from pathlib import Path
from typing import TYPE_CHECKING

from configs import files
from configs.contracts import InputError, Stage
from pipelines.overtime.content import Timeline, Verdict
from pipelines.rendering.finding_wording import counted
from pipelines.running.progress import results, track
from pipelines.running.run import Run

if TYPE_CHECKING:
    from model.bundle import Bundle


def timeline(
    patient: Path,
    *,
    model: Path,
    out: Path,
    facts: Path | None = None,
    report_texts: Path | None = None,
    identified: bool = False,
    restart: bool = False,
    quiet: bool = False,
) -> Timeline:
    """Read all of a patient's scans, and set their scores beside what the reports say changed.

    New, larger and gone are quoted from reports only; the network's score is higher or lower where
    it moved beyond the spread between reconstructions of one study. Writes timeline.json,
    timeline.html, rejected.parquet and run.json.

    Parameters
    ----------
    patient
        A folder with one patient's DICOM series.
    model
        A bundle's folder.
    out
        Folder for the timeline.
    facts
        Output folder of `chestct label`, or its facts.parquet: report ids are accession numbers or
        study UIDs.
    report_texts
        The archive that was labelled: its sentences are quoted. Without it the mentions alone are.
    identified
        Show patient id, dates and UIDs; without it UIDs are hashed and dates are days.
    restart
        Replace a finished timeline in OUT that was made of another patient or otherwise.
    quiet
        Print nothing.
    """
    if report_texts and not facts:
        raise InputError("--report-texts quotes what --facts found; give both")
    inputs = {"patient": patient, "model": model}
    inputs |= {"facts": facts} if facts else {}
    inputs |= {"report_texts": report_texts} if report_texts else {}
    config = {"identified": identified}
    run = Run("timeline", out, inputs, config, anonymous=not identified, restart=restart)
    with run.alone():
        from model import bundle as bundles

        bundle = bundles.load(model)
        made = over_time(
            [patient], bundle, model, facts, report_texts, identified=identified, quiet=quiet
        )
        for study in made.studies:
            for one in study.reconstructions:
                for reason in one.reasons:
                    run.reject(one.scan.series or "scan", Stage.READ, reason.code, reason.meaning)
        for reason in made.refused:
            run.reject("scan", Stage.READ, reason.code, reason.meaning)
        run.counts["studies"] = len(made.studies)
        run.counts["series"] = sum(len(study.reconstructions) for study in made.studies)
        with run:
            write(made, out, "timeline")
    if not quiet:
        _print(made, out)
    return made


def over_time(
    scans: list[Path],
    bundle: "Bundle",
    bundle_path: Path,
    facts: Path | None = None,
    report_texts: Path | None = None,
    *,
    identified: bool = False,
    quiet: bool = True,
) -> Timeline:
    """The timeline of one patient's scans; raises InputError when none could be read."""
    from pipelines.overtime import studies
    from pipelines.overtime.texts import read_facts, read_texts, tracks

    candidates, refused = studies.find(scans)
    reading = studies.read_all(candidates, bundle, bundle_path, identified=identified)
    reads = list(track(reading, "reading", total=len(candidates), quiet=quiet))
    made, reports = studies.timeline(reads, candidates, refused)
    if facts is None:
        return made
    rows = read_facts(facts, reports)
    texts = read_texts(report_texts, reports) if report_texts else {}
    told = {reports[row["report_id"]] for row in rows}
    return made.model_copy(
        update={
            "tracks": tracks(rows, reports, texts),
            "studies": tuple(
                study.model_copy(update={"has_text": study.number in told})
                for study in made.studies
            ),
        }
    )


def write(made: Timeline, out: Path, name: str) -> None:
    """NAME.json and NAME.html."""
    from pipelines.overtime import html

    files.write_json(out / f"{name}.json", made.model_dump(mode="json"))
    files.write_text(out / f"{name}.html", html.render(made))


def _print(made: Timeline, out: Path) -> None:
    moved = sum(
        change.verdict in (Verdict.HIGHER, Verdict.LOWER)
        for trace in made.traces
        for change in trace.changes
    )
    words = sum(bool(said.change) for track_ in made.tracks for said in track_.said)
    noise = made.repeatability
    results.print(
        f"{counted(len(made.studies), 'study', 'studies')}, {counted(moved, 'score')} moved beyond "
        f"the noise ({f'{noise.logits:.2f} logits' if noise else 'not known'}), "
        f"{counted(words, 'change')} named by reports"
    )
    results.print(made.intended_use)
    results.print(str(out / "timeline.html"), markup=False)
