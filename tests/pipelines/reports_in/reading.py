"""An archive of some bytes, read: its reports, and what was set aside."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.rows import Report
from pipelines.running.run import Rejected

HEADER = "report_id,report_text\n"


def read(
    path: Path, content: str | bytes, options: ReadOptions = PLAIN
) -> tuple[list[Report], list[Rejected]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parted(read_reports(path, options))


def split(
    path: Path, id_column: str | None = None, text: Sequence[str] | None = None
) -> tuple[list[Report], list[Rejected]]:
    options = ReadOptions(id_column=id_column, text_columns=tuple(text or ()))
    return parted(read_reports(path, options))


def parted(stream: Iterable[Report | Rejected]) -> tuple[list[Report], list[Rejected]]:
    records = list(stream)
    reports = [record for record in records if isinstance(record, Report)]
    return reports, [record for record in records if isinstance(record, Rejected)]


def pairs(reports: Sequence[Report]) -> list[tuple[str, str]]:
    return [(report.id, report.text) for report in reports]
