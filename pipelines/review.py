"""`chestct review`: sentences and reports for people to judge, and their answers back in."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError

if TYPE_CHECKING:
    from configs.convention import Binary
    from pipelines.labelled.archive import LabelledArchive
    from pipelines.reviewing.applying import Applied
    from pipelines.reviewing.asking import Worksheet
    from pipelines.reviewing.audit import Audit
    from pipelines.running.run import Run

MAX_REPORTS = 20_000
SENTENCES = 200


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What `review` wrote."""

    out: Path
    items: int
    """Sentences or reports asked, or judged."""
    audit: "Audit | None" = None
    to_adjudicate: int = 0
    """Reports on which two readers differ, and nobody has decided."""


def review(
    source: Path,
    *,
    out: Path,
    apply: list[Path] | None = None,
    audit: int | None = None,
    stage: Path | None = None,
    gold: Path | None = None,
    gold_id_column: str | None = None,
    sentences: int = SENTENCES,
    max_reports: int = MAX_REPORTS,
    seed: int = 0,
    restart: bool = False,
    quiet: bool = False,
) -> Reviewed:
    """Let people judge an archive's labels, and read their answers.

    Without --apply it writes pages to open in a browser: the sentences most in doubt, each once;
    or, with --audit, whole reports drawn at random for two readers who see no label. With --apply
    it reads what the pages saved: sentences become gold for `score` and `teach`, audited reports
    tell the precision and recall of the archive's labels. docs/review.md leads through both.

    Parameters
    ----------
    source
        The output folder of `chestct label`; with --apply the folder that `review` wrote.
    out
        The folder to write.
    apply
        A file that a page saved (JSON or CSV) or a JSON export of Label Studio; repeat it for
        several.
    audit
        Draw so many reports, stratified by label, for two readers.
    stage
        A neural stage (`chestct teach`): sentences on which it and the rules differ come first.
    gold
        CSV or Parquet of judged reports: sentences that may explain where the rules are wrong come
        first.
    gold_id_column
        The gold's identifier column, if it has not one of the usual names.
    sentences
        How many sentences to ask.
    max_reports
        Look for them in so many reports, drawn at random.
    seed
        Seed of all that is drawn.
    restart
        Replace other sheets in OUT; decisions that people made on them can then not be read.
    quiet
        No progress bar and no summary.
    """
    if min(sentences, max_reports, 1 if audit is None else audit) < 1:
        raise InputError("--sentences, --max-reports and --audit: at least 1")
    if (apply or audit is not None) and (stage or gold):
        raise InputError("--stage and --gold choose sentences: not with --audit or --apply")
    if apply:
        if audit is not None:
            raise InputError("--audit draws reports, --apply reads decisions: one at a time")
        return _apply(source, apply, out, seed=seed, quiet=quiet)
    return _ask(
        source,
        out,
        audit=audit,
        stage=stage,
        gold=gold,
        gold_id_column=gold_id_column,
        sentences=sentences,
        max_reports=max_reports,
        seed=seed,
        restart=restart,
        quiet=quiet,
    )


def _ask(
    source: Path,
    out: Path,
    *,
    audit: int | None,
    stage: Path | None,
    gold: Path | None,
    gold_id_column: str | None,
    sentences: int,
    max_reports: int,
    seed: int,
    restart: bool,
    quiet: bool,
) -> Reviewed:
    from configs.convention import load_convention
    from labeler import load_labeler
    from labeler.neural import Fusion, load
    from pipelines.labelled.archive import LabelledArchive
    from pipelines.labelled.gold import read_gold
    from pipelines.reviewing import asking
    from pipelines.reviewing.made import refuse_other
    from pipelines.running.run import Run

    archive = LabelledArchive.open(source)
    convention = load_convention(archive.convention, overlay=archive.configs)
    binary = convention.binary
    inputs = {"labels": source, "reports": archive.reports, "stage": stage, "gold": gold}
    config = {
        "convention": archive.convention,
        "audit": audit,
        "sentences": sentences,
        "max_reports": max_reports,
        "seed": seed,
    }
    given = {name: path for name, path in inputs.items() if path is not None}
    run = Run("review", out, given, config, restart=restart)
    with run.alone():
        if audit is not None:
            made = asking.audit_worksheet(
                archive, tuple(convention.labels), binary, count=audit, seed=seed, quiet=quiet
            )
        else:
            labeler = load_labeler(archive.convention, archive.configs)
            taught = load(stage) if stage else None
            if taught:
                taught.check(labeler, Fusion.NEURAL)
            known = read_gold(gold, labeler, gold_id_column) if gold else {}
            made = asking.sentence_worksheet(
                archive,
                labeler,
                taught,
                known,
                most=sentences,
                max_reports=max_reports,
                seed=seed,
                quiet=quiet,
            )
        if not restart:
            refuse_other(out, made.sheets[0].worksheet)
        with run:
            _write_sheets(run, made, archive, binary)
    if not quiet:
        _tell_sheets(out, made)
    return Reviewed(out, made.table.num_rows)


