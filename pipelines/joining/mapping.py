"""A site's own list of which scan a report is of, and where it was taken."""

from dataclasses import dataclass, field
from pathlib import Path

from configs.contracts import InputError
from pipelines.joining.known_scans import KnownScans
from pipelines.reports_in.rows import Row
from pipelines.reports_in.tables import decoded_rows, open_table

_COLUMNS = ("report_id", "scan", "site")


@dataclass(frozen=True, slots=True)
class Mapping:
    """What the list says of each report that it names."""

    scans: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Its scans (pseudonyms) and the site of each, where one is named."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why `prepare` refused a scan of it."""


def read_mapping(path: Path, known: KnownScans) -> Mapping:
    """A table with the columns report_id and scan, site, or both; a row a report and scan.

    Without the column scan a report's own id names it. Rows of scans that are not known are left
    out. Raises InputError for missing columns, and naming the row for one that cannot be read.
    """
    table = open_table(path)
    columns = [name for name in _COLUMNS if name in table.columns]
    if "report_id" not in columns or len(columns) < 2:
        raise InputError(
            f"{path}: needs the column report_id, and scan (accession number or study UID) or site"
        )
    mapping = Mapping()
    for row in decoded_rows(table, columns):
        if not isinstance(row, Row):
            raise InputError(f"{path}: {row.detail}; mend this row")
        cells = {name: value or "" for name, value in zip(columns, row.values, strict=True)}
        report, scan = cells["report_id"], cells.get("scan", cells["report_id"])
        if not report.strip() or not scan.strip():
            raise InputError(f"{path}: {row.place}: names no report or no scan; leave it out")
        site = cells.get("site", "").strip() or None
        if (reason := known.refused(scan)) is not None:
            mapping.refused[report] = reason
        for found in known.named(scan):
            before = mapping.scans.setdefault(report, {}).setdefault(found, site)
            if before != site:
                raise InputError(f"{path}: {row.place}: another site for a report and scan again")
    return mapping
