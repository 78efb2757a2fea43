"""An archive's records cut into shards: the same records give the same shards."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.reports_in.rows import Report
from pipelines.reports_in.status import Status
from pipelines.running.run import Rejected

MAX_SHARD_CHARS = 16_000_000
"""A shard ends at so much text too, for a worker holds a shard in memory."""


class Text(NamedTuple):
    """What of a report travels to the process that labels it; a tuple, for there are many."""

    id: str
    text: str
    place: str
    addendum_at: int | None
    exam: str
    status: Status
    time: float | None


@dataclass(slots=True)
class Cut:
    """The records of one shard."""

    number: int
    texts: list[Text] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    place: str = ""
    """Where in the archive its last report stands."""

    def __len__(self) -> int:
        return len(self.texts) + len(self.rejected)


def cut(records: Iterable[Report | Rejected], size: int) -> Iterator[Cut]:
    """Stretches of `size` records, in order; fewer where their texts are long, and in the last."""
    current, chars = Cut(0), 0
    for record in records:
        if isinstance(record, Rejected):
            current.rejected.append(record)
        else:
            current.texts.append(_text(record))
            current.place = record.place
            chars += len(record.text)
        if len(current) >= size or chars >= MAX_SHARD_CHARS:
            yield current
            current, chars = Cut(current.number + 1), 0
    if len(current):
        yield current


def _text(report: Report) -> Text:
    return Text(
        report.id,
        report.text,
        report.place,
        report.addendum_at,
        report.exam,
        report.status,
        report.time,
    )
