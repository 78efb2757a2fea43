"""What every reader of an archive yields: rows of text, and the rows that could not be read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from configs.contracts import RecordReason, Stage
from pipelines.reports_in.status import Status
from pipelines.running.run import Rejected

MAX_TEXT_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """One report, or one message of it: its identifier and text, and where it stands."""

    id: str
    text: str
    place: str
    exam: str = ""
    """The examination's names and codes, as the source gives them."""
    status: Status = Status.FINAL
    time: float | None = None
    """Seconds since 1970."""
    addendum_at: int | None = None
    """Where the text of addenda begins, if any were appended."""


@dataclass(frozen=True, slots=True)
class Row:
    """The wanted fields of one record, in the order asked for; None where there is no value."""

    place: str  # "line 17"
    values: tuple[str | None, ...]


class Table(Protocol):
    """An archive with named columns, which streams."""

    name: str
    columns: tuple[str, ...]

    def rows(self, wanted: Sequence[str]) -> Iterator[Row | Rejected]:
        """Every record in order; one that cannot be read comes as its rejection."""
        ...


def unreadable(place: str, reason: RecordReason, detail: str, report_id: str = "") -> Rejected:
    """A record set aside while reading; `detail` never holds report text."""
    return Rejected(report_id, Stage.READ, reason, f"{place}: {detail}")
