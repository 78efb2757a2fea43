"""How far into an archive a run has come, for the time that is left."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads

_CHUNK_BYTES = 1 << 22
_LINES = (".csv", ".tsv", ".tab", ".psv", ".jsonl", ".ndjson")
_NUMBER = re.compile(r"\d+")


class Extent:
    """An archive's length in the units of its records' places: lines, rows or files.

    Compressed files and other kinds have none; then no time left is known.
    """

    def __init__(self, archive: Path) -> None:
        self._lengths = _lengths(archive)
        self._file = 0
        self._before = 0
        self._last = 0

    def share(self, place: str) -> float | None:
        """How much of the archive lies before a place such as "line 17"; never less than before."""
        found = _NUMBER.search(place)
        if not self._lengths or not found:
            return None
        number = int(found[0])
        if number < self._last and self._file < len(self._lengths) - 1:  # counted anew in each file
            self._before += self._lengths[self._file]
            self._file += 1
        self._last = number
        return min(1.0, (self._before + number) / max(1, sum(self._lengths)))


def _lengths(archive: Path) -> list[int]:
    if not archive.is_dir():
        return _length_of_file(archive)
    files = [p for p in sorted(archive.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    if any(path.suffix.lower() == ".parquet" for path in files):
        return _length_of_parquet(archive)
    lines = [path for path in files if path.suffix.lower() in _LINES]
    return [_line_count(path) for path in lines] if lines else [len(files)]


def _length_of_file(path: Path) -> list[int]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _length_of_parquet(path)
    return [_line_count(path)] if suffix in _LINES else []


def _length_of_parquet(path: Path) -> list[int]:
    try:
        return [pads.dataset(path, format="parquet").count_rows()]
    except (pa.ArrowInvalid, OSError):
        return []  # the reader says what is wrong with it


def _line_count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK_BYTES), b"")) + 1
