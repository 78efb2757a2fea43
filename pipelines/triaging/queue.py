"""In which order scans are read: urgency, and what waiting adds to it."""

from collections.abc import Iterable
from dataclasses import dataclass

from configs.triage_policy import HIGHEST_WEIGHT
from pipelines.triaging.coverage import Watched


@dataclass(frozen=True, slots=True)
class Scored:
    """A label that the policy watches, with this scan's probability."""

    watched: Watched
    probability: float

    @property
    def flagged(self) -> bool:
        """An urgent finding's label at or over its threshold."""
        return self.watched.urgent and self.probability >= self.watched.cut.threshold

    @property
    def points(self) -> float:
        """Weight × probability: the expected cost of letting the scan wait."""
        return self.watched.weight * self.probability


def flags(scores: Iterable[Scored]) -> tuple[Scored, ...]:
    """The flagged labels, most points first."""
    return tuple(sorted((s for s in scores if s.flagged), key=lambda s: -s.points))


def leading(scores: Iterable[Scored]) -> Scored | None:
    """The label with the most points, flagged or not."""
    return max(scores, key=lambda score: score.points, default=None)


def urgency(scores: Iterable[Scored]) -> float:
    """0 to 100: the points of the leading label.

    The largest and not the sum: many small findings must not pass one that kills.
    """
    first = leading(scores)
    return first.points if first else 0.0


def priority(urgency: float, waited_hours: float, max_wait_hours: float) -> float:
    """Urgency plus what waiting adds: as much as the heaviest finding, at the maximum wait.

    An accumulating priority queue (Kleinrock 1964, Naval Research Logistics Quarterly 11). It grows
    with the square of the wait, so that an hour more matters little at first, and ends there: of
    scans that all waited too long the urgent ones still come first.

    >>> priority(0, 24, 24) > priority(99, 0, 24)
    True
    >>> priority(0, 6, 24)
    6.25
    >>> priority(30, 100, 24) > priority(20, 900, 24)
    True
    """
    return urgency + HIGHEST_WEIGHT * min(1.0, max(0.0, waited_hours) / max_wait_hours) ** 2


def precedence(
    *, flagged: bool, overdue: bool, priority: float, flagged_first: bool = False
) -> tuple[int, float]:
    """What scans are sorted by; the highest is read next.

    The priority alone; with `flagged_first` how many hold of flagged and overdue before it. One
    that waited the maximum keeps what `priority` promises either way: it stands before every scan
    that has just arrived, flagged or not.

    >>> precedence(flagged=True, overdue=False, priority=12) < precedence(
    ...     flagged=False, overdue=False, priority=30)
    True
    >>> fresh = precedence(flagged=True, overdue=False, priority=12, flagged_first=True)
    >>> fresh > precedence(flagged=False, overdue=False, priority=90, flagged_first=True)
    True
    >>> fresh < precedence(flagged=False, overdue=True, priority=100, flagged_first=True)
    True
    """
    return (flagged + overdue if flagged_first else 0), priority
