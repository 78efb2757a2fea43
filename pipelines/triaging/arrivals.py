"""Which scans lie in a folder, in order of arrival; also in one that fills."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from configs.contracts import InputError
from model.volumes.find import VOLUME_FILE, Candidate, Header, Refused, files_below, header_of
from model.volumes.find import survey_folder as survey
from model.volumes.volume import VolumeError
from pipelines.preparing.choice import choose

Stamp = tuple[int, int]
"""A file's size and modification time in ns."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A scan, or what ought to be one, with the time of its newest file."""

    item: Candidate | Refused = field(repr=False)
    state: str = field(repr=False)
    """A hash of its files' paths, sizes and times: another when a slice came later."""
    received: float
    """Seconds since the epoch."""


@dataclass(slots=True)
class Arrivals:
    """Looks into a folder again and again, and reads a header only when its file has changed.

    With `settle_seconds` a file counts from then on that it has not changed for so long, and a
    series waits for its last file. `clock` is monotonic.
    """

    root: Path
    settle_seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    left_out: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    """Files that were still changing at the last look."""
    _stamps: dict[Path, Stamp] = field(default_factory=dict)
    _since: dict[Path, float] = field(default_factory=dict)
    _headers: dict[Path, Header] = field(default_factory=dict)

    def look(self) -> list[Arrival]:
        """Every settled scan that is there now, earliest first.

        Of a study the best series is taken, as `prepare` does. Raises InputError when the folder
        is not there.
        """
        settled, fresh = self._files()
        self.waiting = len(fresh)
        arriving = {_series_of(header_of(path)) for path in fresh}
        try:
            found = survey(self.root, map(self._header, settled))
        except VolumeError as error:
            raise InputError(str(error).partition(": ")[2]) from None
        chosen = choose(found, self.root, all_series=False, series=())
        self.left_out = found.left_out
        there: list[Candidate | Refused] = [*chosen, *found.refused]
        items = [item for item in there if item.series_uid not in arriving]
        return sorted(map(self._arrival, items), key=lambda arrival: arrival.received)

    def _files(self) -> tuple[list[Path], list[Path]]:
        """Those that are settled and those that still change."""
        settled: list[Path] = []
        fresh: list[Path] = []
        stamps: dict[Path, Stamp] = {}
        now = self.clock()
        for path in files_below(self.root):
            try:
                stat = path.stat()
            except OSError:  # taken away while we look
                continue
            stamps[path] = (stat.st_size, stat.st_mtime_ns)
            if self._stamps.get(path) != stamps[path]:
                known = path in self._stamps
                age = 0.0 if known else max(0.0, time.time() - stat.st_mtime)
                self._since[path] = now - age
                self._headers.pop(path, None)
            quiet = now - self._since[path] >= self.settle_seconds
            (settled if quiet else fresh).append(path)
        for gone in self._stamps.keys() - stamps.keys():
            self._since.pop(gone, None)
            self._headers.pop(gone, None)
        self._stamps = stamps
        return settled, fresh

    def _header(self, path: Path) -> Header:
        if path not in self._headers:
            self._headers[path] = header_of(path)
        return self._headers[path]

    def _arrival(self, item: Candidate | Refused) -> Arrival:
        reason = item.reason if isinstance(item, Refused) else ""
        name = f"{item.series_uid}\0{reason}"
        digest, newest = hashlib.sha256(name.encode("utf-8", "surrogatepass")), 0
        for path in sorted(set(self._paths(item))):
            size, modified = self._stamps.get(path, (0, 0))
            digest.update(f"\0{path}\0{size}\0{modified}".encode("utf-8", "surrogateescape"))
            newest = max(newest, modified)
        return Arrival(item, digest.hexdigest()[:20], newest / 1e9)

    def _paths(self, item: Candidate | Refused) -> Iterator[Path]:
        if isinstance(item, Candidate) and item.part is not None:
            yield from (plane.file.path for plane in item.part.planes)
        elif item.path in self._stamps:
            yield item.path
        else:  # refused as a whole: every file of its folder may have been the reason
            yield from (path for path in self._stamps if path.parent == item.path)


def _series_of(header: Header) -> str:
    """The series that a file belongs to, as far as it tells; empty where it does not."""
    path, content = header
    if content is VOLUME_FILE:
        from model.volumes.formats import name_of

        return name_of(path)
    if isinstance(content, tuple) and content:
        return content[0].file.series_uid or str(path.parent)
    return getattr(content, "series_uid", "") or "\0"
