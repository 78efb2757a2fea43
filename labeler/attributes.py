"""What a sentence says of a mention beside its context: sizes, side, lobe, severity, count."""

import re
from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.cue import Meaning
from labeler.clauses import FoundCue
from labeler.context import Context
from labeler.lexicon import Hit, HitKind, Hits, by_start_then_longest
from labeler.measurements import Measurement, measurements
from labeler.owners import MEASURE, Owners
from labeler.places import distance, nearest

_REACH = 300  # characters between a mention and its measurement
_COMPARED = re.compile(r"\bthan (?:on )?(?:the )?$")  # "left greater than right"


class Attributes(NamedTuple):
    """The last columns of a fact."""

    side: str | None
    lobe: str | None
    segment: str | None
    size_mm: float | None
    sizes_mm: tuple[float, ...]
    prior_size_mm: float | None
    severity: str | None
    count: int | None  # type: ignore[assignment]  # a table column, shadows tuple.count


NO_ATTRIBUTES = Attributes(None, None, None, None, (), None, None, None)
_VALUED = frozenset({Meaning.SEVERITY, Meaning.COUNT})


class AttributeReader:
    """Reads the attributes of one sentence's mentions."""

    def __init__(self, anatomy: Anatomy, hits: Hits, mentions: list[Hit], context: Context) -> None:
        self._lobes = anatomy.lobes
        self._context = context
        self._segments = hits[HitKind.SEGMENT]
        self._sizes: dict[Hit, list[Measurement]] = {}
        self._side_of: dict[Hit, str] = {}
        self._lobe_of: dict[Hit, str] = {}
        sizes = measurements(context.text)
        places = self._places(hits[HitKind.SIDE] + hits[HitKind.LOBE])
        self._owners = Owners(context, mentions) if sizes or places else None
        self._silent = not (self._owners or self._segments)
        if self._owners is None:
            return
        for size in sizes:
            self._attach(size, self._owners)
        if places:
            self._settle(places, self._owners)

    def _attach(self, size: Measurement, owners: Owners) -> None:
        """Give a measurement to the noun phrase it belongs to, be it in another clause."""
        place = Hit(size.start, size.end, MEASURE)
        owner = owners.owner(place) or owners.nearest(place)
        if distance(place, owner) <= _REACH:
            self._sizes.setdefault(owner, []).append(size)

    def _places(self, hits: list[Hit]) -> list[Hit]:
        """Sides and lobes, save those within a lobe's words or after "left greater than"."""
        places: list[Hit] = []
        reached = 0
        compares = "than" in self._context.text
        for hit in sorted(hits, key=by_start_then_longest) if len(hits) > 1 else hits:
            if self._own_side(hit):
                reached = max(reached, hit.end)
            elif hit.end <= reached or (
                compares and _COMPARED.search(self._context.text, max(0, hit.start - 12), hit.start)
            ):
                continue
            places.append(hit)
        return places

    def _own_side(self, lobe: Hit) -> str | None:
        known = self._lobes.get(lobe.item)
        return known.side if known else None

    def _settle(self, places: list[Hit], owners: Owners) -> None:
        """Give each noun phrase the side and lobe of its own places, or those that it shares."""
        sides: dict[Hit, set[str]] = {}
        lobes: dict[Hit, Hit] = {}
        side_owners: dict[Hit, Hit] = {}
        lobe_owners: dict[Hit, Hit] = {}
        for place in places:
            owner = owners.owner(place)
            if owner is None:
                continue
            side: str | None = place.item
            if place.item in self._lobes:
                side = self._own_side(place)
                lobe_owners[place] = owner
                lobes[owner] = nearest(owner, [lobes.get(owner, place), place])
            if side is not None:
                side_owners[place] = owner
                sides.setdefault(owner, set()).add(side)
        for owner, all_sides in sides.items():
            self._side_of[owner] = "bilateral" if len(all_sides) > 1 else next(iter(all_sides))
        for owner, lobe in lobes.items():
            self._lobe_of[owner] = lobe.item
        if owners.is_one:
            return
        for phrase, lender in owners.lenders(side_owners, ()).items():
            self._side_of[phrase] = self._side_of[lender]
        for phrase, lender in owners.lenders(lobe_owners, sides).items():
            self._lobe_of[phrase] = self._lobe_of[lender]

    def read(self, mention: Hit, governing: list[FoundCue]) -> Attributes:
        """The attributes of a mention, given the cues whose scope it is in."""
        is_valued = any(found.cue.means in _VALUED for found in governing)
        if self._silent and not is_valued:
            return NO_ATTRIBUTES
        phrase = self._owners.phrase(mention) if self._owners else mention
        side, lobe = self._side_and_lobe(phrase)
        segment = None
        if self._segments and (near := self._context.beside(mention, self._segments)):
            segment = nearest(mention, near).item
        current: tuple[float, ...] = ()
        earlier: list[float] = []
        if self._sizes:
            sizes = self._sizes.get(phrase, ())
            current = tuple(d for size in sizes if not size.prior for d in size.diameters_mm)
            earlier = [d for size in sizes if size.prior for d in size.diameters_mm]
        severity = count = None
        if is_valued:
            severity = _nearest_value(mention, governing, Meaning.SEVERITY)
            count = _nearest_value(mention, governing, Meaning.COUNT)
        return Attributes(
            side,
            lobe,
            segment,
            max(current) if current else None,
            current,
            max(earlier) if earlier else None,
            severity,
            int(count) if count else None,
        )

    def _side_and_lobe(self, phrase: Hit) -> tuple[str | None, str | None]:
        side, lobe = self._side_of.get(phrase), self._lobe_of.get(phrase)
        if lobe is None:
            return side, None
        own_side = self._lobes[lobe].side
        if own_side is None and side in ("right", "left"):
            return side, f"{side}_{lobe}"
        return side, lobe if own_side in (None, side) or side == "bilateral" else None


def _nearest_value(mention: Hit, governing: list[FoundCue], means: Meaning) -> str | None:
    found = [Hit(cue.start, cue.end, cue.cue.value) for cue in governing if cue.cue.means is means]
    value: str | None = nearest(mention, found).item if found else None
    return value
