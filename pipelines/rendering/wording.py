"""The sentences of a report: content in the reader's words, the same for every form."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from model.operating import MIN_VALIDATED_POSITIVES
from pipelines.rendering import finding_wording
from pipelines.rendering.content import (
    MARK,
    CautionCode,
    ContrastSource,
    Decision,
    ScanReport,
    Status,
    TrainingData,
)
from pipelines.rendering.display import load_display
from pipelines.rendering.finding_wording import counted


class Tone(StrEnum):
    """How a line of the summary is set."""

    PLAIN = "plain"
    CAREFUL = "careful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the summary."""

    term: str
    value: str
    note: str = ""
    tone: Tone = Tone.PLAIN
    part: str = ""
    """Id of the page's part that says more."""


def worded(report: ScanReport) -> dict[str, object]:
    """Every sentence that a template sets, by the name it has there."""
    return {
        "identity": identity(report),
        "cautions": cautions(report),
        "remarks": remarks(report),
        "summary": summary(report),
        "technical": technical(report),
        "calibration_meaning": calibration_meaning(report),
        "slice_numbers": slice_numbers(report),
        "min_validated": MIN_VALIDATED_POSITIVES,
    }


def cautions(report: ScanReport) -> tuple[str, ...]:
    """What must be read before any number."""
    said = []
    if unseen := [lack.name.lower() for lack in report.not_covered if lack.urgent]:
        said.append(f"This model cannot see: {', '.join(unseen)}.")
    if report.model.training_data is TrainingData.SYNTHETIC:
        said.append(
            "Trained on synthetic scans only: the numbers show that the software works, they say "
            "nothing about a patient."
        )
    elif report.model.training_data is TrainingData.MIXED:
        said.append("Trained partly on synthetic scans.")
    if report.scan.synthetic:
        said.append("SYNTHETIC SCAN: drawn by chestct, not a patient.")
    said += two_verdicts(report)
    said += guesses(report)
    said += _astray(report)
    return tuple(said)


def two_verdicts(report: ScanReport) -> Iterator[str]:
    """Findings that a worklist flags and this report does not call present, and why."""
    told = [
        f"{f.name} {finding_wording.chance(f)} ({finding_wording.flagged(f)}; {f.decision.value} "
        f"here, at the balanced threshold {finding_wording.cut(f)})"
        for f in report.findings
        if f.only_flagged
    ]
    if told:
        yield (
            f"Two thresholds, two answers: {'; '.join(told)}. The first is to miss few scans, the "
            "second weighs misses against false alarms."
        )


def guesses(report: ScanReport) -> tuple[str, ...]:
    """What the mark behind percentages means; empty where none has one."""
    said, count = [], len(report.findings)
    weak = sum(not finding.calibrated for finding in report.findings)
    if weak:
        said.append(
            f"{weak} of {count} findings are not calibrated on enough cases: read their "
            f"percentages, marked {MARK}, as a ranking, not as a frequency."
        )
    guessed = sum(not finding.threshold_validated for finding in report.findings)
    if guessed:
        said.append(
            f"{guessed} of {count} thresholds, marked {MARK}, are not validated (fewer than "
            f"{MIN_VALIDATED_POSITIVES} positives): they sort findings, they do not decide."
        )
    return tuple(said)


def _astray(report: ScanReport) -> Iterator[str]:
    """One sentence for all findings above or near their threshold whose evidence is no place."""
    shown = (*report.having(Decision.PRESENT), *report.having(Decision.INDETERMINATE))
    code = CautionCode.OUTSIDE_BODY
    names = [f.name for f in shown if any(caution.code == code for caution in f.cautions)]
    if names:
        listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
        yield (
            f"{listed}: the strongest evidence lies outside the body, so take the percentage as "
            "unexplained."
        )


def identity(report: ScanReport) -> tuple[tuple[str, str], ...]:
    """Who and when, as far as the report may say."""
    scan = report.scan
    date = scan.date or ""
    lines = (
        ("Patient", scan.patient_id),
        ("Sex, age", ", ".join(str(v) for v in (scan.sex, scan.age_years) if v is not None)),
        ("Accession", scan.accession),
        ("Scan date", f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 else date),
        ("Series" if scan.identified else "Series (hash)", scan.series),
        ("Report", report.created[:16].replace("T", " ") + " UTC"),
    )
    return tuple((term, value) for term, value in lines if value)


