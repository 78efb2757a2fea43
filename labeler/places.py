"""Where a mention sits: which of the places that its sentence names, if any."""

from dataclasses import dataclass
from typing import Any

from configs.anatomy import Anatomy
from configs.finding import Finding, PlaceRule
from labeler.context import Context
from labeler.lexicon import Hit, Item

ELSEWHERE = "elsewhere"
"""The words sit at a place where they do not mean this finding."""
_ASSUMED = PlaceRule.ASSUMED
_REQUIRED = PlaceRule.REQUIRED
_EXCLUSIVE = PlaceRule.EXCLUSIVE


@dataclass(frozen=True, slots=True)
class _Seat:
    """What a finding's file says about its place, made ready."""

    rule: PlaceRule
    assumed: str | None
    allowed: frozenset[str]
    around: frozenset[str]
    lobed: frozenset[str]
    """Where it is told by a lobe: nowhere unless it may sit in the lung, and then beside it too."""
    headers: frozenset[str]


class Places:
    """Finds mentions' places."""

    def __init__(self, findings: dict[str, Finding], anatomy: Anatomy) -> None:
        self._weak_means = {
            name: place.parent or name for name, place in anatomy.places.items() if place.weak
        }
        places = anatomy.places
        self.midline = anatomy.inside(tuple(name for name in places if places[name].midline))
        """The places that share no side with their neighbours."""
        lobed = anatomy.inside(tuple(name for name in places if places[name].lobes))
        beside = anatomy.inside(tuple({anatomy.outermost(name) for name in lobed}))
        self._seats = {}
        for name, finding in findings.items():
            allowed = anatomy.inside(finding.anatomy)
            around = frozenset(
                p for p in places if not anatomy.inside((p,)).isdisjoint(finding.anatomy)
            )
            if not finding.anatomy:
                with_lobe = lobed
            else:
                with_lobe = frozenset() if lobed.isdisjoint(finding.anatomy) else lobed | beside
            self._seats[name] = _Seat(
                finding.place,
                finding.anatomy[0] if finding.anatomy else None,
                allowed,
                around,
                with_lobe,
                frozenset(finding.headers),
            )

    def named(self, hits: list[Hit[str]]) -> list[Hit[str]]:
        """The places that a sentence names, without overlaps; weak words only where alone."""
        strong: list[Hit[str]] = []
        weak: list[Hit[str]] = []
        reached = 0
        for hit in hits:
            if hit.start >= reached:
                reached = hit.end
                (weak if hit.item in self._weak_means else strong).append(hit)
        if strong or not weak:
            return strong
        return [Hit(hit.start, hit.end, self._weak_means[hit.item]) for hit in weak]

    def has_lobe(self, mention: Hit[str], place: str | None) -> bool:
        """Whether a mention at a place is told by a lobe of the lung."""
        return place in self._seats[mention.item].lobed

    def under(self, finding: str, named: list[Hit[str]], header: frozenset[str]) -> str | None:
        """Where a finding sits by a header alone: the pericardium, of an effusion under "HEART".

        None where the words do not mean it there, or the sentence names another place.
        """
        seat = self._seats[finding]
        if seat.headers.isdisjoint(header) or any(hit.item not in header for hit in named):
            return None
        return seat.assumed

    def may_sit(self, finding: str, places: frozenset[str]) -> bool:
        """Whether a finding may sit at one of the places."""
        return not self._seats[finding].allowed.isdisjoint(places)

    def of(
        self, mention: Hit[str], named: list[Hit[str]], context: Context, inherited: str | None
    ) -> tuple[str | None, bool]:
        """A mention's place, or ELSEWHERE, and whether it hangs on the sentences before."""
        seat = self._seats[mention.item]
        near = named
        if named:
            near = context.beside(mention, named)
            allowed = [hit for hit in near if hit.item in seat.allowed]
            if allowed:
                return nearest(mention, allowed).item, False
        if seat.rule is _ASSUMED and seat.assumed is not None:
            return seat.assumed, False
        if seat.rule is _REQUIRED:
            allowed = [hit for hit in named if hit.item in seat.allowed]
            if allowed:
                return nearest(mention, allowed).item, False
            if near:
                return ELSEWHERE, False
            return (inherited if inherited in seat.allowed else ELSEWHERE), True
        if named:
            place = nearest(mention, near or named).item
            if seat.rule is not _EXCLUSIVE:
                return place, False
            if place in seat.allowed:
                return place, False
            return (seat.assumed if place in seat.around else ELSEWHERE), False
        if seat.rule is _EXCLUSIVE:
            return seat.assumed, False
        return inherited or seat.assumed, True


def nearest(mention: Hit[Any], hits: list[Hit[Item]]) -> Hit[Item]:
    """The hit with the fewest characters between it and a mention."""
    closest = hits[0]
    if len(hits) > 1:
        shortest = distance(mention, closest)
        for hit in hits:
            if (characters := distance(mention, hit)) < shortest:
                closest, shortest = hit, characters
    return closest


def distance(mention: Hit[Any], hit: Hit[Any]) -> int:
    """Characters between two stretches; 0 where they touch or overlap."""
    if hit.end <= mention.start:
        return mention.start - hit.end
    return max(hit.start - mention.end, 0)
