"""Which identifiers of an archive come more than once, in bounded memory."""

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.rows import Report, unreadable
from pipelines.running.run import Rejected

_CACHE_KIB = 16_000
_CONFLICT = (
    RecordReason.CONFLICT,
    "another text has the same identifier, and no status or time says which holds",
)
_REPEAT = (RecordReason.DUPLICATE_ID, "identifier seen before, same text")


def told_apart(
    ids: Iterable[str], read: Callable[[], Iterable[Report | Rejected]]
) -> Iterator[Report | Rejected]:
    """The records of an archive without versions; `read` starts a pass over it.

    The first of several reports that are the same stays. Where two texts claim one identifier,
    none does: whichever came first would be chance. `ids` are the archive's identifiers; only where
    one comes twice is it read once more for the texts.
    """
    seen = _Seen(ids)
    if not seen.any_twice():
        yield from read()
        return
    for record in read():
        if isinstance(record, Report):
            seen.note(record)
    for record in read():
        if isinstance(record, Report) and (fault := seen.fault(record)):
            yield unreadable(record.place, *fault, record.id)
        else:
            yield record


class _Seen:
    """Every identifier, with the text of those that come twice.

    In SQLite's own temporary file, which has no name and goes with the process (SQLITE_TMPDIR says
    where). It holds digests under a key that is never written, so they say nothing of anybody.
    """

    _ONCE, _TWICE, _CONFLICT, _GIVEN = range(4)

    def __init__(self, ids: Iterable[str]) -> None:
        self._key = secrets.token_bytes(16)
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute(
            "CREATE TABLE seen (id BLOB PRIMARY KEY, state INTEGER, text BLOB) WITHOUT ROWID"
        )
        self._rows.execute("BEGIN")
        insert = "INSERT INTO seen VALUES (?, ?, NULL) ON CONFLICT (id) DO UPDATE SET state = ?"
        rows = ((self._digest(name), self._ONCE, self._TWICE) for name in ids)
        try:
            self._rows.executemany(insert, rows)
        except sqlite3.OperationalError as error:
            raise InputError(
                f"temporary folder: {error}; SQLITE_TMPDIR names one with more room"
            ) from None

    def any_twice(self) -> bool:
        """Whether an identifier comes more than once."""
        found = self._rows.execute("SELECT 1 FROM seen WHERE state = ? LIMIT 1", (self._TWICE,))
        return found.fetchone() is not None

    def note(self, report: Report) -> None:
        """Set a report's text beside the others of its identifier, if there are any."""
        text = self._digest(" ".join(report.text.split()))
        self._rows.execute(
            "UPDATE seen SET text = coalesce(text, :text), "
            "state = iif(coalesce(text, :text) = :text, state, :conflict) "
            "WHERE id = :id AND state != :once",
            {
                "id": self._digest(report.id),
                "text": text,
                "once": self._ONCE,
                "conflict": self._CONFLICT,
            },
        )

    def fault(self, report: Report) -> tuple[RecordReason, str] | None:
        """Why a report does not count; None for the first of its identifier."""
        name = self._digest(report.id)
        (state,) = self._rows.execute("SELECT state FROM seen WHERE id = ?", (name,)).fetchone()
        if state == self._CONFLICT:
            return _CONFLICT
        if state == self._GIVEN:
            return _REPEAT
        self._rows.execute("UPDATE seen SET state = ? WHERE id = ?", (self._GIVEN, name))
        return None

    def _digest(self, text: str) -> bytes:
        return blake2b(
            text.encode("utf-8", "surrogatepass"), digest_size=12, key=self._key
        ).digest()