def summary(report: ScanReport) -> tuple[Line, ...]:
    """Scope, series, model and calibration, each in one line."""
    lines = [_scope(report)]
    if report.geometry:
        z, y, _ = report.geometry.spacing_mm_zyx
        lines.append(
            Line(
                "Series",
                f"{report.geometry.shape_zyx[0]} slices of {z:.1f} mm, pixels {y:.2f} mm",
                " · ".join(_acquisition(report)),
            )
        )
    lines.append(_model(report))
    if report.findings:
        fitted = sum(finding.calibrated for finding in report.findings)
        every = fitted == len(report.findings)
        lines.append(
            Line(
                "Calibration",
                "Every finding" if every else f"{fitted} of {len(report.findings)} findings",
                "on enough validation scans",
                Tone.PLAIN if every else Tone.CAREFUL,
            )
        )
    if report.text_report:
        count = len(report.text_report.disagreements)
        lines.append(
            Line(
                "Report text",
                counted(count, "disagreement") if count else "No disagreement",
                f"on {counted(len(report.text_report.findings), 'finding')}",
                Tone.CAREFUL if count else Tone.PLAIN,
                "text",
            )
        )
    return tuple(lines)


def _model(report: ScanReport) -> Line:
    model = report.model
    scans = {
        TrainingData.SYNTHETIC: "synthetic scans",
        TrainingData.MIXED: "scans of patients and synthetic ones",
        TrainingData.PATIENTS: "scans of patients",
    }[model.training_data]
    count = f"{model.training_scans} " if model.training_scans else ""
    return Line(
        "Model",
        f"{model.labels} findings, {model.network}, {model.profile} profile",
        f"{model.id} · trained on {count}{scans}",
        Tone.PLAIN if model.training_data is TrainingData.PATIENTS else Tone.CAREFUL,
    )


def _scope(report: ScanReport) -> Line:
    if report.status is Status.REFUSED:
        return Line("Scope", "Refused", report.quality.reasons[0].code, Tone.BAD)
    count = len(remarks(report))
    if count:
        return Line("Scope", "Chest CT, in scope", counted(count, "remark"), Tone.CAREFUL)
    return Line("Scope", "Chest CT, in scope", "no quality remark")


def remarks(report: ScanReport) -> tuple[str, ...]:
    """What is unusual about the scan, as sentences."""
    said = (*(note.meaning for note in report.quality.notes), *report.quality.warnings)
    return tuple(f"{text[:1].upper()}{text[1:]}." if text[:1].islower() else text for text in said)


def _acquisition(report: ScanReport) -> list[str]:
    contrast = {True: "contrast", False: "no contrast", None: ""}[report.scan.contrast]
    if report.scan.contrast_by is ContrastSource.IMAGE:
        contrast += " (by the blood's density)"
    kernel = f"kernel {report.scan.kernel}" if report.scan.kernel else ""
    vendor = "" if report.scan.vendor == "other" else report.scan.vendor
    vendor = vendor.upper() if len(vendor) <= 3 else vendor.capitalize()
    return [part for part in (vendor, kernel, contrast) if part]


def technical(report: ScanReport) -> tuple[tuple[str, str], ...]:
    """Model, series and measurements, for whoever looks closer."""
    model = report.model
    lines = [
        ("Model", f"{model.id}: {model.network} network, {model.profile} profile"),
        ("Labels", f"{model.labels}, learnt from reports by the {model.label_source} convention"),
    ]
    if model.validation_macro_auroc is not None:
        lines.append(
            (
                "Validation",
                f"macro AUROC {model.validation_macro_auroc:.2f} (chosen on it: hopeful)",
            )
        )
    if report.geometry:
        z, y, x = report.geometry.shape_zyx
        dz, dy, dx = report.geometry.spacing_mm_zyx
        lines.append(("Matrix", f"{x} x {y} x {z} of {dx:.3f} x {dy:.3f} x {dz:.3f} mm"))
        lines.append(("Extent", f"{x * dx:.0f} x {y * dy:.0f} x {z * dz:.0f} mm"))
    cells = next((f.evidence.cell_mm_zyx for f in report.findings if f.evidence), None)
    if cells:
        lines.append(("Evidence cell", " x ".join(f"{mm:.0f}" for mm in cells[::-1]) + " mm"))
    if report.scan.study:
        lines.append(("Study" if report.scan.identified else "Study (hash)", report.scan.study))
    if report.scan.source_sha256:
        lines.append(("Source SHA-256", report.scan.source_sha256))
    names = load_display().measurements
    for name, value in report.quality.measurements.items():
        shown = "not measured" if value is None else f"{value:g}" if _is_number(value) else value
        lines.append((names.get(name, name.replace("_", " ")), str(shown)))
    return tuple(lines)


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def calibration_meaning(report: ScanReport) -> str:
    """What calibration allows the reader to conclude in this report."""
    if not report.findings:
        return ""
    if all(finding.calibrated for finding in report.findings):
        return (
            "It is calibrated on validation scans of the training site. The counts given with a "
            "finding are of those scans; few of them make a rough figure."
        )
    return (
        "Where a finding is not calibrated on enough cases, its percentage orders scans but is no "
        "frequency."
    )


def slice_numbers(report: ScanReport) -> str:
    """How slices are counted."""
    if report.geometry is None:
        return ""
    return (
        f"{report.geometry.slice_numbers[0].upper()}{report.geometry.slice_numbers[1:]}. The "
        "picture shows the patient from the feet, the patient's right on the left."
    )
