"""`chestct dataset`: a public data set's tables as this product's own, a row a scan."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError

if TYPE_CHECKING:
    from pipelines.datasets.dataset import Conflict, Dataset, ScanRow
    from pipelines.running.run import Run


def dataset(
    name: str,
    *,
    out: Path,
    reports: list[Path] | None = None,
    labels: list[Path] | None = None,
    restart: bool = False,
    quiet: bool = False,
) -> dict[str, int]:
    """Bring published tables to one row a scan: `reports.csv` for `label`, `labels.parquet`.

    Their identifiers are those that `prepare --dataset NAME` gives the scans, so that `cohort`
    joins them. A scan whose reconstructions have different reports or labels is set aside.

    Parameters
    ----------
    name
        ct_rate or rad_chestct.
    out
        The folder to write.
    reports
        The published report tables (CT-RATE).
    labels
        The published label tables; repeat it for several.
    restart
        Replace finished tables in OUT that were made of others.
    quiet
        Print nothing.
    """
    from pipelines.datasets import load_dataset
    from pipelines.running.progress import results
    from pipelines.running.run import Run

    known = load_dataset(name)
    if not reports and not labels:
        raise InputError("name the published tables: --reports or --labels, or both")
    tables = [*(reports or []), *(labels or [])]
    inputs = {path.name: path for path in tables}
    run = Run("dataset", out, inputs, {"name": name}, restart=restart)
    with run.alone():
        said = [row for path in reports or () for row in known.reports(path)]
        labelled = [row for path in labels or () for row in known.labels(path)]
        with_reports = _kept(run, said, "reports") if reports else []
        with_labels = _kept(run, labelled, "labels") if labels else []
        with run:
            if reports:
                _write_reports(out / "reports.csv", with_reports)
            if labels:
                _write_labels(out / "labels.parquet", with_labels, known)
    counts = {**run.counts, "rejected": len(run.rejected)}
    if not quiet:
        results.print(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    return counts


def _kept(run: "Run", rows: "Sequence[ScanRow | Conflict]", what: str) -> "list[ScanRow]":
    from configs.contracts import RecordReason, Stage
    from pipelines.datasets.dataset import ScanRow

    kept: dict[str, ScanRow] = {}
    for row in rows:
        if not isinstance(row, ScanRow):
            run.reject(row.scan, Stage.READ, RecordReason.AMBIGUOUS, row.detail)
        elif kept.setdefault(row.scan, row) != row:
            raise InputError(f"two tables hold {what} of one scan, and they differ; name one")
    if not kept:
        raise InputError(f"the tables hold no usable {what}")
    run.counts[f"scans with {what}"] = len(kept)
    return list(kept.values())


def _write_reports(path: Path, rows: "list[ScanRow]") -> None:
    """`AccessionNo` and the sections, under the names that `label` knows."""
    from configs.files import atomic_path

    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["AccessionNo", *rows[0].values])
        writer.writerows([row.scan, *row.values.values()] for row in rows)


def _write_labels(path: Path, rows: "list[ScanRow]", known: "Dataset") -> None:
    import pyarrow as pa

    from configs import files, tables
    from configs.convention import load_convention

    schema = tables.labels_schema(load_convention(known.convention).labels)
    content = [
        {"report_id": row.scan} | {name: int(value) for name, value in row.values.items()}
        for row in rows
    ]
    files.write_table(path, pa.Table.from_pylist(content, schema=schema))
