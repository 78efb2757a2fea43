"""What a sentence says of a mention beside its context: sizes, side, lobe, severity, count."""

import re
from typing import NamedTuple

from configs.cue import Meaning
from labeler.clauses import FoundCue
from labeler.context import Context
from labeler.lexicon import Hit, Hits, by_start_then_longest
from labeler.measurements import Measurement, measurements
from labeler.owners import MEASURE, Owners
from labeler.places import nearest

_REACH = 300  # characters between a mention and its measurement
_BILATERAL = "bilateral"
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


class AttributeReader:
    """Reads the attributes of one sentence's mentions."""

    __slots__ = (
        "_context",
        "_lobe_of",
        "_mentions",
        "_owners",
        "_segments",
        "_side_in_lobe",
        "_side_of",
        "_sizes",
    )

    def __init__(
        self,
        side_in_lobe: dict[str, str | None],
        hits: Hits,
        mentions: list[Hit[str]],
        context: Context,
    ) -> None:
        """`side_in_lobe` has every lobe, and the side where its words say one."""
        self._side_in_lobe = side_in_lobe
        self._context = context
        self._mentions = mentions
        self._segments = hits.segments
        self._sizes: dict[int, list[Measurement]] = {}
        self._side_of: dict[int, str] = {}
        self._lobe_of: dict[int, str] = {}
        self._owners: Owners | None = None
        sizes = measurements(context.text)
        places = self._places(hits.sides, hits.lobes)
        if sizes or places:
            self._owners = Owners(context, mentions)
            for size in sizes:
                self._attach(size, self._owners)
            if places:
                self._settle(places, self._owners)

    def _attach(self, size: Measurement, owners: Owners) -> None:
        """Give a measurement to the noun phrase it belongs to, be it in another clause."""
        place = Hit(size.start, size.end, MEASURE)
        owner = owners.owner(place)
        if owner is None:
            owner = owners.nearest(place)
        if owners.distance(owner, place) <= _REACH:
            self._sizes.setdefault(owner, []).append(size)

    def _places(self, sides: list[Hit[str]], lobes: list[Hit[str]]) -> list[Hit[str]]:
        """Sides and lobes, save those within a lobe's words or after "left greater than"."""
        places: list[Hit[str]] = []
        reached = 0
        text = self._context.text
        compares = "than" in text
        hits = sorted(sides + lobes, key=by_start_then_longest) if lobes else sides
        for hit in hits:
            if self._side_in_lobe.get(hit.item) is not None:
                reached = max(reached, hit.end)
            elif hit.end <= reached or (
                compares and _COMPARED.search(text, max(0, hit.start - 12), hit.start)
            ):
                continue
            places.append(hit)
        return places

    def _settle(self, places: list[Hit[str]], owners: Owners) -> None:
        """Give each noun phrase the side and lobe of its own places, or those that it shares."""
        lobes: dict[int, Hit[str]] = {}
        of_sides: list[tuple[Hit[str], int]] = []
        of_lobes: list[tuple[Hit[str], int]] = []
        for place in places:
            owner = owners.owner(place)
            if owner is None:
                continue
            side: str | None = place.item
            if place.item in self._side_in_lobe:
                side = self._side_in_lobe[place.item]
                of_lobes.append((place, owner))
                known = lobes.get(owner)
                if known is None or owners.distance(owner, place) < owners.distance(owner, known):
                    lobes[owner] = place
                    self._lobe_of[owner] = place.item
            if side is not None:
                of_sides.append((place, owner))
                said = self._side_of.setdefault(owner, side)
                if side != said:
                    self._side_of[owner] = _BILATERAL
        if owners.is_one:
            return
        sided = set(self._side_of)
        for phrase, lender in owners.lenders(of_sides, ()).items():
            self._side_of[phrase] = self._side_of[lender]
        for phrase, lender in owners.lenders(of_lobes, sided).items():
            self._lobe_of[phrase] = self._lobe_of[lender]

    def read(self, number: int, governing: list[FoundCue]) -> Attributes:
        """The attributes of the mention of a number, given the cues whose scope it is in."""
        has_values = self._context.has_values and governing
        if self._owners is None and not self._segments and not has_values:
            return NO_ATTRIBUTES
        mention = self._mentions[number]
        side = lobe = segment = severity = count = None
        current: list[float] = []
        earlier: list[float] = []
        if self._owners is not None:
            phrase = self._owners.phrase_of[number]
            side, lobe = self._side_and_lobe(phrase)
            for size in self._sizes.get(phrase, ()):
                (earlier if size.prior else current).extend(size.diameters_mm)
        if self._segments and (near := self._context.beside(mention, self._segments)):
            segment = nearest(mention, near).item
        if has_values:
            severity = _nearest_value(mention, governing, Meaning.SEVERITY)
            count = _nearest_value(mention, governing, Meaning.COUNT)
        return tuple.__new__(
            Attributes,
            (
                side,
                lobe,
                segment,
                max(current) if current else None,
                tuple(current),
                max(earlier) if earlier else None,
                severity,
                int(count) if count else None,
            ),
        )

    def _side_and_lobe(self, phrase: int) -> tuple[str | None, str | None]:
        side, lobe = self._side_of.get(phrase), self._lobe_of.get(phrase)
        if lobe is None:
            return side, None
        own_side = self._side_in_lobe[lobe]
        if own_side is None and side in ("right", "left"):
            return side, f"{side}_{lobe}"
        return side, lobe if own_side in (None, side) or side == _BILATERAL else None


def _nearest_value(mention: Hit[str], governing: list[FoundCue], means: Meaning) -> str | None:
    found = [cue for cue in governing if cue.item.means is means]
    return nearest(mention, found).item.value if found else None
