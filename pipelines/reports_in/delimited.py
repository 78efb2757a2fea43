"""CSV, TSV and their relatives, one record at a time, without a row lost or swallowed.

Python's csv in strict mode decides what a record is (RFC 4180). Where a record breaks, because a
quote is never closed or the number of fields is wrong, only its first line is set aside and
reading goes on at the next line, so that a stray quote cannot swallow the rows after it.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.rows import Row, unreadable
from pipelines.reports_in.text_file import MAX_RECORD_CHARS, open_text, undecoded
from pipelines.running.run import Rejected

_DELIMITERS = ",;\t|^~\x1f\x01"  # the last two: ASCII's unit separator, and Hive's
_SEPARATOR_LINE = re.compile("sep=.")  # what Excel writes to tell itself the delimiter
_SNIFFED_LINES = 50
_SNIFFED_CHARS = 65_536  # of a line


class DelimitedFile:
    """A delimited text file with a header line; the delimiter is found, not asked for.

    Raises InputError when the file is missing, empty, not text, or has no header.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        csv.field_size_limit(MAX_RECORD_CHARS)  # csv's own limit, 128 KiB, is below a long report
        self.path = path
        self.name = str(path)
        self._encoding = encoding
        with open_text(path, encoding) as handle:
            pieces = iter(lambda: handle.readline(_SNIFFED_CHARS), "")
            sample = list(islice(pieces, _SNIFFED_LINES))
        if not any(line.strip() for line in sample):
            raise InputError(f"{path}: the file is empty")
        marked = _SEPARATOR_LINE.fullmatch(sample[0].rstrip("\r\n"))
        self._lines_before_header = 1 if marked else 0
        del sample[: self._lines_before_header]
        self.delimiter, header = _sniff(sample)
        try:
            next(csv.reader(sample, delimiter=self.delimiter, strict=True))
        except csv.Error:
            raise InputError(f"{path}: the header line has a stray quote; mend it") from None
        self.columns = tuple(name.strip() for name in header)
        if any(map(undecoded, self.columns)) or not any(self.columns):
            raise InputError(
                f"{path}: not a table of text; expected a header line in UTF-8 (`chestct label` "
                "reads other encodings that --encoding names)"
            )

    def rows(self, wanted: Sequence[str]) -> Iterator[Row | Rejected]:
        """Every record after the header; blank lines are no records."""
        indices = [self.columns.index(name) for name in wanted]
        with open_text(self.path, self._encoding) as handle:
            lines = _Lines(handle)
            for _ in range(self._lines_before_header):
                next(lines)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            next(reader)
            while True:
                lines.begin_record()
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except (csv.Error, _TooLongError) as error:
                    yield self._broken(lines, error)
                    continue
                if len(values) == len(self.columns):
                    yield Row(lines.place, tuple(values[i] for i in indices))
                elif values:
                    yield self._miscounted(lines, len(values))

    def _broken(self, lines: "_Lines", error: Exception) -> Rejected:
        if isinstance(error, _TooLongError) and len(lines.record) == 1:
            return unreadable(lines.place, RecordReason.TOO_LONG, str(error))
        lines.give_back_all_but_first()
        detail = "a quote is never closed or stands inside a quoted field"
        return unreadable(lines.place, RecordReason.MALFORMED_ROW, detail)

    def _miscounted(self, lines: "_Lines", fields: int) -> Rejected:
        detail = f"{fields} fields, {len(self.columns)} expected"
        if any(self._is_whole_record(line) for line in lines.record[1:]):
            lines.give_back_all_but_first()
            detail = "a quote is never closed"
        return unreadable(lines.place, RecordReason.MALFORMED_ROW, detail)

    def _is_whole_record(self, line: str) -> bool:
        try:
            return len(_parse([line], self.delimiter)[0]) == len(self.columns) > 1
        except (csv.Error, IndexError):
            return False


class _TooLongError(Exception):
    """A record that goes on past the limit."""


class _Lines:
    """The physical lines of a file, counted, with those of the record that is being read."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle
        self._given_back: deque[str] = deque()
        self._number = 0
        self._chars = 0
        self.record: list[str] = []

    @property
    def place(self) -> str:
        """Where the record begins."""
        return f"line {self._number - len(self.record) + 1}"

    def begin_record(self) -> None:
        self.record, self._chars = [], 0

    def give_back_all_but_first(self) -> None:
        self._given_back.extendleft(reversed(self.record[1:]))
        self._number -= len(self.record) - 1
        del self.record[1:]

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else self._read()
        self._number += 1
        self.record.append(line)
        self._chars += len(line)
        if self._chars > MAX_RECORD_CHARS:
            raise _TooLongError(f"more than {MAX_RECORD_CHARS:,} characters")
        return line

    def _read(self) -> str:
        line = self._handle.readline(MAX_RECORD_CHARS + 1)
        if not line:
            raise StopIteration
        rest = line
        while len(rest) > MAX_RECORD_CHARS and not rest.endswith(("\n", "\r")):
            rest = self._handle.readline(MAX_RECORD_CHARS + 1)  # dropped: the line is refused
        return line


def _parse(lines: Sequence[str], delimiter: str, *, strict: bool = True) -> list[list[str]]:
    return list(csv.reader(lines, delimiter=delimiter, strict=strict))


def _sniff(sample: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter under which the first rows agree best with the header, and the header."""

    def agreement(delimiter: str) -> tuple[int, int]:
        header, *rows = _parse(sample, delimiter, strict=False)
        agreeing = sum(len(row) == len(header) for row in rows)
        return (agreeing + 1 if len(header) > 1 else 0, len(header))

    delimiter = max(_DELIMITERS, key=agreement)
    return delimiter, _parse(sample, delimiter, strict=False)[0]
