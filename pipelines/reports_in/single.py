"""One report's text: from a text file, or by its identifier from any archive."""

from pathlib import Path

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.rows import Report

_TEXT = {".txt", ".text"}


def read_one(path: Path, report_id: str | None = None, options: ReadOptions = PLAIN) -> str:
    """The text of a text file's only report, or of the archive's report of that identifier.

    Raises InputError when there is no such report or it cannot be read; never shows its text.
    """
    if report_id is None and (path.is_dir() or path.suffix.lower() not in _TEXT):
        raise InputError(
            f"{path}: is no .txt file; name one of the archive's reports with --report-id"
        )
    for record in read_reports(path, options):
        if report_id is None and not isinstance(record, Report):
            raise InputError(f"{path}: {record.reason}: {record.detail}")
        if isinstance(record, Report) and report_id in (None, record.id):
            return record.text
    raise InputError(
        f"{path}: no readable report with this --report-id; `chestct label` lists what it read"
    )