def _write_sheets(
    run: "Run", made: "Worksheet", archive: "LabelledArchive", binary: "Binary"
) -> None:
    from configs.files import write_json, write_table, write_text
    from pipelines.reviewing import label_studio
    from pipelines.reviewing.made import ITEMS, SHEETS
    from pipelines.reviewing.sheet import Kind

    first = made.sheets[0]
    for name in SHEETS:  # an earlier worksheet's: nobody is to go on with them
        (run.out / name).unlink(missing_ok=True)
    for sheet in made.sheets:
        write_text(run.out / f"{sheet.name}.html", sheet.page())
    if first.kind is Kind.SENTENCES:
        write_json(run.out / "label_studio.json", label_studio.tasks(first))
        write_text(run.out / "label_studio.xml", label_studio.interface(tuple(first.labels)))
    write_table(run.out / ITEMS, made.table)
    run.counts.update(made.counts)
    run.facts["worksheet"] = {
        "kind": first.kind.value,
        "hash": first.worksheet,
        "labels": list(first.labels),
        "binary": binary.model_dump(),
        "archive": dict(made.archive),
        "archive_reports": archive.labelled,
    }


def _tell_sheets(out: Path, made: "Worksheet") -> None:
    from pipelines.running.progress import results

    counts = ", ".join(f"{value:,} {name}" for name, value in made.counts.items())
    results.print(counts, markup=False)
    if not made.table.num_rows:
        results.print("nothing to ask: no sentence is in doubt", markup=False)
        return
    for sheet in made.sheets:
        results.print(f"open {out / sheet.name}.html in a browser", markup=False)


def _apply(source: Path, paths: list[Path], out: Path, *, seed: int, quiet: bool) -> Reviewed:
    from pipelines.reviewing.applying import apply_audit, apply_sentences
    from pipelines.reviewing.made import MadeWorksheet
    from pipelines.reviewing.sheet import Kind
    from pipelines.running.run import Run

    if out.resolve() == source.resolve():
        raise InputError(f"{out}: holds the sheets; choose another --out")
    made = MadeWorksheet.open(source)
    files = made.read(paths)
    inputs = {"sheets": source} | {f"decisions-{n}": path for n, path in enumerate(paths, 1)}
    with Run("review", out, inputs, {"seed": seed}) as run:
        if made.kind is Kind.SENTENCES:
            done = apply_sentences(run, made, files)
        else:
            done = apply_audit(run, made, files, seed)
    if not quiet:
        _tell_answers(out, done)
    return Reviewed(out, done.items, done.audit, done.to_adjudicate)


def _tell_answers(out: Path, done: "Applied") -> None:
    from pipelines.reviewing.audit_table import as_table
    from pipelines.running.progress import messages, results

    if done.audit is not None:
        results.print(as_table(done.audit))
    if done.to_adjudicate:
        messages.print(
            f"{done.to_adjudicate:,} reports on which the readers differ do not count fully yet: "
            f"settle them in {out / 'adjudication.html'}, and give its file too",
            markup=False,
        )
    results.print(f"{done.items:,} judged; written to {out}", markup=False)
