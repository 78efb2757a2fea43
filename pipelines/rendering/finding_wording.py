"""What is said of one finding and its foci: decision, frequency, place, and the text beside it."""

from dataclasses import dataclass

from model.calibration import CalibrationState
from pipelines.rendering.content import (
    Alike,
    Decision,
    Finding,
    Focus,
    ScanReport,
    Side,
    Zone,
    marked,
    percent,
)
from pipelines.rendering.text_report import Agreement, TextFinding, TextValue


def chance(finding: Finding) -> str:
    """The probability, marked where it is not calibrated on enough cases."""
    return marked(finding.probability, trusted=finding.calibrated)


def cut(finding: Finding) -> str:
    """The threshold, marked where it is not validated."""
    return marked(finding.threshold, trusted=finding.threshold_validated)


def flagged(finding: Finding) -> str:
    """From where on a worklist flags it, marked as `cut` is; empty where none does, or as here."""
    if not finding.only_flagged or finding.flagged_from is None:
        return ""
    threshold = marked(finding.flagged_from, trusted=finding.threshold_validated)
    return f"flagged in a worklist, at the sensitive threshold {threshold}"


def decision(finding: Finding) -> str:
    """The decision with its threshold, whether that was validated, and a worklist's other one."""
    if finding.decision is Decision.NOT_ASSESSABLE:
        return "Not assessable: this finding needs contrast, and the scan has none."
    said = {
        Decision.PRESENT: "Above the balanced threshold of",
        Decision.INDETERMINATE: "Indeterminate: too close to the balanced threshold of",
        Decision.ABSENT: "Below the balanced threshold of",
    }[finding.decision]
    doubt = "" if finding.threshold_validated else ", which is not validated"
    return f"{said} {_unbroken(finding.threshold)}{doubt}.{_flagged_all_the_same(finding)}"


def _flagged_all_the_same(finding: Finding) -> str:
    if not finding.only_flagged or finding.flagged_from is None:
        return ""
    return (
        " A worklist flags it all the same, from a sensitive threshold of "
        f"{_unbroken(finding.flagged_from)}, which is to miss few scans."
    )


def frequency(finding: Finding) -> str:
    """What the probability means for this finding, with the counts behind it."""
    if finding.decision is Decision.NOT_ASSESSABLE:
        return "The network gave its number all the same: do not use it."
    if finding.calibration is CalibrationState.FEW_CASES:
        return "Calibrated on few cases: read it as a rank, not as a frequency."
    if finding.calibration is CalibrationState.NONE:
        return "Not calibrated: read it as a rank, not as a frequency."
    alike = finding.alike
    if alike is None:
        return (
            f"Of 100 training-site scans scored like this, {_among(finding.probability)} reports "
            "said so, by the calibration curve."
        )
    return (
        f"Of 100 training-site scans scored like this, {_among(alike.said_so / alike.scans)} "
        f"reports said so: {alike.said_so} of the {counted(alike.scans, 'validation scan')} scored "
        f"{_range(alike)}."
    )


def _range(alike: Alike) -> str:
    if alike.low <= 0 and alike.high >= 1:
        return "at all, too few to tell scores apart"
    if alike.low <= 0:
        return f"below {_unbroken(alike.high)}"
    if alike.high >= 1:
        return f"{_unbroken(alike.low)} or more"
    return f"{_unbroken(alike.low)} to {_unbroken(alike.high)}"


def frequency_in_short(finding: Finding) -> str:
    """The same for a narrow column."""
    if finding.calibration is CalibrationState.FEW_CASES:
        return "few cases: a rank only"
    if finding.calibration is CalibrationState.NONE:
        return "not calibrated: a rank only"
    alike = finding.alike
    if alike is None:
        return f"{_among(finding.probability)}, by the calibration curve"
    return f"{_among(alike.said_so / alike.scans)} ({alike.said_so} of {alike.scans})"


def _unbroken(probability: float) -> str:
    """A percentage that no line break parts from its sign."""
    return percent(probability).replace(" ", "\N{NO-BREAK SPACE}")


def _among(share: float) -> str:
    """Of 100, in whole numbers.

    >>> [_among(share) for share in (0.0, 0.42, 1.0)]
    ['fewer than 1', '42', 'more than 99']
    """
    among = percent(share).removesuffix(" %")
    return among.replace("<", "fewer than ").replace(">", "more than ")


OUTSIDE = "outside the body"


@dataclass(frozen=True, slots=True)
class Compared:
    """A finding as the network and the text have it."""

    finding: Finding
    text: TextFinding
    value: str
    verdict: str


def compared(report: ScanReport) -> tuple[Compared, ...]:
    """Every finding that was compared, disagreements first."""
    if report.text_report is None:
        return ()
    findings = {finding.label: finding for finding in report.findings}
    first = report.text_report.disagreements
    order = (*first, *(told for told in report.text_report.findings if told not in first))
    return tuple(
        Compared(findings[t.label], t, _TEXT_VALUES[t.value], _AGREEMENTS[t.agreement])
        for t in order
    )


_TEXT_VALUES = {
    TextValue.PRESENT: "stated",
    TextValue.ABSENT: "denied",
    TextValue.UNCERTAIN: "uncertain",
    TextValue.NOT_MENTIONED: "not mentioned",
}
_AGREEMENTS = {
    Agreement.AGREE: "Agree",
    Agreement.TEXT_ONLY: "Stated in the text, below the network's threshold",
    Agreement.NETWORK_ONLY: "Above the network's threshold, denied in the text",
    Agreement.NOT_MENTIONED: "Above the network's threshold, not mentioned in the text",
    Agreement.OPEN: "Open: one of the two cannot tell",
}


def place(focus: Focus) -> str:
    """Side and zone; a lobe is not named, which needs lobe masks."""
    if not focus.in_body:
        return OUTSIDE
    side = "both sides" if focus.side is Side.BOTH else focus.side.value
    if focus.zone is None:
        return side
    return f"{side}, all zones" if focus.zone is Zone.ALL else f"{side}, {focus.zone.value} zone"


def spread(finding: Finding) -> str:
    """What to say of a finding that has no focus."""
    if finding.evidence is None:
        return "This network cannot say where its evidence lies."
    if finding.evidence.supporting == 0:
        return "Nothing in the scan speaks for this finding."
    return "The evidence is spread thinly over the scan: no focus."


def slices(focus: Focus) -> str:
    """The source slices that a focus spans."""
    first, last = focus.slices
    return f"slice {first}" if first == last else f"slices {first}–{last}"  # noqa: RUF001 - typeset


def size(focus: Focus) -> str:
    """The edges of a focus's box, left-right by front-back by foot-head."""
    return " × ".join(  # noqa: RUF001 - typeset
        f"{mm:.0f}" for mm in focus.box_lps.size_xyz_mm
    )


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "study", "studies"), counted(0, "scan")
    ('1 study', '0 scans')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
