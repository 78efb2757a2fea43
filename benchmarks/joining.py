"""`chestct cohort` on an archive of many reports: seconds and memory, each run in its own process.

    python benchmarks/joining.py [--scans 20000] [--reports 100000 1000000]

Identifiers are numbers; a store has a manifest and no arrays. Every scan has a report and
two reconstructions; the other reports have none: the export is larger than the PACS dump.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from configs import files, tables
from configs.profile import load_profile
from model.volumes.store import Store

PART = 2_500
RECONSTRUCTIONS = 2


def make_store(path: Path, scans: int) -> None:
    """A store of scans 0, 1, 2, ... by their manifest alone; two scans a patient."""
    key = files.IdKey.open(path / "id.key", create=True)
    Store.create(path, load_profile("tiny"))
    rows = [
        dict.fromkeys(tables.SCANS.names)
        | {
            "volume_id": key.pseudonym("volume", f"{scan}.{number}"),
            "scan_id": key.pseudonym("scan", f"{scan}"),
            "study_id": key.pseudonym("scan", f"study of {scan}"),
            "patient_id": key.pseudonym("patient", f"{scan // 2}"),
            "date": f"{20100101 + 10000 * (scan % 10)}",
            "affine_lps": [1.0] * 16,
            "source_affine_lps": [1.0] * 16,
            "array_sha256": f"{scan}.{number}",
        }
        for scan in range(scans)
        for number in range(RECONSTRUCTIONS)
    ]
    files.write_table(
        path / "scans.parquet" / "part-000000.parquet",
        pa.Table.from_pylist(rows, schema=tables.SCANS),
    )
    files.write_json(path / "run.json", {"verb": "prepare"})


def make_labels(path: Path, reports: int) -> None:
    """Labels and side table of reports 0, 1, 2, ... in parts."""
    labels = tables.labels_schema(["Lung nodule"])
    for part in range(-(-reports // PART)):
        ids = [f"{number}" for number in range(part * PART, min(reports, (part + 1) * PART))]
        name, size = f"part-{part:05d}.parquet", len(ids)
        columns = {"report_id": ids, "Lung nodule": [1] * size}
        files.write_table(path / "labels.parquet" / name, pa.table(columns, schema=labels))
        stated = {"report_id": ids, "status": ["final"] * size, "time": [0] * size}
        stated["exam"] = ["CT CHEST"] * size
        files.write_table(path / "reports.parquet" / name, pa.table(stated, schema=tables.REPORTS))
    files.write_json(path / "run.json", {"verb": "label"})


def join(folder: Path, reports: int) -> None:
    """One run, in this process."""
    from pipelines.cohort import cohort

    start, cpu = time.perf_counter(), time.process_time()
    joined = cohort(
        folder / f"{reports}", folder / "store", out=folder / f"out {reports}", quiet=True
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{reports:,} | {len(joined):,} | {seconds:.1f} | {cpu:.1f} | {peak:,.0f}", flush=True)


def main() -> None:
    """Make the archives, then join each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scans", type=int, default=20_000)
    parser.add_argument("--reports", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--join", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.join:
        join(arguments.join, *arguments.reports)
        return
    print("reports | volumes joined | seconds | of one core | peak MB")
    with tempfile.TemporaryDirectory() as folder:
        make_store(Path(folder) / "store", arguments.scans)
        for reports in arguments.reports:
            make_labels(Path(folder) / f"{reports}", reports)
            command = [sys.executable, __file__, "--join", folder, "--reports", f"{reports}"]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
