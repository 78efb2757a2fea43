"""Facts to labels, as a convention says. Matching never sees a convention, nor it the text."""

import math
from collections.abc import Iterable

from configs.anatomy import Anatomy
from configs.contracts import (
    Assessability,
    Existence,
    Experiencer,
    InputError,
    LabelValue,
    Temporality,
)
from configs.convention import Convention, LabelRule
from configs.finding import Finding, ancestors
from labeler.fact import Fact
from labeler.normality import NORMAL_PREFIX
from labeler.segment import EVIDENCE_SECTIONS

_BLANK, _GROUP_ABSENT, _ABSENT, _UNCERTAIN, _PRESENT = range(5)
_RANK = {"blank": _BLANK, "absent": _ABSENT, "uncertain": _UNCERTAIN, "present": _PRESENT}
_VALUE: tuple[int | None, ...] = (
    None,
    int(LabelValue.ABSENT),
    int(LabelValue.ABSENT),
    int(LabelValue.UNCERTAIN),
    int(LabelValue.PRESENT),
)
_IS_ABSENT = Existence.ABSENT
_IS_UNCERTAIN = Existence.UNCERTAIN
_PRIOR = Temporality.PRIOR
_PATIENT = Experiencer.PATIENT
_NOT_ASSESSABLE = Assessability.NONE
_SAID_PRESENT = LabelValue.PRESENT
_SAID_UNCERTAIN = LabelValue.UNCERTAIN
Weight = tuple[int, int]
"""A label's number and how strongly a fact speaks for it; the strongest fact decides."""


class _Rule:
    """One rule of a label, made ready."""

    __slots__ = ("at", "label", "max_mm", "measured", "min_mm", "named", "not_at", "short_axis")

    def __init__(self, label: int, rule: LabelRule, anatomy: Anatomy) -> None:
        self.label = label
        self.named = frozenset(rule.findings)
        """A denial of what is narrower denies none of these: "no honeycombing" leaves the rest."""
        self.at = anatomy.inside(rule.anatomy) if rule.anatomy else None
        self.not_at = anatomy.inside(rule.not_anatomy)
        self.measured = rule.measured
        self.short_axis = rule.short_axis
        self.min_mm = rule.min_size_mm or 0.0
        self.max_mm = math.inf if rule.max_size_mm is None else rule.max_size_mm

    def counts(self, fact: Fact) -> bool:
        """Whether a fact is one that the rule speaks of."""
        if self.measured and fact.size_mm is None and fact.existence is not _IS_ABSENT:
            return False  # what is denied has no size
        if fact.existence is _IS_ABSENT and fact.finding not in self.named:
            return False
        place = fact.anatomy
        return place not in self.not_at and (self.at is None or place in self.at)

    def fits(self, fact: Fact) -> bool:
        """Whether a fact that has a size has the rule's size."""
        size_mm = min(fact.sizes_mm) if self.short_axis else max(fact.sizes_mm)
        if fact.size_below and size_mm <= self.min_mm:  # "less than 10 mm" is no 10 mm
            return False
        return self.min_mm <= size_mm <= self.max_mm


class CompiledConvention:
    """A convention made ready: which labels a fact feeds, and with what."""

    def __init__(
        self, convention: Convention, findings: dict[str, Finding], anatomy: Anatomy
    ) -> None:
        self.names = tuple(convention.labels)
        self.locations = convention.locations
        coding = convention.coding
        self._uncertain, self._prior_only = _RANK[coding.uncertain], _RANK[coding.prior_only]
        self._not_assessable = _RANK[coding.not_assessable]
        self._group_normal = _GROUP_ABSENT if coding.group_normal == "absent" else _BLANK
        self._counted_hedges = frozenset(coding.counted_hedges)
        self._binary = convention.binary
        self.anatomy = anatomy
        self._feeds: dict[str, list[_Rule]] = {}
        self._groups: dict[str, list[int]] = {}
        for number, label in enumerate(self.names):
            groups = set()
            for rule in convention.rules(label):
                _check_known(convention, label, rule, findings, anatomy)
                compiled = _Rule(number, rule, anatomy)
                for finding in _closed(rule.findings, findings) - _closed(rule.unless, findings):
                    self._feeds.setdefault(finding, []).append(compiled)
                groups |= {findings[finding].group for finding in rule.findings}
            for name, place in anatomy.places.items():
                if groups and groups <= set(place.normal_rules_out):
                    self._groups.setdefault(NORMAL_PREFIX + name, []).append(number)

    def weights(self, fact: Fact) -> list[Weight]:
        """What a fact says about the labels."""
        if (
            fact.section not in EVIDENCE_SECTIONS
            or fact.hypothetical
            or fact.experiencer is not _PATIENT
        ):
            return []
        if fact.finding in self._groups:
            return [(number, self._group_normal) for number in self._groups[fact.finding]]
        return [
            (rule.label, self._rank(fact, rule))
            for rule in self._feeds.get(fact.finding, ())
            if rule.counts(fact)
        ]

    def values(self, fact: Fact) -> list[tuple[str, int]]:
        """The labels that a fact makes present (1) or uncertain (-1)."""
        return [
            (self.names[number], int(value))
            for number, rank in self.weights(fact)
            if (value := _VALUE[rank]) in (_SAID_PRESENT, _SAID_UNCERTAIN)
        ]

    def _rank(self, fact: Fact, rule: _Rule) -> int:
        if fact.assessability is _NOT_ASSESSABLE:
            return self._not_assessable
        if fact.existence is _IS_ABSENT:
            return _ABSENT
        if fact.temporality is _PRIOR:
            return self._prior_only
        if fact.size_mm is not None and not rule.fits(fact):
            return _ABSENT
        if fact.existence is _IS_UNCERTAIN and fact.cue not in self._counted_hedges:
            return self._uncertain
        return _PRESENT

    def labels(
        self, weights: Iterable[Weight], *, incomplete_by_reference: bool
    ) -> dict[str, int | None]:
        """The labels of a report from all its facts' weights."""
        ranks = [_BLANK] * len(self.names)
        for number, rank in weights:
            if rank > ranks[number]:
                ranks[number] = rank
        if incomplete_by_reference:
            ranks = [_BLANK if rank == _GROUP_ABSENT else rank for rank in ranks]
        return {name: _VALUE[rank] for name, rank in zip(self.names, ranks, strict=True)}

    def binary(self, labels: dict[str, int | None]) -> dict[str, int]:
        """Labels as 0 and 1 only: uncertain and blank as the convention says."""
        return {
            name: self._binary.blank
            if value is None
            else self._binary.uncertain
            if value == _SAID_UNCERTAIN
            else value
            for name, value in labels.items()
        }


def _check_known(
    convention: Convention,
    label: str,
    rule: LabelRule,
    findings: dict[str, Finding],
    anatomy: Anatomy,
) -> None:
    for finding in (*rule.findings, *rule.unless):
        if finding not in findings:
            raise InputError(
                f"{convention.where(label)}label {label!r}: no finding is called {finding!r}; "
                "expected an id of configs/findings"
            )
    for place in (*rule.anatomy, *rule.not_anatomy):
        if place not in anatomy.places:
            raise InputError(
                f"{convention.where(label)}label {label!r}: no place is called {place!r}; "
                "configs/anatomy.yaml has the places"
            )


def _closed(wanted: tuple[str, ...], findings: dict[str, Finding]) -> set[str]:
    """The wanted findings and every narrower one."""
    return set(wanted) | {
        name for name in findings if not set(wanted).isdisjoint(ancestors(name, findings))
    }
