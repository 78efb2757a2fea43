"""Make a synthetic archive on disk: scans, reports, and the truth apart from both."""

import csv
import io
from functools import partial
from pathlib import Path

from configs import files
from pipelines.running.progress import track
from pipelines.running.shards import map_records
from pipelines.synthetic import truth
from pipelines.synthetic.case import Case, DrawnCase
from pipelines.synthetic.hospital import plan


def make_archive(
    out: Path, studies: int, seed: int, *, quiet: bool = False, workers: int = 1
) -> list[Case]:
    """Make `studies` synthetic studies below `out`, and return their cases in order.

    Writes `scans/<patient>/<accession>/*.dcm`, `reports.csv` (AccessionNo, report_text) and
    `truth/truth.parquet`. The same seed gives the same files. Drawing is spread over
    `workers` processes.
    """
    cases = plan(studies, seed)
    drawn = list(
        track(
            map_records(partial(write_scan, scans=out / "scans"), cases, workers=workers),
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
