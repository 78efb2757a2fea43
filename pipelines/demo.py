"""`chestct demo`: the whole chain on a synthetic hospital, through the same verbs as real data."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import SYNTHETIC_NOTICE, Estimate, InputError, Split

if TYPE_CHECKING:
    import pandas as pd

    from labeler.scoring import Score
    from model.metrics import Metrics
    from pipelines.synthetic.case import Case

_MARKER = "SYNTHETIC.txt"
_BYTES_PER_STUDY = 7_000_000  # DICOM, prepared volume and the rest, with room to spare


@dataclass(frozen=True, slots=True)
class Scale:
    """How much the demo makes and learns."""

    studies: int
    recipe: str
    validation: float
    test: float


FULL = Scale(studies=420, recipe="demo", validation=0.15, test=0.22)
QUICK = Scale(studies=40, recipe="quick", validation=0.25, test=0.3)


def demo(
    *,
    out: Path = Path("out/demo"),
    studies: int | None = None,
    seed: int = 0,
    quick: bool = False,
    quiet: bool = False,
) -> Path:
    """Make a synthetic archive and run every verb over it: label, prepare, train, evaluate, report.

    Minutes on two CPU cores, 2.5 GB of disk. The scans are drawn and the reports written by a
    grammar; what was drawn is kept apart as the truth, to see what labels and network are worth.

    Parameters
    ----------
    out
        Folder for everything; an earlier demo there is replaced.
    studies
        Number of studies; default 420, with --quick 40.
    seed
        Another seed makes another hospital.
    quick
        A small archive and a few epochs, to see that everything runs; its figures mean nothing.
    quiet
        Print nothing but the closing table.
    """
    scale = QUICK if quick else FULL
    count = scale.studies if studies is None else studies
    if count < 20:
        raise InputError(f"--studies {count}: at least 20, or the splits stay empty")
    _claim(out)
    _check_space(out, count)

    from pipelines.running.run import Run

    stages = _Stages(quiet=quiet)
    with Run("demo", out, {}, {"studies": count, "seed": seed, "quick": quick}) as run:
        with stages.timed("draw scans, write reports"):
            cases = _make_hospital(out, count, seed, quiet=quiet)
        score = _label(out, stages, quiet=quiet)
        metrics = _learn(out, scale, seed, stages, quiet=quiet)
        with stages.timed("report one scan"):
            page = _report(out, cases, quiet=quiet)
        _mark(out)
        run.facts["stage_seconds"] = {name: round(s, 1) for name, s in stages.seconds.items()}
        run.facts["synthetic"] = SYNTHETIC_NOTICE
    _print_table(stages, score, metrics, page, quick=quick)
    return page


def _claim(out: Path) -> None:
    """Take the folder: empty, absent, or an earlier demo's, which is removed."""
    if out.is_dir() and any(out.iterdir()):
        if not (out / _MARKER).exists():
            raise InputError(f"{out}: holds files that are no demo's; choose another --out")
        for old in out.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    elif out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out names a folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).write_text(SYNTHETIC_NOTICE + "\n", encoding="utf-8")


def _mark(out: Path) -> None:
    """Say so in every folder: folders are copied, and then stand alone."""
    for folder in (path for path in out.iterdir() if path.is_dir()):
        (folder / _MARKER).write_text(SYNTHETIC_NOTICE + "\n", encoding="utf-8")


def _check_space(out: Path, studies: int) -> None:
    needed, free = studies * _BYTES_PER_STUDY, shutil.disk_usage(out).free
    if free < needed:
        raise InputError(
            f"{out}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "choose another --out or fewer --studies"
        )


def _make_hospital(out: Path, studies: int, seed: int, *, quiet: bool) -> "list[Case]":
    import pyarrow as pa

    from configs import files, tables
    from pipelines.running.shards import usable_cores
    from pipelines.synthetic.archive import make_archive
    from pipelines.synthetic.truth import ct_rate_labels

    cases = make_archive(out, studies, seed, quiet=quiet, workers=usable_cores())
    drawn = ct_rate_labels(cases)
    schema = tables.labels_schema(drawn.columns[1:])
    files.write_table(
        out / "truth" / "labels.parquet",
        pa.Table.from_pandas(drawn, schema=schema, preserve_index=False),
    )
    # A key that follows from the seed makes pseudonyms and splits repeatable; nobody is hidden.
    key = hashlib.sha256(f"synthetic hospital {seed}".encode()).hexdigest()
    files.write_text(out / "store" / "id.key", key + "\n")
    return cases


