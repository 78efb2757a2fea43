"""The headers of all files below a folder, read by several processes where there are many."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from configs.contracts import RecordReason
from model.volumes.dicom_header import Broken
from model.volumes.find import Header, files_below, header_of
from pipelines.running.progress import track
from pipelines.running.shards import map_records, usable_cores

_FEW = 24  # below so many batches, starting processes takes longer than it saves
_BATCH = 256  # files
_FILE_SECONDS = 60.0


def read_headers(scans: Path, workers: int | None, *, quiet: bool) -> Iterator[Header]:
    """Each file with what its header says; one that ends or stops its process counts as broken."""
    batches = list(_batches(files_below(scans)))
    workers = workers or (usable_cores() if len(batches) > _FEW else 1)
    lost = _lost if workers > 1 else None  # alone, a parser is this process itself
    read = map_records(_headers_of, batches, workers=workers, lost=lost)
    spoilt: list[Path] = []
    for headers in track(
        read, f"reading headers, {_BATCH} files each", total=len(batches), quiet=quiet
    ):
        if isinstance(headers, _Lost):
            spoilt += headers
        else:
            yield from headers
    yield from map_records(header_of, spoilt, seconds=_FILE_SECONDS, lost=_broken)


class _Lost(list[Path]):
    """A batch with a file that its process did not survive."""


def _batches(paths: Iterator[Path]) -> Iterator[list[Path]]:
    while batch := list(islice(paths, _BATCH)):
        yield batch


def _headers_of(paths: list[Path]) -> list[Header]:
    return [header_of(path) for path in paths]


def _lost(paths: list[Path], reason: RecordReason) -> "list[Header] | _Lost":  # noqa: ARG001 (as `map_records` asks)
    return _Lost(paths)


def _broken(path: Path, reason: RecordReason) -> Header:  # noqa: ARG001 (as `map_records` asks)
    return path, Broken(path, "", "a DICOM file cannot be parsed")
