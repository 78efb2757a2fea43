"""`chestct label`: a report archive in, labels and the facts behind them out."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError, LabelValue

if TYPE_CHECKING:
    from labeler import ReportLabels
    from pipelines.running.run import Run

_VALUES = (LabelValue.PRESENT, LabelValue.ABSENT, LabelValue.UNCERTAIN, None)


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
    csv: bool = False,
    quiet: bool = False,
) -> "Labelled":
    """Read labels out of reports: `labels.parquet` and `facts.parquet` in OUT.

    A label is 1 (present), 0 (absent), -1 (uncertain) or blank (not mentioned). Records that
    cannot be read are listed in `rejected.parquet` with their reason; `run.json` counts them.

    Parameters
    ----------
    reports
        CSV or TSV (also .gz or .zst), JSON lines, Parquet (file or folder), or a folder of .txt.
    out
        The folder to write.
    convention
        How facts become labels: `ct_rate` or another name, or a .yaml file.
    binary
        Write 0 and 1 only; uncertain and blank become what the convention says.
    id_column
        The column with the report's identifier, if it has not one of the usual names.
    text_column
        The column with the text; repeat it for a text in several columns, which are then joined
        under their names ("IMPRESSION: ...").
    exam_column
        The column that names the examination by words or code; HL7 and DICOM SR name it themselves.
    exam
        Words or a code of the examinations to keep ("ct chest", "thora*", "71260"); repeat it for
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
    csv
        Write `labels.csv` and `facts.csv` as well, safe to open in a spreadsheet.
    quiet
        No progress bar and no summary; rejected records are told all the same.
    """
    from labeler import load_labeler
    from pipelines.labelled.tables import open_label_tables
    from pipelines.reports_in.archive import read_reports
    from pipelines.reports_in.options import ReadOptions
    from pipelines.reports_in.rows import Report
    from pipelines.running.progress import track
    from pipelines.running.run import Run

    labeler = load_labeler(convention)
    options = ReadOptions(
        id_column=id_column,
        text_columns=tuple(text_column or ()),
        exam_column=exam_column,
        exam=tuple(exam or ()),
        any_language=any_language,
        status_column=status_column,
        time_column=time_column,
        preliminary=preliminary,
    )
    records = read_reports(reports, options)
    inputs = {"reports": reports}
    if convention.endswith((".yaml", ".yml")):
        inputs["convention"] = Path(convention)
    config = {"convention": convention, "binary": binary, **asdict(options)}
    done = Labelled(out, labeler.label_names)
    with Run("label", out, inputs, config) as run:
        with open_label_tables(out, labeler.label_names, as_csv=csv) as tables:
            for record in track(records, "labelling", quiet=quiet):
                run.counts["read"] += 1
                if not isinstance(record, Report):
                    run.rejected.append(record)
                    continue
                read = labeler.label(record.text)
                labels = labeler.binary(read.labels) if binary else read.labels
                tables.add(record.id, dict(labels), read.facts)
                done.count(labels, read)
            _settle(run, done, reports)
        run.facts |= {"labels": list(labeler.label_names), "summary": done.summary()}
    if not quiet:
        done.show()
    _tell_rejects(run)
    return done


@dataclass(slots=True)
class Labelled:
    """What a run of `label` found; its tables stand in `out`."""

    out: Path
    labels: tuple[str, ...]
    reports: int = 0
    facts: int = 0
    contradicted: int = 0
    values: dict[str, Counter[int | None]] = field(default_factory=dict)
    positives: Counter[int] = field(default_factory=Counter)
    """Number of reports by how many labels they have present."""

    def count(self, labels: "dict[str, int] | dict[str, int | None]", read: "ReportLabels") -> None:
        """Take one report into the counts."""
        self.reports += 1
        self.facts += len(read.facts)
        self.contradicted += bool(read.contradictions)
        self.positives[sum(value == LabelValue.PRESENT for value in labels.values())] += 1
        for name, value in labels.items():
            self.values.setdefault(name, Counter())[value] += 1

    def summary(self) -> dict[str, float]:
        """Present labels and facts per report (mean, standard deviation), and the blank share."""
        total = sum(number * count for number, count in self.positives.items())
        mean = total / self.reports
        squares = sum((number - mean) ** 2 * count for number, count in self.positives.items())
        blanks = sum(counts[None] for counts in self.values.values())
        return {
            "present_labels_per_report": round(mean, 4),
            "present_labels_per_report_sd": round((squares / self.reports) ** 0.5, 4),
            "facts_per_report": round(self.facts / self.reports, 4),
            "blank_share": round(blanks / (self.reports * len(self.labels)), 4),
            "reports_contradicting_themselves": self.contradicted,
        }

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
            shares = [f"{100 * self.values[name][value] / self.reports:.1f}" for value in _VALUES]
            table.add_row(name, f"{self.values[name][LabelValue.PRESENT]:,}", *shares)
        results.print(table)
        results.print(
            f"labels present per report: {summary['present_labels_per_report']:.2f} "
            f"± {summary['present_labels_per_report_sd']:.2f} (mean ± standard deviation); "
            f"facts per report: {summary['facts_per_report']:.1f}; "
            f"blank: {100 * summary['blank_share']:.1f} % of labels"
        )
        results.print(f"written to {self.out}", markup=False)


def _tell_rejects(run: "Run") -> None:
    from pipelines.running.progress import messages

    if run.rejected:
        messages.print(
            f"{len(run.rejected):,} of {run.counts['read']:,} records set aside "
            f"({_reasons(run)}); see {run.out / 'rejected.parquet'}",
            markup=False,
        )


def _settle(run: "Run", done: Labelled, reports: Path) -> None:
    """Prove that every record is accounted for, and refuse a run that labelled nothing."""
    run.counts["labelled"] = done.reports
    run.counts["facts"] = done.facts
    if run.counts["read"] != done.reports + len(run.rejected):
        raise RuntimeError(f"{run.counts['read']} records read, but not all accounted for")
    if done.reports == 0 and run.rejected:
        first = run.rejected[0].detail
        raise InputError(
            f"{reports}: all {len(run.rejected)} records were rejected ({_reasons(run)}); "
            f"the first: {first}"
        )
    if done.reports == 0:
        raise InputError(f"{reports}: no reports, only a header")


def _reasons(run: "Run") -> str:
    counts: Counter[str] = Counter(record.reason for record in run.rejected)
    return ", ".join(f"{reason} {number:,}" for reason, number in counts.most_common())