def _label(out: Path, stages: "_Stages", *, quiet: bool) -> "Score":
    from pipelines.label import label
    from pipelines.score import score

    with stages.timed("label reports"):
        label(out / "reports.csv", out=out / "labels", quiet=quiet)
    with stages.timed("score labels"):
        return score(out / "labels", out / "truth" / "labels.parquet", quiet=quiet).as_is


def _learn(
    out: Path, scale: Scale, seed: int, stages: "_Stages", *, quiet: bool
) -> "dict[str, Metrics]":
    from configs.training import RECIPES
    from pipelines.cohort import cohort
    from pipelines.evaluate import evaluate
    from pipelines.prepare import prepare
    from pipelines.train import train

    with stages.timed("prepare volumes"):
        prepare(out / "scans", out=out / "store", quiet=quiet)
    with stages.timed("join and split"):
        cohort(
            out / "labels",
            out / "store",
            out=out / "cohort",
            validation=scale.validation,
            test=scale.test,
            seed=seed,
            quiet=quiet,
        )
    with stages.timed("train"):
        train(
            config=RECIPES / f"{scale.recipe}.yaml",
            labels=out / "labels",
            store=out / "store",
            cohort=out / "cohort",
            out=out / "bundle",
            quiet=quiet,
        )
    with stages.timed("evaluate"):
        return evaluate(
            out / "bundle",
            out=out / "evaluation",
            cohort=out / "cohort",
            store=out / "store",
            labels=out / "labels",
            truth=out / "truth" / "labels.parquet",
            quiet=quiet,
        )


def _report(out: Path, cases: "list[Case]", *, quiet: bool) -> Path:
    """Report the test scan with the most findings: it shows the most."""
    from pipelines.report import report

    tested = _tested(out)
    case = max((c for c in cases if c.accession in tested), key=lambda c: len(c.findings))
    scan = out / "scans" / case.patient.patient_id / case.accession
    report(scan, model=out / "bundle", out=out / "report", quiet=quiet)
    return out / "report" / "report.html"


def _tested(out: Path) -> set[str]:
    from configs import files

    cohort: pd.DataFrame = files.read_table(out / "cohort" / "cohort.parquet").to_pandas()
    return set(cohort.loc[cohort["split"] == Split.TEST, "report_id"])


class _Stages:
    """Names the stage that runs and remembers how long each took."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        from pipelines.running.progress import messages

        if not self.quiet:
            messages.rule(f"{name} (synthetic)", align="left")
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began


def _print_table(
    stages: _Stages,
    score: "Score",
    metrics: "dict[str, Metrics]",
    page: Path,
    *,
    quick: bool,
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from pipelines.running.progress import results

    table = Table(title=f"chestct demo · {SYNTHETIC_NOTICE}", box=SIMPLE_HEAD, title_justify="left")
    table.add_column("what")
    table.add_column("measure")
    table.add_column("value (95 % interval)", justify="right")
    read = "labels read from reports, against truth"
    table.add_row(read, "macro precision", _interval(score.macro.precision))
    table.add_row(read, "macro recall", _interval(score.macro.recall))
    table.add_row(read, "macro F1", _interval(score.macro.f1))
    for reference, against in (("truth", "truth"), ("labels", "labels read from reports")):
        what = f"network on test patients, against {against}"
        table.add_row(what, "macro AUROC", _interval(metrics[reference].macro["auroc"]))
    table.add_section()
    for name, seconds in stages.seconds.items():
        table.add_row(name, "seconds", f"{seconds:.1f}")
    table.add_row("all", "seconds", f"{sum(stages.seconds.values()):.1f}", style="bold")
    results.print(table)
    if quick:
        results.print("Quick run: these figures only show that everything runs.")
    results.print(f"Report of one synthetic test scan: {page}")


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
