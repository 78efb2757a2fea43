"""What a sentence says of a mention beside its context: sizes, side, lobe, severity, count."""

import re
from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.cue import Meaning
from labeler.context import Context, FoundCue
from labeler.lexicon import Hit, HitKind, Hits
from labeler.places import distance, nearest

_MEASUREMENT = re.compile(
    r"(?<![\w.,])(\d{1,4}(?:[.,]\d{1,3})?)"
    r"((?:\s{0,2}(?:mm|cm)?\s{0,2}[x\u00d7*]\s{0,2}\d{1,4}(?:[.,]\d{1,3})?){0,2})"
    r"\s{0,2}-?(mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b"
)
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")
_UNITS = ("mm", "cm", "millim", "centim")
_PRIOR_AFTER = re.compile(r"[^,;.()\d]{0,24}\b(?:previous|previously|prior|old|earlier|formerly)\b")
_PRIOR_BEFORE = re.compile(
    r"(?:\b(?:previously|formerly|from|(?:previous|prior|old|earlier)\b[^,;.()\d]{0,24})"
    r"[^,;.()\d]{0,14})$"
)
_NOT_A_SIZE = re.compile(
    r"[\s-]{0,2}(?:slice|section|interval|thick (?:section|slice)|from the|above|below|away"
    r"|proximal|distal|superior to|inferior to|lateral to|cranial|caudal)"
)
_NOT_A_SIZE_BEFORE = re.compile(r"\b(?:slices?|sections?|interval|collimation) (?:of|at|with) ?$")
_FROM = re.compile(r"\bfrom (\d{1,4}(?:[.,]\d{1,3})?) ?to ?$")  # "from 5 to 8 mm"
_LARGEST_MM = 600.0
_REACH = 200  # characters between a mention and its measurement
_COMMA = 20  # a comma between a mention and a side weighs as much as so many characters


class Measurement(NamedTuple):
    """One measurement: where it stands, its diameters in mm as written, whose time it is."""

    start: int
    end: int
    diameters_mm: tuple[float, ...]
    prior: bool


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


def measurements(lowered: str) -> list[Measurement]:
    """All measurements of a sentence that have a unit of length and are not distances.

    >>> [m.diameters_mm for m in measurements("a nodule of 13x9.3 mm and one of 1,2 cm")]
    [(13.0, 9.3), (12.0,)]
    >>> [m.prior for m in measurements("it is 8 mm (5 mm in the previous examination)")]
    [False, True]
    """
    if not any(unit in lowered for unit in _UNITS):
        return []
    found = []
    for match in _MEASUREMENT.finditer(lowered):
        start, end = match.span()
        before = max(0, start - 40)
        if _NOT_A_SIZE.match(lowered, end) or _NOT_A_SIZE_BEFORE.search(lowered, before, start):
            continue
        factor = 10.0 if match[3].startswith("c") else 1.0
        numbers = _NUMBER.findall(match[1] + " " + match[2])
        diameters = tuple(round(float(n.replace(",", ".")) * factor, 2) for n in numbers)
        if 0 < max(diameters) <= _LARGEST_MM:
            prior = _PRIOR_AFTER.match(lowered, end) or _PRIOR_BEFORE.search(lowered, before, start)
            found.append(Measurement(start, end, diameters, bool(prior)))
            if earlier := _FROM.search(lowered, before, start):
                diameter = round(float(earlier[1].replace(",", ".")) * factor, 2)
                found.append(Measurement(earlier.start(1), earlier.end(1), (diameter,), True))
    return found


class AttributeReader:
    """Reads the attributes of one sentence's mentions."""

    def __init__(self, anatomy: Anatomy, hits: Hits, mentions: list[Hit], context: Context) -> None:
        self._anatomy = anatomy
        self._sides = hits[HitKind.SIDE]
        self._lobes = hits[HitKind.LOBE]
        self._segments = hits[HitKind.SEGMENT]
        self._context = context
        self._spans = {(mention.start, mention.end) for mention in mentions}
        self._sizes: dict[tuple[int, int], list[Measurement]] = {}
        for size in measurements(context.text):
            self._attach(size, mentions)
        self._silent = not (self._sides or self._lobes or self._segments or self._sizes)

    def _attach(self, size: Measurement, mentions: list[Hit]) -> None:
        """Give a measurement to the nearest mention, in its own clause if there is one."""
        place = Hit(size.start, size.end, None)
        candidates = self._context.beside(place, mentions) or mentions
        owner = nearest(place, candidates)
        if distance(place, owner) <= _REACH:
            self._sizes.setdefault((owner.start, owner.end), []).append(size)

    def read(self, mention: Hit, governing: list[FoundCue]) -> Attributes:
        """The attributes of a mention, given the cues whose scope it is in."""
        if self._silent and not any(found.cue.means in _VALUED for found in governing):
            return NO_ATTRIBUTES
        side, lobe = self._side_and_lobe(mention)
        segment = None
        if self._segments and (near := self._context.beside(mention, self._segments)):
            segment = nearest(mention, near).item
        current: tuple[float, ...] = ()
        earlier: list[float] = []
        if self._sizes:
            sizes = self._sizes.get((mention.start, mention.end), ())
            current = tuple(d for size in sizes if not size.prior for d in size.diameters_mm)
            earlier = [d for size in sizes if size.prior for d in size.diameters_mm]
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

    def _side_and_lobe(self, mention: Hit) -> tuple[str | None, str | None]:
        sides = self._context.beside(mention, self._sides)
        lobes = self._context.beside(mention, self._lobes)
        side_hit = self._nearest(mention, sides) if sides else None
        lobe_hit = self._nearest(mention, lobes) if lobes else None
        if side_hit is None and lobe_hit is None:
            return None, None
        side: str | None = side_hit.item if side_hit else None
        if len(self._spans) == 1 and {"right", "left"} <= {hit.item for hit in sides}:
            side = "bilateral"
        if lobe_hit is None:
            return side, None
        if (
            side_hit is not None
            and side != "bilateral"
            and not lobe_hit.start <= side_hit.start < lobe_hit.end
            and self._weight(mention, side_hit) < self._weight(mention, lobe_hit)
            and self._anatomy.lobes[lobe_hit.item].side is not None
        ):
            return side, None  # "right upper lobe nodule and left effusion"
        lobe: str = lobe_hit.item
        own_side = self._anatomy.lobes[lobe].side
        if own_side is not None:
            return ("bilateral" if side == "bilateral" else own_side), lobe
        return side, f"{side}_{lobe}" if side in ("right", "left") else lobe

    def _nearest(self, mention: Hit, hits: list[Hit]) -> Hit:
        return min(hits, key=lambda hit: self._weight(mention, hit)) if len(hits) > 1 else hits[0]

    def _weight(self, mention: Hit, hit: Hit) -> int:
        between = self._context.text[min(mention.end, hit.end) : max(mention.start, hit.start)]
        return len(between) + _COMMA * between.count(",")


def _nearest_value(mention: Hit, governing: list[FoundCue], means: Meaning) -> str | None:
    found = [Hit(cue.start, cue.end, cue.cue.value) for cue in governing if cue.cue.means is means]
    value: str | None = nearest(mention, found).item if found else None
    return value
