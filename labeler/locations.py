"""Where a report's labels lie: RAD-ChestCT's label x location table, in long form."""

from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.contracts import LabelValue
from configs.convention import LocationRule
from labeler.conventions import CompiledConvention
from labeler.fact import Fact


class LabelLocation(NamedTuple):
    """One label present, or uncertain, at one location."""

    label: str
    location: str
    value: int
    """1 present, -1 uncertain."""


def label_locations(
    facts: tuple[Fact, ...], convention: CompiledConvention
) -> tuple[LabelLocation, ...]:
    """Every label at every location where some fact puts it; the surest fact decides."""
    found: dict[tuple[str, str], int] = {}
    for fact in facts:
        values = convention.values(fact)
        if not values:
            continue
        for location, rule in convention.locations.items():
            if not _lies_at(fact, rule, convention.anatomy):
                continue
            for label, value in values:
                if found.get((label, location)) != LabelValue.PRESENT:
                    found[label, location] = value
    return tuple(LabelLocation(*place, value) for place, value in sorted(found.items()))


def _lies_at(fact: Fact, rule: LocationRule, anatomy: Anatomy) -> bool:
    if rule.anatomy and (fact.anatomy is None or not anatomy.within(fact.anatomy, rule.anatomy)):
        return False
    if rule.sides and fact.side not in rule.sides:
        return False
    return not rule.lobes or fact.lobe in rule.lobes
