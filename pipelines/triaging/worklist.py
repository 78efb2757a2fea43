"""What a worklist says, whatever form it takes; JSON is this model."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import Field, FiniteFloat, model_validator

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING
from configs.triage_policy import TriagePolicy
from model.operating import OperatingPoint
from pipelines.rendering.assemble import decide
from pipelines.rendering.content import Decision, Remark, Scan, Status, TrainingData
from pipelines.rendering.part import Part
from pipelines.triaging.coverage import Basis, Coverage
from pipelines.triaging.queue import Scored, flags, leading, precedence, priority, urgency
from pipelines.triaging.record import Record, Score

SCHEMA_VERSION = "1.3"
NO_FLAG_MEANING = (
    "No flag, or a low rank, does not mean that a scan shows nothing: no label of an urgent "
    "finding reached its threshold, and of all else this list says nothing. Every scan has to be "
    "read."
)


class Standing(StrEnum):
    """Where a scan stands; the list has them in this order."""

    NOT_READ = "not_read"  # refused, out of scope, or its reading failed
    PENDING = "pending"  # the network has not read it yet
    RANKED = "ranked"


class Flag(Part):
    """A watched label with this scan's probability."""

    label: str
    name: str
    weight: FiniteFloat
    probability: FiniteFloat = Field(ge=0, le=1)
    calibrated: bool = Field(
        default=False, description="on enough validation scans; else the probability is a rank"
    )
    threshold: FiniteFloat = Field(description="the sensitive one, which is to miss few scans")
    threshold_validated: bool = Field(
        default=False, description="fitted on enough positives, as in a scan report; else a guess"
    )
    report_threshold: FiniteFloat = Field(description="the balanced one, of the scan report")
    report_decision: Decision = Field(description="what the scan report says by it")
    place: str = ""
    slice: int | None = None


class Row(Part):
    """One scan of the list."""

    rank: int = Field(ge=1)
    standing: Standing
    scan: Scan
    waited_hours: FiniteFloat = Field(ge=0, description="since its newest file was written")
    overdue: bool = Field(description="waited longer than the policy allows")
    urgency: FiniteFloat | None = Field(default=None, description="null where it was not read")
    priority: FiniteFloat | None = None
    flags: tuple[Flag, ...] = Field(default=(), description="urgent ones over their threshold")
    leading: Flag | None = Field(default=None, description="the label that made the urgency")
    not_assessable: tuple[str, ...] = Field(
        default=(), description="watched labels that need contrast, where the scan has none"
    )
    reasons: tuple[Remark, ...] = Field(default=(), description="why it was not read")
    notes: tuple[Remark, ...] = ()
    page: str | None = None


class Counted(Part):
    """What a threshold did on the bundle's validation scans."""

    caught: int = Field(description="scans with the finding that it flags")
    positives: int
    alarms: int = Field(description="scans without the finding that it flags")
    negatives: int
    sensitivity_low: FiniteFloat = Field(description="its lower bound: one-sided, 95 %, exact")


class WatchedLabel(Part):
    """A label that decides the order, with what its threshold did on validation scans."""

    label: str
    name: str
    weight: FiniteFloat
    urgent: bool = Field(description="it flags scans; the others only order them")
    calibrated: bool = Field(description="on enough validation scans; else it gives a rank")
    threshold: FiniteFloat
    threshold_validated: bool = Field(description="fitted on enough positives, as in a scan report")
    report_threshold: FiniteFloat = Field(description="the balanced one, of the scan report")
    basis: Basis
    counted: Counted | None = Field(
        description="null where the sensitivity is not known, or not counted at this threshold"
    )


class Network(Part):
    """Which bundle read the scans."""

    id: str = Field(description="the first 12 digits of the SHA-256 of bundle.json")
    profile: str
    training_data: TrainingData
    labels: int


class Worklist(Part):
    """Every scan in the order in which to read them."""

    schema_version: str = SCHEMA_VERSION
    cannot_see: str = Field(description="the first line of every form")
    unseen: tuple[str, ...] = Field(description="urgent findings that no label of the model has")
    intended_use: str = INTENDED_USE
    probability_meaning: str = PROBABILITY_MEANING
    no_flag_meaning: str = NO_FLAG_MEANING
    created: str = Field(description="ISO 8601, UTC")
    identified: bool
    model: Network
    sensitivity: FiniteFloat = Field(description="that the thresholds were chosen for")
    max_wait_hours: FiniteFloat
    flagged_first: bool = Field(
        default=False, description="flagged scans stand before all others that are not overdue"
    )
    watched: tuple[WatchedLabel, ...]
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        fixed = (self.intended_use, self.probability_meaning, self.no_flag_meaning)
        if fixed != (INTENDED_USE, PROBABILITY_MEANING, NO_FLAG_MEANING):
            raise ValueError("intended_use, probability_meaning, no_flag_meaning are fixed")
        if [row.rank for row in self.rows] != list(range(1, len(self.rows) + 1)):
            raise ValueError("rows stand in the order of their ranks")
        return self

    def having(self, standing: Standing) -> tuple[Row, ...]:
        """The rows with this standing, in order."""
        return tuple(row for row in self.rows if row.standing is standing)


