"""Not assessable is not absent: what an examination could not show, its report cannot deny."""

from configs.anatomy import Anatomy
from configs.contracts import Assessability, Existence
from configs.finding import Finding, Needs
from labeler.fact import Fact
from labeler.normality import LIMITED_PREFIX

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
        at all, `limited` where its place could not be judged well.
        """
        limits = {
            (fact.anatomy, fact.assessability)
            for fact in facts
            if fact.finding.startswith(LIMITED_PREFIX)
        }
        levels: dict[str | None, Assessability] = {None: FULL}
        for place in {fact.anatomy for fact in facts} - {None}:
            inside = {
                level
                for limited, level in limits
                if place and limited and self._anatomy.within(place, (limited,))
            }
            levels[place] = next((level for level in _WORST_FIRST if level in inside), FULL)
        return [self._adjust(fact, levels, no_contrast=no_contrast) for fact in facts]

    def _adjust(
        self, fact: Fact, levels: dict[str | None, Assessability], *, no_contrast: bool
    ) -> Fact:
        if fact.existence is not Existence.ABSENT:
            return fact
        if no_contrast and fact.finding in self._needs_contrast:
            return fact._replace(assessability=Assessability.NONE)
        level = levels[fact.anatomy]
        return fact if level is FULL else fact._replace(assessability=level)
