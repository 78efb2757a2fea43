"""What a sentence says of a mention beside its context: sizes, side, lobe, severity, count."""

from typing import NamedTuple

from configs.anatomy import Anatomy
from configs.cue import Meaning
from labeler.context import Context, FoundCue
from labeler.lexicon import Hit, HitKind, Hits
from labeler.measurements import Measurement, measurements
from labeler.places import distance, nearest

_REACH = 200  # characters between a mention and its measurement
_BREAK = 20  # a comma or "and" in between weighs as much as so many characters
_MODIFIES = 14  # characters from a side or lobe to the mention that it stands before
_OTHERS = 1000  # the weight of a side that stands before another mention


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
        self._anatomy = anatomy
        self._sides = hits[HitKind.SIDE]
        self._lobes = hits[HitKind.LOBE]
        self._segments = hits[HitKind.SEGMENT]
        self._context = context
        self._mentions = mentions
        self._sizes: dict[tuple[int, int], list[Measurement]] = {}
        for size in measurements(context.text):
            self._attach(size)
        self._silent = not (self._sides or self._lobes or self._segments or self._sizes)

    def _attach(self, size: Measurement) -> None:
        """Give a measurement to the nearest mention, in its own clause if there is one.

        Words beside each other ("nodular mass lesion") are one thing and share it.
        """
        place = Hit(size.start, size.end, None)
        candidates = self._context.beside(place, self._mentions) or self._mentions
        owner = nearest(place, candidates)
        if distance(place, owner) > _REACH:
            return
        spans = {(m.start, m.end) for m in self._mentions if distance(owner, m) <= 1}
        for span in spans:
            self._sizes.setdefault(span, []).append(size)

    def read(self, mention: Hit, governing: list[FoundCue]) -> Attributes:
        """The attributes of a mention, given the cues whose scope it is in."""
        if self._silent and not any(found.cue.means in _VALUED for found in governing):
            return NO_ATTRIBUTES
        side, lobe = self._side_and_lobe(mention)
        segment = self._nearest(mention, self._segments)
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
            segment.item if segment else None,
            max(current) if current else None,
            current,
            max(earlier) if earlier else None,
            severity,
            int(count) if count else None,
        )

    def _side_and_lobe(self, mention: Hit) -> tuple[str | None, str | None]:
        side_hit = self._nearest(mention, self._sides)
        lobe_hit = self._nearest(mention, self._lobes)
        side: str | None = side_hit.item if side_hit else None
        if side_hit and self._on_both_sides(mention):
            side = "bilateral"
        if lobe_hit is None:
            return side, None
        lobe: str = lobe_hit.item
        own_side = self._anatomy.lobes[lobe].side
        if own_side is None:
            return side, f"{side}_{lobe}" if side in ("right", "left") else lobe
        if side_hit is not None and self._parted(mention, side_hit, lobe_hit, side):
            return side, None  # "right upper lobe nodule and left effusion"
        return ("bilateral" if side == "bilateral" else own_side), lobe

    def _parted(self, mention: Hit, side_hit: Hit, lobe_hit: Hit, side: str | None) -> bool:
        """Whether a lobe farther off than the side belongs to something else."""
        if lobe_hit.start <= side_hit.start < lobe_hit.end:
            return False
        if self._weight(mention, side_hit) >= self._weight(mention, lobe_hit):
            return False
        behind = lobe_hit.end <= mention.start <= side_hit.start
        return side != "bilateral" or (behind and self._breaks(mention, lobe_hit) > 0)

    def _on_both_sides(self, mention: Hit) -> bool:
        """Whether the clause speaks of one thing, and puts it right and left."""
        near = self._context.beside(mention, self._mentions)
        if any(self._breaks(mention, other) for other in near):
            return False
        sides = {hit.item for hit in self._context.beside(mention, self._sides)}
        lobes = self._context.beside(mention, self._lobes)
        sides |= {self._anatomy.lobes[hit.item].side for hit in lobes}
        return {"right", "left"} <= sides

    def _nearest(self, mention: Hit, hits: list[Hit]) -> Hit | None:
        """The hit of the mention's clause that is nearest, unless it belongs to another."""
        near = self._context.beside(mention, hits) if hits else hits
        if not near:
            return None
        if len(near) == 1 and len(self._mentions) == 1:
            return near[0]
        best = min(near, key=lambda hit: self._weight(mention, hit))
        return best if self._weight(mention, best) < _OTHERS else None

    def _weight(self, mention: Hit, hit: Hit) -> int:
        breaks = self._breaks(mention, hit)
        weight = distance(mention, hit) + _BREAK * breaks
        return weight + _OTHERS if breaks and self._is_of_another(mention, hit) else weight

    def _is_of_another(self, mention: Hit, hit: Hit) -> bool:
        """Whether a hit after the mention stands right before another: "and left effusion"."""
        return hit.start > mention.start and any(
            0 <= other.start - hit.end <= _MODIFIES and not self._breaks(hit, other)
            for other in self._mentions
            if other.start > mention.end
        )

    def _breaks(self, one: Hit, other: Hit) -> int:
        """Commas and conjunctions between two stretches."""
        between = self._context.text[min(one.end, other.end) : max(one.start, other.start)]
        return between.count(",") + between.count(" and ")


def _nearest_value(mention: Hit, governing: list[FoundCue], means: Meaning) -> str | None:
    found = [Hit(cue.start, cue.end, cue.cue.value) for cue in governing if cue.cue.means is means]
    value: str | None = nearest(mention, found).item if found else None
    return value
