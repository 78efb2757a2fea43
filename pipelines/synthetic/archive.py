"""Make a synthetic archive on disk: scans, reports, and the truth apart from both."""

import csv
import io
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from configs import files
from pipelines.running.progress import track
from pipelines.synthetic import truth
from pipelines.synthetic.case import Case, DrawnCase
from pipelines.synthetic.hospital import plan

_STUDIES_PER_TASK = 4


def make_archive(
    out: Path, studies: int, seed: int, *, quiet: bool = False, workers: int | None = None
) -> list[Case]:
    """Make `studies` synthetic studies below `out`, and return their cases in order.

    Writes `scans/<patient>/<accession>/*.dcm`, `reports.csv` (AccessionNo, report_text) and
    `truth/truth.parquet`. The same seed gives the same files. Work is spread over `workers`
    processes (the machine's cores without it).
    """
    cases = plan(studies, seed)
    drawn = list(
        track(
            _drawn(cases, out / "scans", workers or os.cpu_count() or 1),
            "drawing synthetic scans",
            total=len(cases),
            quiet=quiet,
        )
    )
    files.write_table(out / "truth" / "truth.parquet", truth.table(drawn))
    files.write_text(out / "reports.csv", _reports(cases))
    return cases


def write_scan(case: Case, scans: Path) -> DrawnCase:
    """Draw one case and write it as a DICOM series below `scans`."""
    from pipelines.synthetic import chest, dicom_series

    hu, affine_lps, drawn = chest.draw(case)
    dicom_series.write(case, hu, affine_lps, scans / case.patient.patient_id / case.accession)
    return DrawnCase(case, drawn)


def _drawn(cases: list[Case], scans: Path, workers: int) -> Iterator[DrawnCase]:
    work = partial(write_scan, scans=scans)
    if workers == 1 or len(cases) <= _STUDIES_PER_TASK:
        yield from map(work, cases)
        return
    # Fresh processes: a forked one may inherit the locks of libraries that run threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(work, cases, chunksize=_STUDIES_PER_TASK)


def _reports(cases: list[Case]) -> str:
    from pipelines.synthetic.reporting import write_report

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["AccessionNo", "report_text"])
    before: Case | None = None
    for case in cases:
        prior = before if before and before.patient == case.patient else None
        writer.writerow([case.accession, write_report(case, prior)])
        before = case
    return text.getvalue()
