"""One report's text: from a file that is one report, or by its identifier from any archive."""

from pathlib import Path

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.documents import TEXT
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.rows import Report
from pipelines.reports_in.tables import suffix_of


def read_one(path: Path, report_id: str | None = None, options: ReadOptions = PLAIN) -> str:
    """The text of a text, RTF or HTML file, or of the archive's report of that identifier.

    Raises InputError when there is no such report or it cannot be read; never shows its text.
    """
    if report_id is None and (path.is_dir() or suffix_of(path) not in TEXT):
        raise InputError(
            f"{path}: is no .txt, .rtf or .html file; "
            "name one of the archive's reports with --report-id"
        )
    for record in read_reports(path, options):
        if report_id is None and not isinstance(record, Report):
            raise InputError(f"{path}: {record.reason}: {record.detail}")
        if isinstance(record, Report) and report_id in (None, record.id):
            return record.text
    raise InputError(
        f"{path}: no readable report with this --report-id; `chestct label` lists what it read"
    )
