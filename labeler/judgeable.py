"""Not assessable is not absent: what an examination could not show, its report cannot deny."""

from configs.anatomy import Anatomy
from configs.contracts import Assessability, Existence
from configs.finding import Finding, Needs
from labeler.attributes import BILATERAL
from labeler.fact import Fact
from labeler.normality import LIMITED_PREFIX

_Part = tuple[str | None, str | None, str | None]
"""A side, a lobe, a segment."""
_Where = tuple[str | None, _Part]
_Limit = tuple[str, _Part, Assessability]

FULL = Assessability.FULL
_WORST_FIRST = (Assessability.NONE, Assessability.LIMITED)


class Judgeable:
    """Marks denials of what could not be judged, from what the whole report says."""

    def __init__(self, findings: dict[str, Finding], anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._needs_contrast = frozenset(
            name for name, finding in findings.items() if finding.requires is Needs.CONTRAST
        )

    def adjusted(self, facts: list[Fact], *, no_contrast: bool) -> list[Fact]:
        """The facts with `assessability` set on denials.

        `none` where the finding needs contrast that was not given or its place could not be judged
        at all, `limited` where its place, or only a part of it, could not be judged well.
        """
        limits = {
            (fact.anatomy, _part(fact), fact.assessability)
            for fact in facts
            if fact.anatomy and fact.finding.startswith(LIMITED_PREFIX)
        }
        levels: dict[_Where, Assessability] = {}
        adjusted = []
        for fact in facts:
            if fact.existence is Existence.ABSENT:
                where = fact.anatomy, _part(fact)
                if where not in levels:
                    levels[where] = self._level(where, limits)
                level = levels[where]
                if no_contrast and fact.finding in self._needs_contrast:
                    level = Assessability.NONE
                if level is not FULL:
                    fact = fact._replace(assessability=level)
            adjusted.append(fact)
        return adjusted

    def _level(self, where: _Where, limits: set[_Limit]) -> Assessability:
        """How well a place could be judged; where it is, a part that could not limits the whole."""
        place, part = where
        inside = set()
        for limited, limited_part, level in limits:
            if place is None or not self._anatomy.within(place, (limited,)):
                continue
            said = [
                (mine, theirs) for mine, theirs in zip(part, limited_part, strict=True) if theirs
            ]
            if all(mine == theirs for mine, theirs in said):
                inside.add(level)
            elif all(mine in (None, theirs) for mine, theirs in said):
                inside.add(Assessability.LIMITED)
        return next((level for level in _WORST_FIRST if level in inside), FULL)


def _part(fact: Fact) -> _Part:
    side = None if fact.side == BILATERAL else fact.side  # both are the whole
    return side, fact.lobe, fact.segment
