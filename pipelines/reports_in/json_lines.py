"""JSON lines: one object a line; numbers keep the digits they were written with."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.rows import Row, unreadable
from pipelines.reports_in.text_file import MAX_RECORD_CHARS, open_text
from pipelines.running.run import Rejected


class JsonLinesFile:
    """A .jsonl file, also compressed. The columns are the first object's keys."""

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        self.name = str(path)
        self._encoding = encoding
        with open_text(path, encoding) as handle:
            first = next((_object(line) for _, line in _lines(handle) if line.strip()), None)
        if first is None:
            raise InputError(
                f"{path}: the first line is not a JSON object; JSON lines hold one a line, not an "
                "array of all"
            )
        self.columns = tuple(first)

    def rows(self, wanted: Sequence[str]) -> Iterator[Row | Rejected]:
        """Every line that is not blank; a missing or null field is None."""
        with open_text(self.path, self._encoding) as handle:
            for number, line in _lines(handle):
                place = f"line {number}"
                if len(line) > MAX_RECORD_CHARS:
                    detail = f"more than {MAX_RECORD_CHARS:,} characters"
                    yield unreadable(place, RecordReason.TOO_LONG, detail)
                elif line.strip():
                    yield self._row(place, line, wanted)

    def _row(self, place: str, line: str, wanted: Sequence[str]) -> Row | Rejected:
        content = _object(line)
        if content is None:
            return unreadable(place, RecordReason.MALFORMED_ROW, "not a JSON object")
        values = [content.get(name) for name in wanted]
        if not all(value is None or isinstance(value, str) for value in values):
            return unreadable(place, RecordReason.MALFORMED_ROW, "a field is not text")
        return Row(place, tuple(values))


def _object(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _lines(handle: TextIO) -> Iterator[tuple[int, str]]:
    number = 0
    while line := handle.readline(MAX_RECORD_CHARS + 1):
        number += 1
        rest = line
        while len(rest) > MAX_RECORD_CHARS and not rest.endswith("\n"):
            rest = handle.readline(MAX_RECORD_CHARS + 1)  # dropped: the line is refused
        yield number, line