@dataclass(frozen=True, slots=True)
class Dealt:
    """A scan of the folder: its record, or None as long as it was not read."""

    scan: Scan
    received: float
    record: Record | None


def rank(
    scans: Iterable[Dealt], policy: TriagePolicy, coverage: Coverage, now: float
) -> tuple[Row, ...]:
    """Rows in reading order at `now` (seconds since the epoch).

    What was not read comes first, then what is still to be read by the network, then by priority
    (and flag, where the policy says so); among equals the one that came first.
    """
    rows = [_row(dealt, policy, coverage, now) for dealt in scans]
    rows.sort(key=lambda row: _turn(row, flagged_first=policy.flagged_first))
    return tuple(
        row.model_copy(update={"rank": number}) for number, row in enumerate(rows, start=1)
    )


def _turn(row: Row, *, flagged_first: bool) -> tuple[float, ...]:
    """The lowest stands first."""
    marks, points = precedence(
        flagged=bool(row.flags),
        overdue=row.overdue,
        priority=row.priority or 0.0,
        flagged_first=flagged_first,
    )
    return list(Standing).index(row.standing), -marks, -points, -row.waited_hours


def _row(dealt: Dealt, policy: TriagePolicy, coverage: Coverage, now: float) -> Row:
    record = dealt.record
    waited = round(max(0.0, now - dealt.received) / 3600, 3)
    plain = Row(
        rank=1,
        standing=Standing.PENDING,
        scan=record.scan if record else dealt.scan,
        waited_hours=waited,
        overdue=waited >= policy.max_wait_hours,
        notes=record.notes if record else (),
        page=record.page if record else None,
    )
    if record is None:
        return plain
    if record.status is Status.REFUSED:
        return plain.model_copy(update={"standing": Standing.NOT_READ, "reasons": record.reasons})
    watched = {score.label: score for score in record.scores if score.label in coverage.watched}
    scored = [
        Scored(coverage.watched[label], score.probability)
        for label, score in watched.items()
        if score.assessable
    ]
    points, first = urgency(scored), leading(scored)
    return plain.model_copy(
        update={
            "standing": Standing.RANKED,
            "urgency": round(points, 4),
            "priority": round(priority(points, waited, policy.max_wait_hours), 4),
            "flags": tuple(_flag(one, watched[one.watched.label]) for one in flags(scored)),
            "leading": _flag(first, watched[first.watched.label]) if first else None,
            "not_assessable": tuple(s.name for s in watched.values() if not s.assessable),
        }
    )


def _flag(scored: Scored, score: Score) -> Flag:
    return Flag(
        label=scored.watched.label,
        name=scored.watched.name,
        weight=scored.watched.weight,
        probability=scored.probability,
        calibrated=scored.watched.calibrated,
        threshold=scored.watched.cut.threshold,
        threshold_validated=scored.watched.cut.validated,
        report_threshold=scored.watched.balanced,
        report_decision=decide(scored.probability, scored.watched.balanced),
        place=score.place,
        slice=score.slice,
    )


def watched_labels(coverage: Coverage) -> tuple[WatchedLabel, ...]:
    """The policy as it meets this bundle, heaviest first."""
    return tuple(
        WatchedLabel(
            label=item.label,
            name=item.name,
            weight=item.weight,
            urgent=item.urgent,
            calibrated=item.calibrated,
            threshold=item.cut.threshold,
            threshold_validated=item.cut.validated,
            report_threshold=item.balanced,
            basis=item.cut.basis,
            counted=_counted(item.cut.counted),
        )
        for item in coverage.watched.values()
    )


def _counted(point: OperatingPoint | None) -> Counted | None:
    if point is None:
        return None
    return Counted(
        caught=point.true_positives,
        positives=point.true_positives + point.false_negatives,
        alarms=point.false_positives,
        negatives=point.false_positives + point.true_negatives,
        sensitivity_low=point.sensitivity_low,
    )


if __name__ == "__main__":  # the published schema: docs/worklist.schema.json
    import json

    print(json.dumps(Worklist.model_json_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - it is the output
