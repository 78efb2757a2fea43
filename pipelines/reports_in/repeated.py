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


def told_apart(read: Callable[[], Iterable[Report | Rejected]]) -> Iterator[Report | Rejected]:
    """The records of an archive without versions; `read` starts a pass over it, of which two.

    The first of several reports that are the same stays. Where two texts claim one identifier,
    none does: whichever came first would be chance.
    """
    seen = _Seen()
    for record in read():
        if isinstance(record, Report):
            seen.note(record)
    for record in read():
        if isinstance(record, Report) and (fault := seen.fault(record)):
            yield unreadable(record.place, *fault, record.id)
        else:
            yield record


class _Seen:
    """Every identifier with its text, as far as they tell repeats and conflicts.

    In SQLite's own temporary file, which has no name and goes with the process (SQLITE_TMPDIR says
    where). It holds digests under a key that is never written, so they say nothing of anybody.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute(
            "CREATE TABLE seen (id BLOB PRIMARY KEY, text BLOB, given INTEGER) WITHOUT ROWID"
        )
        self._rows.execute("BEGIN")

    def note(self, report: Report) -> None:
        """Take a report in, on the first pass; the text of a conflict is forgotten."""
        try:
            self._rows.execute(
                "INSERT INTO seen VALUES (?, ?, 0) ON CONFLICT (id) DO UPDATE "
                "SET text = NULL WHERE text IS NOT excluded.text",
                (self._digest(report.id), self._digest(" ".join(report.text.split()))),
            )
        except sqlite3.OperationalError as error:
            raise InputError(
                f"temporary folder: {error}; SQLITE_TMPDIR names one with more room"
            ) from None

    def fault(self, report: Report) -> tuple[RecordReason, str] | None:
        """Why a report does not count, on the second pass; None for the first of its identifier."""
        name = (self._digest(report.id),)
        found = "SELECT text IS NULL, given FROM seen WHERE id = ?"
        conflicting, given = self._rows.execute(found, name).fetchone()
        if conflicting:
            return _CONFLICT
        if given:
            return _REPEAT
        self._rows.execute("UPDATE seen SET given = 1 WHERE id = ?", name)
        return None

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode(), digest_size=12, key=self._key).digest()
