"""A findings draft in plain text, to copy and to correct: marked as a draft on its first line."""

from collections.abc import Iterator

from pipelines.rendering import finding_wording, wording
from pipelines.rendering.content import Finding, ScanReport
from pipelines.rendering.lists import Entry, lists

HEADING = "DRAFT, UNVERIFIED: written by software, checked by nobody"


def draft(report: ScanReport) -> str:
    """The draft of a scan that was read; every line says what the network says, and no more."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ScanReport) -> Iterator[str]:
    yield HEADING
    yield report.intended_use
    yield report.probability_meaning
    yield from wording.cautions(report)
    yield from wording.remarks(report)
    found = lists(report)
    yield ""
    yield "ABOVE THRESHOLD"
    for group in found.present.groups:
        yield f"{group.name}:"
        for entry in group.entries:
            yield f"- {_told(entry)}"
    if not found.present.findings:
        yield "None. That is not a normal scan: see what is not covered."
    yield from _named("INDETERMINATE", found.indeterminate.findings)
    yield from _named("BELOW THRESHOLD, WHICH DOES NOT RULE OUT", found.absent.findings)
    yield from _named("NOT ASSESSABLE WITHOUT CONTRAST", found.not_assessable.findings)
    yield from _named("NORMAL VARIANTS, SCORED", found.variants.findings)
    if report.not_covered:
        names = ", ".join(lack.name for lack in report.not_covered)
        yield from ("", "NOT COVERED BY THIS MODEL", names)


def _told(entry: Entry) -> str:
    finding = entry.finding
    said = f"{finding.name}, {finding_wording.chance(finding)}"
    if finding.foci:
        focus = finding.foci[0]
        said += f": evidence {finding_wording.place(focus)}, {finding_wording.slices(focus)}"
    if finding.cautions:
        said += ": unexplained"
    if entry.folded:
        said += f" (with {', '.join(_scored(finding) for finding in entry.folded)})"
    return said


def _scored(finding: Finding) -> str:
    return f"{finding.name} {finding_wording.chance(finding)}"


def _named(heading: str, findings: tuple[Finding, ...]) -> Iterator[str]:
    if findings:
        yield from ("", heading, ", ".join(map(_scored, findings)))
