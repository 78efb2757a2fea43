"""What a sentence says of a mention beside its context: sizes, side, lobe, severity, count."""

import re
from typing import NamedTuple

from configs.cue import Meaning
from labeler.context import Context
from labeler.cues import FoundCue
from labeler.fact import Fact
from labeler.judgement import Judgement
from labeler.lexicon import Hit, Hits, by_start_then_longest
from labeler.measurements import Measurement, may_measure, measurements
from labeler.owners import MEASURE, Owners
from labeler.places import nearest

_REACH = 300  # characters between a mention and its measurement
BILATERAL = "bilateral"
_SEVERITY = Meaning.SEVERITY
_COUNT = Meaning.COUNT
_COMPARED = re.compile(r"\bthan (?:on )?(?:the )?$")  # "left greater than right"
_RELATIVE = re.compile(r" of\b")  # "left of the trachea"
_Owned = tuple[Hit[str], int]
"""A place and the number of the noun phrase that it belongs to."""
_BESIDE = 16  # characters between "adjacent to" and a side that is its landmark's


class Attributes(NamedTuple):
    """The last columns of a fact."""

    side: str | None
    lobe: str | None
    segment: str | None
    size_mm: float | None
    sizes_mm: tuple[float, ...]
    other_sizes_mm: tuple[float, ...]
    size_below: bool
    prior_size_mm: float | None
    severity: str | None
    count: int | None  # type: ignore[assignment]  # a table column, shadows tuple.count


NO_ATTRIBUTES = Attributes(None, None, None, None, (), (), False, None, None, None)


def fact_of(
    text: str,
    section: str,
    mention: Hit[str],
    judgement: Judgement,
    place: str | None,
    attributes: Attributes,
) -> Fact:
    """The fact that a mention makes, in its sentence's own offsets."""
    start, end = mention.start, mention.end
    words = section, 0, start, end, text[start:end], mention.item
    return tuple.__new__(Fact, words + judgement[:-1] + (place,) + attributes + judgement[-1:])


def may_have_attributes(hits: Hits, context: Context) -> bool:
    """Whether a sentence may have any attribute to give to its mentions."""
    return bool(
        hits.sides or hits.lobes or hits.segments or context.has_values or may_measure(context.text)
    )


class AttributeReader:
    """Reads the attributes of one sentence's mentions."""

    __slots__ = (
        "_borrowed",
        "_context",
        "_landmarks",
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
        self._landmarks = hits.landmarks
        self._sizes: dict[int, list[Measurement]] = {}
        self._side_of: dict[int, str] = {}
        self._lobe_of: dict[int, str] = {}
        self._borrowed: dict[int, int] = {}
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
            elif (
                hit.end <= reached
                or (compares and _COMPARED.search(text, max(0, hit.start - 12), hit.start))
                or (hit.item not in self._side_in_lobe and _RELATIVE.match(text, hit.end))
            ):
                continue
            places.append(hit)
        return places

    def _is_landmark(self, place: Hit[str]) -> bool:
        """Whether a place is only that of something beside: "adjacent to the left subclavian"."""
        return any(
            0 <= place.start - landmark.end <= _BESIDE
            and "," not in self._context.text[landmark.end : place.start]
            for landmark in self._landmarks
        )

    def _settle(self, places: list[Hit[str]], owners: Owners) -> None:
        """Give each noun phrase the side and lobe of its own places, or those that it shares."""
        lobes: dict[int, Hit[str]] = {}
        of_sides: list[_Owned] = []
        of_lobes: list[_Owned] = []
        landmarks: list[Hit[str]] = []
        if self._landmarks:
            landmarks = [place for place in places if self._is_landmark(place)]
        if landmarks:  # they count last, and only where nothing else says the side
            places = [place for place in places if place not in landmarks] + landmarks
        sided: set[int] = set()
        for place in places:
            owner = owners.owner(place)
            if owner is None or (place in landmarks and owner in sided):
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
                if place not in landmarks:
                    sided.add(owner)
                said = self._side_of.setdefault(owner, side)
                if side != said:
                    self._side_of[owner] = BILATERAL
        if not owners.is_one:
            self._share(of_sides, of_lobes, owners)

    def _share(self, of_sides: list[_Owned], of_lobes: list[_Owned], owners: Owners) -> None:
        """Lend sides and lobes to the noun phrases that have none of their own."""
        of_sides.sort(key=_by_start)
        of_lobes.sort(key=_by_start)
        self._borrowed = owners.lenders(of_sides, ())
        for phrase, lender in owners.lenders(of_lobes, self._side_of).items():
            self._lobe_of[phrase] = self._lobe_of[lender]

    def read(
        self, number: int, governing: list[FoundCue], *, has_lobe: bool, is_midline: bool
    ) -> Attributes:
        """The attributes of the mention of a number, given the cues whose scope it is in.

        What has no lobe is given none; what lies in the midline shares no side.
        """
        mention = self._mentions[number]
        side = lobe = segment = severity = count = None
        is_limit = True
        current: list[tuple[float, ...]] = []
        earlier: list[float] = []
        if self._owners is not None:
            phrase = self._owners.phrase_of[number]
            side = self._side_of.get(phrase)
            if side is None and not is_midline and phrase in self._borrowed:
                side = self._side_of[self._borrowed[phrase]]
            if has_lobe:
                lobe = self._lobe(phrase, side)
            for size in self._sizes.get(phrase, ()):
                if size.prior:
                    earlier.extend(size.diameters_mm)
                else:
                    current.append(size.diameters_mm)
                is_limit = is_limit and (size.below or size.prior)
        if self._segments and (near := self._context.beside(mention, self._segments)):
            segment = nearest(mention, near).item
        if self._context.has_values and governing:
            severity = _nearest_value(mention, governing, _SEVERITY)
            count = _nearest_value(mention, governing, _COUNT)
        largest: tuple[float, ...] = max(current, key=max) if current else ()
        return tuple.__new__(
            Attributes,
            (
                side,
                lobe,
                segment,
                max(largest) if largest else None,
                largest,
                _others(current, largest) if len(current) > 1 else (),
                is_limit and bool(current),
                max(earlier) if earlier else None,
                severity,
                int(count) if count else None,
            ),
        )

    def _lobe(self, phrase: int, side: str | None) -> str | None:
        """The lobe of a phrase, as far as it agrees with the side."""
        lobe = self._lobe_of.get(phrase)
        if lobe is None:
            return None
        own_side = self._side_in_lobe[lobe]
        if own_side is None and side in ("right", "left"):
            return f"{side}_{lobe}"
        return lobe if own_side in (None, side) or side == BILATERAL else None


def _others(sizes: list[tuple[float, ...]], largest: tuple[float, ...]) -> tuple[float, ...]:
    """The diameter of each thing measured beside the largest."""
    sizes.remove(largest)
    return tuple(max(diameters) for diameters in sizes)


def _by_start(owned: _Owned) -> int:
    return owned[0].start


def _nearest_value(mention: Hit[str], governing: list[FoundCue], means: Meaning) -> str | None:
    found = [cue for cue in governing if cue.item.means is means]
    return nearest(mention, found).item.value if found else None
