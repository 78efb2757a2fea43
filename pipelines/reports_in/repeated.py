"""Which identifiers of an archive were seen before, in bounded memory."""

import secrets
import sqlite3
from hashlib import blake2b

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.rows import Report

_CACHE_KIB = 16_000


class Repeated:
    """Remembers every report's identifier; the first report keeps it.

    In SQLite's own temporary file, which has no name and goes with the process (SQLITE_TMPDIR says
    where). It holds digests under a key that is never written, so they say nothing of anybody.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("CREATE TABLE seen (id BLOB PRIMARY KEY, text BLOB) WITHOUT ROWID")
        self._seen.execute("BEGIN")

    def fault(self, report: Report) -> tuple[RecordReason, str] | None:
        """Take a report in; a fault when its identifier was seen before."""
        row = self._digest(report.id), self._digest(report.text)
        try:
            new = self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", row).rowcount
        except sqlite3.OperationalError as error:
            raise InputError(
                f"temporary folder: {error}; SQLITE_TMPDIR names one with more room"
            ) from None
        if new:
            return None
        (text,) = self._seen.execute("SELECT text FROM seen WHERE id = ?", row[:1]).fetchone()
        which = "same" if text == row[1] else "other"
        return RecordReason.DUPLICATE_ID, f"identifier seen before, {which} text"

    def _digest(self, text: str) -> bytes:
        return blake2b(text.encode(), digest_size=12, key=self._key).digest()
