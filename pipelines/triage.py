"""`chestct triage`: scans in, a worklist in the order in which to read them out."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError, Stage
from configs.triage_policy import load_triage_policy
from pipelines.running.progress import messages, results, track
from pipelines.running.run import Run
from pipelines.triaging.id_map import check_id_map
from pipelines.triaging.signals import EndingSignals
from pipelines.triaging.worklist import Network, Standing, Worklist

if TYPE_CHECKING:
    from model.bundle import Bundle
    from pipelines.triaging.arrivals import Arrivals
    from pipelines.triaging.board import Board, Settings
    from pipelines.triaging.readers import Readers

_MOST_PRINTED = 6  # of each standing
_MOST_FLAGS = 2
_REWRITE_SECONDS = 20.0
_PAGE_REFRESH_SECONDS = 30


def triage(
    scans: Path,
    *,
    model: Path,
    out: Path,
    policy: str = "default",
    reports: bool = False,
    identified: bool = False,
    id_map: Path | None = None,
    watch: bool = False,
    every: float = 5.0,
    settle: float = 15.0,
    workers: int = 1,
    quiet: bool = False,
) -> Worklist:
    """Read many scans with one bundle, and list them most urgent first.

    Research use only: do not delay or omit a read on it. What the bundle cannot see stands in the
    list's first line; what could not be read stands on top, with the reason. Writes worklist.csv,
    worklist.json, worklist.html, scans/ (a record a scan), rejected.parquet and run.json. Running
    again reads only what is new or changed.

    Parameters
    ----------
    scans
        A folder of DICOM series and volume files in any order and depth, or a store of
        `chestct prepare`.
    model
        A bundle's folder.
    out
        Folder for the worklist.
    policy
        Weights of findings, sensitivity and maximum wait: default, or a .yaml file.
    reports
        Write a page for each scan too (pages/), which the list opens.
    identified
        Show patient id, accession, date and UIDs; without it UIDs are hashed.
    id_map
        A file outside OUT to keep which scan each row is: the list's hashes beside UIDs, patient
        id, accession and path (CSV by its ending, which sets an apostrophe before what a
        spreadsheet would take for a formula; else Parquet, which is exact; mode 0600). Nothing of
        the kind is kept unless this is given.
    watch
        Go on looking for new scans until Ctrl-C or SIGTERM.
    every
        With --watch: seconds between two looks.
    settle
        With --watch: a scan is read when none of its files has changed for so many seconds.
    workers
        Processes that read scans, each with the model loaded once.
    quiet
        Print nothing.
    """
    if workers < 1 or every <= 0 or settle < 0:
        raise InputError("--workers and --every are above 0, --settle is not below 0")
    if id_map:
        check_id_map(id_map, out)
    chosen = load_triage_policy(policy)
    config = {"policy": chosen.model_dump(mode="json"), "identified": identified, "watch": watch}
    inputs = {"scans": scans, "model": model}
    with (
        EndingSignals(taken=watch) as signals,
        Run("triage", out, inputs, config, anonymous=not identified) as run,
    ):
        from model import bundle as bundles
        from pipelines.triaging.arrivals import Arrivals
        from pipelines.triaging.board import Board, Settings
        from pipelines.triaging.coverage import cover

        bundle = bundles.load(model)
        coverage = cover(chosen, bundle.labels, bundle.calibrations)
        network = _network(bundle, model)
        settings = Settings(model.resolve(), network, chosen, coverage, identified, reports)
        if (scans / "store.json").exists():
            _refuse_for_store(identified, reports, watch, id_map)
            worklist = _triage_store(scans, bundle, settings, out, quiet)
        else:
            del bundle  # each reader has its own
            refresh = _PAGE_REFRESH_SECONDS if watch else None
            board = Board(out, settings, scans, refresh, id_map)
            arrivals = Arrivals(scans, settle if watch else 0.0)
            if watch:
                _watch(arrivals, board, workers, every, quiet, signals)
            else:
                _once(arrivals, board, workers, quiet)
            worklist = board.write()
            run.counts["kept"] = board.kept
            run.facts["left_out"] = dict(arrivals.left_out)
        for row in worklist.having(Standing.NOT_READ):
            for reason in row.reasons:
                run.reject(row.scan.series or "scan", Stage.READ, reason.code, reason.meaning)
        run.counts["scans"] = len(worklist.rows)
        run.counts["read"] = len(worklist.having(Standing.RANKED))
        run.counts["flagged"] = sum(bool(row.flags) for row in worklist.rows)
    if not quiet:
        _print(worklist, out, _way_back(scans, id_map))
    if not watch and not worklist.having(Standing.RANKED):
        raise InputError(f"{scans}: no scan could be read (see {out / 'worklist.html'})")
    return worklist


def _network(bundle: "Bundle", path: Path) -> Network:
    from configs import files
    from pipelines.rendering.content import TrainingData

    return Network(
        id=files.sha256_of(path / "bundle.json")[:12],
        profile=bundle.profile.name,
        training_data=TrainingData(bundle.card.training_data),
        labels=len(bundle.labels),
    )


def _once(arrivals: "Arrivals", board: "Board", workers: int, quiet: bool) -> None:
    """Read all that is there; interrupted, the list so far is written."""
    from model.volumes.find import listing
    from pipelines.triaging.readers import Readers

    found = arrivals.look()
    if not found:
        others = ", ".join(listing(arrivals.left_out)) or "nothing"
        raise InputError(f"{arrivals.root}: no CT images below; found {others}")
    board.show(found)
    board.write()
    tasks = board.missing(frozenset())
    with Readers(workers) as readers:
        written = time.monotonic()
        try:
            for record in track(readers.read(tasks), "reading", total=len(tasks), quiet=quiet):
                board.take(record)
                if time.monotonic() - written > _REWRITE_SECONDS:
                    board.write()
                    written = time.monotonic()
        except KeyboardInterrupt:
            board.write()
            raise


def _watch(
    arrivals: "Arrivals",
    board: "Board",
    workers: int,
    every: float,
    quiet: bool,
    signals: EndingSignals,
) -> None:
    """Look and read until a signal ends it cleanly: what is under way is read next time."""
    from pipelines.triaging.readers import Readers

    if not quiet:
        messages.print(f"watching {arrivals.root}; Ctrl-C ends it", markup=False)
    if signals.came:
        board.show(arrivals.look())
        return
    with signals.interrupting(), Readers(workers) as readers:
        while True:
            _look_and_read(arrivals, board, readers, every)


def _look_and_read(arrivals: "Arrivals", board: "Board", readers: "Readers", every: float) -> None:
    """One look, and reading for about `every` seconds."""
    started = time.monotonic()
    board.show(arrivals.look())
    board.write()
    for record in readers.read(board.missing(readers.under_way), patience=every):
        board.take(record)
        if time.monotonic() - started > every:
            break
    time.sleep(max(0.0, every - (time.monotonic() - started)))


def _refuse_for_store(identified: bool, reports: bool, watch: bool, id_map: Path | None) -> None:
    for wanted, option, why in (
        (identified, "--identified", "a store holds pseudonyms only"),
        (id_map, "--id-map", "the way back from a store's pseudonyms is `prepare --id-map`"),
        (reports, "--reports", "a store holds no whole scans; name the DICOM folder"),
        (watch, "--watch", "a store is made at once; name the folder that fills"),
    ):
        if wanted:
            raise InputError(f"{option}: {why}")


def _triage_store(
    path: Path, bundle: "Bundle", settings: "Settings", out: Path, quiet: bool
) -> Worklist:
    from model.volumes.store import Store
    from pipelines.triaging.board import make, write_forms
    from pipelines.triaging.from_store import read_store

    store = Store.open(path)
    dealt = track(read_store(store, bundle), "reading", total=len(store), quiet=quiet)
    worklist = make(dealt, settings)
    write_forms(worklist, out)
    return worklist


def _way_back(scans: Path, id_map: Path | None) -> str:
    """How to find the scan of a row that does not name it."""
    if id_map:
        return f"Rows are named by hashes; {id_map} says which scan each is, and whose: guard it"
    if (scans / "store.json").exists():
        return "Rows are named by the store's pseudonyms; `prepare --id-map` keeps the way back"
    return (
        "Rows are named by hashes: run again with --id-map FILE to know which scan each is "
        "(nothing is read again), or with --identified"
    )


def _print(worklist: Worklist, out: Path, way_back: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipelines.triaging import wording

    results.print(worklist.cannot_see, markup=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("rank", "scan", "priority", "waiting", "flags"):
        left = heading in ("scan", "flags")
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading == "scan")
    for standing in Standing:
        rows = worklist.having(standing)
        called = "" if standing is Standing.RANKED else f"{wording.STANDINGS[standing]}, "
        for row in rows[:_MOST_PRINTED]:
            points = "" if row.priority is None else f"{row.priority:.0f}"
            said = f"{called}{wording.said(row, _MOST_FLAGS)}"
            name = escape(row.scan.accession or row.scan.series)
            table.add_row(str(row.rank), name, points, wording.waited(row), escape(said))
        if len(rows) > _MOST_PRINTED:
            table.add_row(
                "", "", "", "", f"{called}{len(rows) - _MOST_PRINTED} more in worklist.html"
            )
    results.print(table)
    results.print(wording.notices(worklist)[2], markup=False)
    results.print(wording.summary(worklist), markup=False)
    if not worklist.identified:
        results.print(way_back, markup=False)
    results.print(worklist.intended_use)
    results.print(str(out / "worklist.html"), markup=False)
