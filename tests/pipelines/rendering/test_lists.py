"""Every finding stands in exactly one list, umbrella terms under their children."""

from pipelines.rendering.content import Decision, Finding, ScanReport
from pipelines.rendering.lists import Section, lists


def changed(report: ScanReport, label: str, **fields: object) -> ScanReport:
    findings = tuple(
        Finding.model_validate(f.model_dump() | (fields if f.label == label else {}))
        for f in report.findings
    )
    return report.model_copy(update={"findings": findings})


def labels(section: Section) -> list[str]:
    entries = [entry for group in section.groups for entry in group.entries]
    return [f.label for entry in entries for f in (entry.finding, *entry.folded)]


def test_every_finding_is_listed_once(report: ScanReport) -> None:
    blind = changed(report, "ct_rate:Emphysema", decision=Decision.NOT_ASSESSABLE)
    variant = changed(blind, "ct_rate:Lung nodule", variant=True)
    found = lists(variant)
    assert labels(found.not_assessable) == ["ct_rate:Emphysema"]
    assert labels(found.variants) == ["ct_rate:Lung nodule"]
    sections = (
        found.present, found.indeterminate, found.absent, found.not_assessable, found.variants,
    )  # fmt: skip
    listed = [label for section in sections for label in labels(section)]
    assert sorted(listed) == sorted(f.label for f in report.findings)


def test_an_umbrella_folds_under_a_child_of_the_same_list_only(report: ScanReport) -> None:
    assert labels(lists(report).present)[1:] == ["ct_rate:Consolidation", "ct_rate:Lung opacity"]
    apart = lists(changed(report, "ct_rate:Consolidation", decision=Decision.ABSENT))
    entries = [entry for group in apart.present.groups for entry in group.entries]
    assert all(entry.folded == () for entry in entries)
