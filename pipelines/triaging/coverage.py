"""What a policy asks for against what a bundle's labels can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from configs.finding import Needs, load_findings
from configs.triage_policy import TriagePolicy
from model.calibration import Calibration, CalibrationState
from pipelines.rendering.display import load_display
from pipelines.rendering.ontology import meaning


class Basis(StrEnum):
    """Why a threshold stands where it does."""

    SENSITIVITY = "sensitivity"  # it catches the stated share of the validation scans
    UNREACHED = "unreached"  # only flagging every scan would: the bundle's own threshold instead
    UNKNOWN = "unknown"  # too few validation scans to tell: the bundle's own threshold


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """From which probability on a label is flagged, and what that did on validation scans."""

    threshold: float
    basis: Basis
    caught: int | None = None
    """Validation scans with the finding at or over the threshold; None but for SENSITIVITY."""
    positives: int = 0
    alarms: int | None = None
    """Validation scans without the finding at or over the threshold."""
    negatives: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """A label of the bundle that the policy gives a weight."""

    label: str
    name: str
    weight: float
    urgent: bool
    """It flags scans; the others only order them."""
    point: OperatingPoint


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
    def statement(self) -> str:
        """The first line of every worklist."""
        if not self.unseen:
            return (
                "This model has a label for every urgent finding of the policy; it can miss each "
                "of them."
            )
        names = ", ".join(unseen.name.lower() for unseen in self.unseen)
        return (
            f"This model cannot see: {names}. A scan with one of them may stand anywhere in "
            "this list."
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
        point = operating_point(calibration, policy.sensitivity)
        urgent = weight >= policy.urgent_weight
        watched.append(Watched(label, load_display().of(label).name, weight, urgent, point))
    watched.sort(key=lambda item: -item.weight)
    findings = load_findings()
    unseen = tuple(
        Unseen(finding, findings[finding].name, findings[finding].requires is Needs.CONTRAST)
        for finding in policy.urgent
        if finding not in seen
    )
    return Coverage({item.label: item for item in watched}, unseen)


def operating_point(calibration: Calibration, sensitivity: float) -> OperatingPoint:
    """The highest edge of the reliability bins that still catches this share of the positives.

    Bins hold about twenty scans, so the share is usually passed by some.

    >>> from model.calibration import ReliabilityBin
    >>> bins = (ReliabilityBin(0, 0.2, 20, 1), ReliabilityBin(0.2, 1, 20, 9))
    >>> fitted = Calibration(CalibrationState.FITTED, 1, 0, 0.5, 10, 30, bins)
    >>> point = operating_point(fitted, 0.9)
    >>> point.threshold, point.caught, point.positives, point.alarms, point.negatives
    (0.2, 9, 10, 11, 30)
    >>> operating_point(fitted, 0.95).basis.value
    'unreached'
    """
    if calibration.state is not CalibrationState.FITTED or not calibration.bins:
        return OperatingPoint(calibration.threshold, Basis.UNKNOWN)
    positives = sum(found.positives for found in calibration.bins)
    negatives = sum(found.scans for found in calibration.bins) - positives
    caught = alarms = 0
    for found in reversed(calibration.bins[1:]):
        caught += found.positives
        alarms += found.scans - found.positives
        if caught >= sensitivity * positives - 1e-9:
            return OperatingPoint(
                found.low, Basis.SENSITIVITY, caught, positives, alarms, negatives
            )
    return OperatingPoint(calibration.threshold, Basis.UNREACHED)
