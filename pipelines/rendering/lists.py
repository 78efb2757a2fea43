"""The lists of a report in reading order: findings by decision and organ, umbrella terms folded."""

from dataclasses import dataclass

from pipelines.rendering.content import Decision, Finding, ScanReport
from pipelines.rendering.display import load_display


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a list: a finding, and the umbrella terms that fold under it."""

    finding: Finding
    folded: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """An organ group with its rows."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """All findings of one kind, most probable first, and the same by organ."""

    findings: tuple[Finding, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """Every finding of a report in exactly one list."""

    present: Section
    indeterminate: Section
    absent: Section
    not_assessable: Section
    variants: Section


def lists(report: ScanReport) -> Lists:
    """Sort a report's findings into lists; normal variants stand apart, whatever the decision."""

    def section(decision: Decision) -> Section:
        return _section(tuple(f for f in report.having(decision) if not f.variant))

    by_probability = sorted(report.findings, key=lambda finding: -finding.probability)
    return Lists(
        present=section(Decision.PRESENT),
        indeterminate=section(Decision.INDETERMINATE),
        absent=section(Decision.ABSENT),
        not_assessable=section(Decision.NOT_ASSESSABLE),
        variants=_section(tuple(f for f in by_probability if f.variant)),
    )


def _section(findings: tuple[Finding, ...]) -> Section:
    """By organ, in reading order; an umbrella folds under its most probable child listed here."""
    umbrellas: dict[str, list[Finding]] = {}
    for finding in findings:
        children = [child for child in findings if child.label in finding.umbrella_of]
        if children:
            umbrellas.setdefault(children[0].label, []).append(finding)
    folded = {umbrella.label for group in umbrellas.values() for umbrella in group}
    groups = []
    for key, name in load_display().groups.items():
        entries = tuple(
            Entry(finding, tuple(umbrellas.get(finding.label, ())))
            for finding in findings
            if finding.group == key and finding.label not in folded
        )
        if entries:
            groups.append(Group(name, entries))
    return Section(findings, tuple(groups))
