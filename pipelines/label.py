"""`chestct label`: a report archive in, labels and the facts behind them out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from configs.contracts import InputError

if TYPE_CHECKING:
    from pipelines.labelling.tally import Tally
    from pipelines.labelling.taught import Taught
    from pipelines.reports_in.options import ReadNotes

SHARD_SIZE = 2_500
_FEW_FACTS = 0.5  # a report; the barest of real ones hold several


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
    time_format: str | None = None,
    status: list[str] | None = None,
    preliminary: bool = False,
    encoding: str | None = None,
    max_rejected: float | None = None,
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
        The column with each message's time: ISO 8601, as in HL7, or as --time-format says.
    time_format
        How the times are written, in the words of Python's `strptime`: `%d.%m.%Y %H:%M`.
    status
        What a status of your archive means, `signed off=final`: preliminary, final, corrected,
        addendum or withdrawn; repeat it for several.
    preliminary
        Read reports of which there is only a preliminary version.
    encoding
        The encoding of text, CSV and JSON that begin with no byte order mark, and of HL7 messages
        that declare none, such as `windows-1252`; by default UTF-8. It is never guessed.
    max_rejected
        Fail (exit code 2, all written all the same) when more than this share of the records cannot
        be read, 0 to 1. Repeats, superseded versions and other examinations do not count.
    csv
        Write `labels.csv`, `facts.csv` and `rejected.csv` as well, safe to open in a spreadsheet.
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
    from pipelines.reports_in.options import ReadNotes, ReadOptions
    from pipelines.reports_in.text_file import known_encoding
    from pipelines.running.cluster import check_workers
    from pipelines.running.progress import messages
    from pipelines.running.run import Run

    check_workers(workers)
    _check_numbers(shard_size, max_rejected)
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
        time_format=time_format,
        status=tuple(status or ()),
        preliminary=preliminary,
        encoding=known_encoding(encoding),
    )
    notes = ReadNotes()
    records = read_reports(reports, options, notes)
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
            run.facts |= {"tally": tally.as_json(), "plan": plan, **notes.as_json()}
    parts.forget()
    if finished and csv:
        _write_csv(out)
    record = read_json(out / "run.json")
    notes = ReadNotes(Counter(record.get("left_out")), Counter(record.get("unread_times")))
    done = Labelled(out, names, Tally.from_json(record["tally"]), notes, taught)
    if not quiet:
        done.show()
    if finished:
        messages.print(f"{out}: finished before, nothing to do", markup=False)
    done.tell_rejects()
    done.refuse_more_than(max_rejected)
    return done


def _check_numbers(shard_size: int, max_rejected: float | None) -> None:
    if shard_size < 1:
        raise InputError("--shard-size: at least one record")
    if max_rejected is not None and not 0 <= max_rejected <= 1:
        raise InputError(f"--max-rejected {max_rejected}: a share from 0 to 1")


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a run of `label` found; its tables stand in `out`."""

    out: Path
    labels: tuple[str, ...]
    tally: "Tally"
    notes: "ReadNotes"
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

    @property
    def lost_share(self) -> float:
        """The share of records that should have been read and could not be."""
        from pipelines.labelling.advice import lost

        return sum(lost(self.tally.reasons).values()) / max(1, self.tally.read)

    def refuse_more_than(self, share: float | None) -> None:
        """Raise InputError where more records than that were lost."""
        if share is not None and self.lost_share > share:
            raise InputError(
                f"{self.out}: {self.lost_share:.1%} of the records could not be read, more than "
                f"--max-rejected {share:g}; what could be read is labelled"
            )

    def tell_rejects(self) -> None:
        """Tell what was set aside, left out or not understood, if anything; the worst is last."""
        from pipelines.running.progress import messages

        for line in self._remarks():
            messages.print(line, markup=False, soft_wrap=True)

    def _remarks(self) -> Iterator[str]:
        from pipelines.labelling.advice import advice, lost

        tally = self.tally
        if self.notes.left_out:
            found = ", ".join(f"{n:,} {ending}" for ending, n in self.notes.left_out.most_common())
            yield f"left out, for they are no reports of this kind: {found}"
        if tally.rejected:
            table = self.out / "rejected.parquet"
            yield (
                f"{tally.rejected:,} of {tally.read:,} records set aside "
                f"({tally.told_reasons()}); see {table}"
            )
            yield from (f"  {line}" for line in advice(tally.ordered_reasons()))
        if times := self.notes.unread_times.total():
            shape = self.notes.unread_times.most_common(1)[0][0]
            yield (
                f"warning: {times:,} times, most like {shape}, are not understood; "
                "--time-format says how they are written, such as %d.%m.%Y %H:%M"
            )
        if tally.facts < _FEW_FACTS * tally.labelled:
            yield (
                f"warning: {tally.facts:,} facts in {tally.labelled:,} reports: is the text in "
                "another column? --text-column and --id-column name them"
            )
        if self.lost_share:
            reasons = ", ".join(lost(tally.ordered_reasons()))
            yield (
                f"warning: {self.lost_share:.1%} of the records could not be read ({reasons}); "
                "--max-rejected SHARE makes that an error"
            )


def _absolute(convention: str) -> str:
    """A convention's name, or its file's path as workers find it too."""
    is_file = convention.endswith((".yaml", ".yml"))
    return str(Path(convention).resolve()) if is_file else convention


def _write_csv(out: Path) -> None:
    from pipelines.labelled.tables import write_csv

    for name in ("labels", "facts", "rejected"):
        write_csv(out / f"{name}.parquet", out / f"{name}.csv")
