"""Which series of a study show the same moment: reconstructions of one acquisition, one phase."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from model.volumes.find import Candidate

_PAUSE_S = 5.0  # phases of contrast lie ten seconds and more apart; slices of one acquisition less


def phases_of(candidates: Iterable[Candidate]) -> dict[int, int]:
    """The phase within its study, from 1, of each DICOM candidate, by `id(candidate)`.

    Series are of one phase when they agree in contrast agent and acquisition number and begin
    within five seconds of the one before; one that does not say when it was taken is alone. A
    volume file says nothing of its moment: it has no phase.
    """
    studies: dict[tuple[bytes, ...], list[Candidate]] = defaultdict(list)
    for item in candidates:
        if item.part is not None:
            studies[item.identity].append(item)
    return {
        id(item): number
        for study in studies.values()
        for number, phase in enumerate(_phases(study), start=1)
        for item in phase
    }


def _phases(study: list[Candidate]) -> Iterator[list[Candidate]]:
    """Those without contrast first, then by acquisition number and time."""
    phase: list[Candidate] = []
    for item in sorted(study, key=_moment):
        if phase and not _continues(_moment(phase[-1]), _moment(item)):
            yield phase
            phase = []
        phase.append(item)
    yield phase


def _moment(item: Candidate) -> tuple[str, str, float]:
    """Contrast, acquisition number, and when the first slice was taken (-1: not said)."""
    assert item.part is not None
    first = item.part.planes[0]
    seconds = [plane.seconds for plane in item.part.planes if plane.seconds is not None]
    return str(first.file.contrast), first.acquisition[0], min(seconds, default=-1.0)


def _continues(earlier: tuple[str, str, float], later: tuple[str, str, float]) -> bool:
    if earlier[:2] != later[:2] or earlier[2] < 0:
        return False
    return later[2] - earlier[2] <= _PAUSE_S
