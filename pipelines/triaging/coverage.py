"""What a policy asks for against what a bundle's labels can tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from configs.finding import Needs, load_findings
from configs.triage_policy import TriagePolicy
from model.calibration import Calibration, CalibrationState
from model.operating import OperatingPoint
from pipelines.rendering.display import load_display
from pipelines.rendering.ontology import meaning


class Basis(StrEnum):
    """Why a threshold stands where it does."""

    SENSITIVITY = "sensitivity"  # it catches the stated share of the validation scans
    BALANCED = "balanced"  # a scan report's own threshold, which catches that share and more
    UNREACHED = "unreached"  # only flagging every scan would: the balanced threshold instead
    UNKNOWN = "unknown"  # too few validation scans to tell: the balanced threshold


@dataclass(frozen=True, slots=True)
class Cut:
    """From which probability on a label is flagged, and what that did on validation scans."""

    threshold: float
    basis: Basis
    counted: OperatingPoint | None = None
    """None where the sensitivity is not known, or was not counted at this very threshold."""
    validated: bool = False
    """As of a scan report's threshold: on at least `MIN_VALIDATED_POSITIVES` positives."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A label of the bundle that the policy gives a weight."""

    label: str
    name: str
    weight: float
    urgent: bool
    """It flags scans; the others only order them."""
    cut: Cut
    balanced: float
    """The threshold by which a scan report decides."""
    calibrated: bool = False
    """Fitted on enough validation scans; else its probability is a rank, no frequency."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """An urgent finding that the bundle has no label for."""

    finding: str
    name: str
    needs_contrast: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which labels decide the order, and which urgent findings cannot."""

    watched: Mapping[str, Watched]
    """By label, heaviest first."""
    unseen: tuple[Unseen, ...]

    @property
    def flagged_from(self) -> dict[str, float]:
        """From which probability on a scan is flagged, for the labels that flag any."""
        return {item.label: item.cut.threshold for item in self.watched.values() if item.urgent}

    @property
    def statement(self) -> str:
        """The first line of every worklist."""
        if not self.unseen:
            return (
                "This model has a label for every urgent finding of the policy; it can miss each "
                "of them."
            )
        names = ", ".join(unseen.name.lower() for unseen in self.unseen)
        which = "it" if len(self.unseen) == 1 else "one of them"
        return (
            f"This model cannot see: {names}. A scan with {which} may stand anywhere in this list."
        )


def cover(
    policy: TriagePolicy, labels: Sequence[str], calibrations: Sequence[Calibration]
) -> Coverage:
    """Match a policy's findings with `convention:label`s, by the findings that a label names.

    A broader label does not count: "opacity" is no sight of a consolidation.
    """
    watched: list[Watched] = []
    seen: set[str] = set()
    for label, calibration in zip(labels, calibrations, strict=True):
        known = meaning(label)
        weighed = sorted(known.own & policy.findings.keys()) if known else []
        if not weighed:
            continue
        seen.update(weighed)
        weight = max(policy.findings[finding] for finding in weighed)
        cut = choose_cut(calibration, policy.sensitivity)
        urgent = weight >= policy.urgent_weight
        fitted = calibration.state is CalibrationState.FITTED
        name = load_display().of(label).name
        balanced = calibration.threshold
        watched.append(Watched(label, name, weight, urgent, cut, balanced, fitted))
    watched.sort(key=lambda item: -item.weight)
    findings = load_findings()
    unseen = tuple(
        Unseen(finding, findings[finding].name, findings[finding].requires is Needs.CONTRAST)
        for finding in policy.urgent
        if finding not in seen
    )
    return Coverage({item.label: item for item in watched}, unseen)


def choose_cut(calibration: Calibration, sensitivity: float) -> Cut:
    """The highest threshold that still catches this share of the validation positives.

    Looked for among the bundle's own operating points and the edges of its reliability bins, which
    hold about twenty scans each, so the share is usually passed by some. Never above the balanced
    threshold of a scan report: what that calls present is flagged.

    >>> from model.calibration import ReliabilityBin
    >>> bins = (ReliabilityBin(0, 0.2, 20, 1), ReliabilityBin(0.2, 1, 20, 9))
    >>> fitted = Calibration(CalibrationState.FITTED, 1, 0, 0.5, 10, 30, bins)
    >>> cut = choose_cut(fitted, 0.9)
    >>> cut.threshold, cut.counted.true_positives, cut.counted.false_positives
    (0.2, 9, 11)
    >>> choose_cut(fitted, 0.95).basis.value
    'unreached'
    """
    balanced, validated = calibration.threshold, calibration.validated
    if calibration.state is not CalibrationState.FITTED or not calibration.bins:
        return Cut(balanced, Basis.UNKNOWN, validated=validated)
    points = [*_edges(calibration), calibration.balanced, calibration.sensitive]
    enough = [point for point in points if point and point.sensitivity >= sensitivity - 1e-9]
    if not enough:
        return Cut(balanced, Basis.UNREACHED, validated=validated)
    best = max(enough, key=lambda point: point.threshold)
    if best.threshold >= balanced:
        return Cut(balanced, Basis.BALANCED, calibration.balanced, validated)
    return Cut(best.threshold, Basis.SENSITIVITY, best, validated)


def _edges(calibration: Calibration) -> Iterator[OperatingPoint]:
    """The operating point at each edge between bins, highest first."""
    positives = sum(found.positives for found in calibration.bins)
    negatives = sum(found.scans for found in calibration.bins) - positives
    caught = alarms = 0
    for found in reversed(calibration.bins[1:]):
        caught += found.positives
        alarms += found.scans - found.positives
        yield OperatingPoint(found.low, caught, alarms, positives - caught, negatives - alarms)
