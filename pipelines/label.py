"""`chestct label`: a report archive in, labels and the facts behind them out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from configs.contracts import InputError

if TYPE_CHECKING:
    from pipelines.labelling.tally import Tally
    from pipelines.labelling.taught import Taught

SHARD_SIZE = 2_500


def label(
    reports: Path,
    *,
    out: Path,
    convention: str = "ct_rate",
    binary: bool = False,
    id_column: str | None = None,
    text_column: list[str] | None = None,
    exam_column: str | None = None,
    exam: list[str] | None = None,
    any_language: bool = False,
    status_column: str | None = None,
    time_column: str | None = None,
    preliminary: bool = False,
    encoding: str | None = None,
    csv: bool = False,
    configs: Path | None = None,
    stage: Path | None = None,
    fusion: Literal["rules", "neural", "fused"] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    shard_size: int = SHARD_SIZE,
    restart: bool = False,
    quiet: bool = False,
) -> "Labelled":
    """Read labels out of reports: `labels.parquet` and `facts.parquet` in OUT, in parts.

    A label is 1 (present), 0 (absent), -1 (uncertain) or blank (not mentioned). Records that
    cannot be read are listed in `rejected.parquet` with their reason; `run.json` counts them.
    Running again goes on where an interrupted run ended.

    Parameters
    ----------
    reports
        CSV or TSV (also .gz or .zst), JSON lines, Parquet, HL7 v2 messages, DICOM structured
        reports, or a folder of one of these or of .txt, .rtf and .html (see docs/files.md).
    out
        The folder to write.
    convention
        How facts become labels: `ct_rate` or another name, or a .yaml file.
    binary
        Write 0 and 1 only; uncertain and blank become what the convention says.
    id_column
        The column with the report's identifier, if it has not one of the usual names; of HL7
        messages a field, such as OBR-18.
    text_column
        The column with the text; repeat it for a text in several columns, which are then joined
        under their names ("IMPRESSION: ...").
    exam_column
        The column that names the examination by words or code; HL7 and DICOM SR name it themselves.
    exam
        Words or a code of the examinations to keep (`ct chest`, `thora*`, `71260`); repeat it for
        several. Of combined examinations only the chest's sections and the impression are read.
    any_language
        Read reports that are not in English too; they are else rejected, never labelled normal.
    status_column
        The column with each message's status (preliminary, final, corrected, addendum, ...): the
        messages of one report are then joined. HL7 and DICOM SR state it themselves.
    time_column
        The column with each message's time.
    preliminary
        Read reports of which there is only a preliminary version.
    encoding
        The encoding of text, CSV and JSON that begin with no byte order mark, and of HL7 messages
        that declare none, such as `windows-1252`; by default UTF-8. It is never guessed.
    csv
        Write `labels.csv` and `facts.csv` as well, safe to open in a spreadsheet.
    configs
        A folder of your own `findings/*.yaml`, `cues/*.yaml` and `conventions/*.yaml`, which add
        to chestct's or replace those of the same name.
    stage
        A neural stage (`chestct teach`) that judges beside the rules, and writes a probability for
        every label, `soft_labels.parquet`.
    fusion
        With --stage, whose word decides a label: `fused` (rules and network together; the default),
        `neural` (the network alone) or `rules`.
    workers
        Processes that label; by default all cores when there is more than one shard.
    scheduler
        The address of a Dask scheduler (tcp://...) whose workers label; see docs/scale.md.
    shard_size
        Records a shard: the unit of work, and of what is redone after an interruption.
    restart
        Label all anew where OUT holds another archive's, other rules' or other options' result.
    quiet
        No progress bar and no summary; rejected records are told all the same.
    """
    if not reports.exists():  # before what takes a second to import
        raise InputError(f"{reports}: no such file or folder")
    from configs.convention import load_convention
    from configs.files import read_json
    from labeler.examples import check_examples
    from pipelines.labelling.archive import label_archive
    from pipelines.labelling.plan import is_finished, make_plan
    from pipelines.labelling.tally import Tally
    from pipelines.labelling.taught import Taught
    from pipelines.labelling.work import LabelWork
    from pipelines.reports_in.archive import read_reports
    from pipelines.reports_in.options import ReadOptions
    from pipelines.reports_in.text_file import known_encoding
    from pipelines.running.cluster import check_workers
    from pipelines.running.progress import messages
    from pipelines.running.run import Run

    check_workers(workers)
    if shard_size < 1:
        raise InputError("--shard-size: at least one record")
    names = tuple(load_convention(convention, overlay=configs).labels)
    taught = Taught.open(stage, fusion, names)
    check_examples(configs)
    options = ReadOptions(
        id_column=id_column,
        text_columns=tuple(text_column or ()),
        exam_column=exam_column,
        exam=tuple(exam or ()),
        any_language=any_language,
        status_column=status_column,
        time_column=time_column,
        preliminary=preliminary,
        encoding=known_encoding(encoding),
    )
    records = read_reports(reports, options)
    if reports.is_dir() and out.resolve().is_relative_to(reports.resolve()):
        raise InputError(f"{out}: lies inside the archive; choose another --out")
    config = {"convention": convention, "binary": binary, **asdict(options)}
    config["shard_size"] = shard_size
    config["fusion"] = taught.fusion if taught else "rules"
    plan = make_plan(reports, config, convention, configs, stage)
    work = LabelWork(
        out.resolve(),
        _absolute(convention),
        configs and configs.resolve(),
        binary,
        plan,
        taught,
    )
    parts = work.parts
    parts.refuse_in_the_way(reports.resolve())
    finished = not restart and is_finished(parts, plan)
    if not finished:
        inputs = {"reports": reports} | ({"configs": configs} if configs else {})
        recorded = config | ({"configs": configs.resolve()} if configs else {})
        if convention.endswith((".yaml", ".yml")):
            inputs["convention"] = Path(convention)
        if stage is not None:
            inputs["stage"] = stage
        with (
            Run("label", out, inputs, recorded, hashes={"reports": plan["archive"]}) as run,
            parts.taken(plan, restart=restart),
        ):
            shards, tally = label_archive(
                work,
                reports,
                records,
                shard_size=shard_size,
                workers=workers,
                scheduler=scheduler,
                quiet=quiet,
            )
            if csv:
                _write_csv(out)
            run.counts.update(read=tally.read, labelled=tally.labelled, facts=tally.facts)
            if taught:
                run.counts["overruled"] = tally.overruled
            run.rejected_in_parts = tally.rejected
            run.facts |= {"labels": list(names), "summary": tally.summary(), "shards": shards}
            run.facts |= {"tally": tally.as_json(), "plan": plan}
    parts.forget()
    if finished and csv:
        _write_csv(out)
    done = Labelled(out, names, Tally.from_json(read_json(out / "run.json")["tally"]), taught)
    if not quiet:
        done.show()
    if finished:
        messages.print(f"{out}: finished before, nothing to do", markup=False)
    done.tell_rejects()
    return done


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a run of `label` found; its tables stand in `out`."""

    out: Path
    labels: tuple[str, ...]
    tally: "Tally"
    taught: "Taught | None" = None

    @property
    def reports(self) -> int:
        """How many were labelled."""
        return self.tally.labelled

    def summary(self) -> dict[str, float]:
        """Present labels and facts per report (mean, standard deviation), and the blank share."""
        return self.tally.summary()

    def show(self) -> None:
        """Print the summary and each label's shares."""
        from rich.table import Table

        from pipelines.running.progress import results

        summary = self.summary()
        table = Table(title=f"{self.reports:,} reports", title_justify="left")
        table.add_column("label", no_wrap=True)
        for heading in ("present", "%", "absent %", "uncertain %", "blank %"):
            table.add_column(heading, justify="right")
        for name in self.labels:
            counts = self.tally.values[name]
            shares = [
                f"{100 * counts[value] / self.reports:.1f}"
                for value in ("present", "absent", "uncertain", "blank")
            ]
            table.add_row(name, f"{counts['present']:,}", *shares)
        results.print(table)
        results.print(
            f"labels present per report: {summary['present_labels_per_report']:.2f} "
            f"± {summary['present_labels_per_report_sd']:.2f} (mean ± standard deviation); "
            f"facts per report: {summary['facts_per_report']:.1f}; "
            f"blank: {100 * summary['blank_share']:.1f} % of labels"
        )
        if self.taught is not None and self.taught.fusion != "rules":
            cells = self.reports * len(self.labels)
            results.print(
                f"{self.tally.overruled:,} of {cells:,} labels are not as the rules have them"
            )
        results.print(f"written to {self.out}", markup=False)

    def tell_rejects(self) -> None:
        """Tell what was set aside, if anything."""
        from pipelines.labelling.advice import advice
        from pipelines.running.progress import messages

        if self.tally.rejected:
            messages.print(
                f"{self.tally.rejected:,} of {self.tally.read:,} records set aside "
                f"({self.tally.told_reasons()}); see {self.out / 'rejected.parquet'}",
                markup=False,
            )
            for line in advice(self.tally.ordered_reasons()):
                messages.print(f"  {line}", markup=False)


def _absolute(convention: str) -> str:
    """A convention's name, or its file's path as workers find it too."""
    is_file = convention.endswith((".yaml", ".yml"))
    return str(Path(convention).resolve()) if is_file else convention


def _write_csv(out: Path) -> None:
    from pipelines.labelled.tables import write_csv

    for name in ("labels", "facts"):
        write_csv(out / f"{name}.parquet", out / f"{name}.csv")
