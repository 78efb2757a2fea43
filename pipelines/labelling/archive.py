"""A whole archive, shard by shard: what is finished stays, the rest is placed on workers."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from configs.contracts import InputError
from pipelines.labelling.advice import advice
from pipelines.labelling.cut import Cut, cut
from pipelines.labelling.extent import Extent
from pipelines.labelling.parts import Parts
from pipelines.labelling.tally import Tally
from pipelines.labelling.work import LabelWork
from pipelines.reports_in.rows import Report
from pipelines.running.progress import metered
from pipelines.running.run import Rejected
from pipelines.running.salvage import pack
from pipelines.running.shards import Shard, map_shards, usable_cores


def label_archive(
    work: LabelWork,
    archive: Path,
    records: Iterable[Report | Rejected],
    *,
    shard_size: int,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = True,
) -> tuple[int, Tally]:
    """Label the shards that are not finished; the number of shards and the counts of them all.

    `records` are those of `archive`. Raises InputError when it changes meanwhile or holds nothing
    to label, RuntimeError unless every record read stands in exactly one part.
    """
    before = _stamp(archive)
    parts = work.parts
    cuts = cut(records, shard_size)
    cuts, several = _peeked(cuts)
    workers = workers or (usable_cores() if several else 1)
    run = _Run(work, parts, None if quiet else Extent(archive))
    with metered("labelling", quiet=quiet) as meter:
        shards = run.shards(cuts)
        for tally in map_shards(work, shards, workers=workers, scheduler=scheduler):
            run.add(tally)
            if meter is not None:
                meter.show(run.total.read, run.total.rejected, run.share, run.new)
    if _stamp(archive) != before:
        raise InputError(f"{archive}: was changed while it was read; --restart labels it anew")
    _refuse_nothing(archive, parts, run.total)
    parts.prove(run.cut, run.total)
    return run.cut, run.total


class _Run:
    """Where a run is: what was cut, what is done."""

    def __init__(self, work: LabelWork, parts: Parts, extent: Extent | None) -> None:
        self._work, self._parts, self._extent = work, parts, extent
        self.total = Tally()
        self.cut = 0
        self.new = 0
        """Records done by this run; those of finished shards are in the total only."""
        self.share: float | None = None

    def shards(self, cuts: Iterable[Cut]) -> Iterator[Shard]:
        """The shards that are to be done; finished ones go into the total."""
        for piece in cuts:
            self.cut += 1
            if self._extent is not None and piece.place:
                self.share = self._extent.share(piece.place)
            finished = self._parts.tally(piece.number)
            if finished is None:
                seconds = self._work.seconds(piece.texts)
                yield Shard(piece.number, pack(piece.texts), seconds, tuple(piece.rejected))
            elif finished.read == len(piece):
                self.total += finished
            else:
                raise RuntimeError(f"shard {piece.number} is not what it was; use --restart")

    def add(self, tally: Tally) -> None:
        """Take a shard that was just done into the counts."""
        self.total += tally
        self.new += tally.read


def _peeked(cuts: Iterator[Cut]) -> tuple[Iterator[Cut], bool]:
    """The same shards, and whether there are several; none is held when it was handed on."""
    first = deque(islice(cuts, 2))
    several = len(first) > 1
    return chain((first.popleft() for _ in range(len(first))), cuts), several


def _stamp(archive: Path) -> list[tuple[str, int, int]]:
    """What changes when a file of the archive does."""
    files = sorted(archive.rglob("*")) if archive.is_dir() else [archive]
    stats = [(str(path), path.stat()) for path in files if path.is_file()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _refuse_nothing(archive: Path, parts: Parts, total: Tally) -> None:
    if total.labelled:
        return
    first = parts.first_detail() if total.rejected else ""
    parts.clear()
    if total.rejected:
        told = "; ".join([f"the first: {first}", *advice(total.ordered_reasons())])
        raise InputError(
            f"{archive}: all {total.rejected} records were rejected ({total.told_reasons()}); "
            f"{told}"
        )
    raise InputError(f"{archive}: no reports, only a header")
