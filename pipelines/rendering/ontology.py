"""What the ontology and its convention tell about a label of a bundle: group, kind, needs."""

from dataclasses import dataclass
from functools import cache

from configs.contracts import InputError
from configs.convention import load_convention
from configs.finding import Finding, Group, Kind, Needs, ancestors, load_findings


@dataclass(frozen=True, slots=True)
class Meaning:
    """A label by the findings that feed it."""

    group: Group
    findings: frozenset[str]
    """Every finding that feeds it: narrower ones included, those that a rule excepts left out."""
    own: frozenset[str]
    """The findings that its rules name."""
    umbrella: bool
    """Some of its own findings are terms for several possible findings."""
    variant: bool
    """All of its own findings are normal variants."""
    needs_contrast: bool
    """None of its own findings can be seen without contrast."""


@cache
def meaning(label: str) -> Meaning | None:
    """What `convention:label` means; None for a convention that only the training site has."""
    name, _, plain = label.rpartition(":")
    try:
        convention = load_convention(name)
    except InputError:
        return None
    if plain not in convention.labels:
        return None
    known = load_findings()
    rules = convention.rules(plain)
    own = frozenset(finding for rule in rules for finding in rule.findings)
    if not own <= known.keys():
        return None
    first = known[rules[0].findings[0]]
    named: list[Finding] = [known[finding] for finding in own]
    return Meaning(
        group=first.group,
        findings=frozenset().union(
            *(_within(rule.findings, known) - _within(rule.unless, known) for rule in rules)
        ),
        own=own,
        umbrella=any(finding.kind is Kind.UMBRELLA for finding in named),
        variant=all(finding.kind is Kind.VARIANT for finding in named),
        needs_contrast=all(finding.requires is Needs.CONTRAST for finding in named),
    )


def _within(findings: tuple[str, ...], known: dict[str, Finding]) -> frozenset[str]:
    """These findings and every narrower one."""
    wanted = frozenset(findings)
    return wanted | {name for name in known if not wanted.isdisjoint(ancestors(name, known))}


def included(label: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of the same convention that an umbrella term includes; none for other terms."""
    broad, convention = meaning(label), label.rpartition(":")[0]
    if broad is None or not broad.umbrella:
        return ()
    return tuple(
        other
        for other in labels
        if other != label
        and other.rpartition(":")[0] == convention
        and (narrow := meaning(other)) is not None
        and narrow.own <= broad.findings - broad.own
    )
