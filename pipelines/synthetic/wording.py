"""A planned finding's noun phrase and sentence slots in an idiom."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from pipelines.synthetic.case import Idiom, PlannedFinding, Side
from pipelines.synthetic.grammar import Grammar, NounPhrases, Slots, Wordings, draw

_PLURAL = {"is": "are", "was": "were", "has": "have", "attracts": "attract"}
_SINGULAR = {verb: verb for verb in _PLURAL}
_CM_FROM_MM, _CM_SHARE, _TWO_DIAMETERS_SHARE = 10, 0.25, 0.2
_TWO_DIAMETERS = ("nodule", "mass")


def date_text(date: str | None, idiom: Idiom) -> str | None:
    """A plan's YYYYMMDD as the idiom writes it.

    >>> date_text("20210304", Idiom.TR_EN)
    '04.03.2021'
    """
    if date is None:
        return None
    year, month, day = date[:4], date[4:6], date[6:]
    return f"{day}.{month}.{year}" if idiom is Idiom.TR_EN else f"{month}/{day}/{year}"


def finding_slots(
    finding: PlannedFinding, grammar: Grammar, idiom: Idiom, prior_date: str | None, rng: Random
) -> Slots:
    """Everything that a sentence about the finding may fill in; what is unknown is missing."""
    phrases = grammar.findings[finding.finding]
    slots: dict[str, str | None] = {"prior_date": date_text(prior_date, idiom)}
    slots |= _words(finding, grammar.words, rng)
    slots |= _sizes(finding, idiom, rng)
    slots["where"] = _where(finding, grammar.places[phrases.place], rng)
    measured = ("size", "count")
    unmeasured = {name: text for name, text in slots.items() if name not in measured}
    for number, templates in _by_number(finding, phrases.name, rng):
        bare = draw(templates, unmeasured, rng)
        if phrase := draw(templates, slots, rng):
            return slots | _noun_slots(number, phrase, bare or phrase)
    raise ValueError(f"the grammar has no words for {finding.finding} ({finding.texture})")


def _noun_slots(number: str, phrase: str, bare: str) -> dict[str, str]:
    article = "a(n) " if number == "one" else ""
    verbs = _PLURAL if number in ("many", "plural") else _SINGULAR
    named = {"np": phrase, "a_np": article + phrase, "a_new_np": f"{article}new {phrase}"}
    return {**verbs, **named, "bare": bare}


def _words(
    finding: PlannedFinding,
    words: Mapping[str, Wordings],
    rng: Random,
) -> dict[str, str | None]:
    plan = {
        "severity": finding.severity,
        "texture": finding.texture,
        "side": finding.side.value,
        "count": _count_key(finding.count),
    }
    return {
        slot: rng.choice(wordings[value])
        for field, tables in words.items()
        for slot, wordings in tables.items()
        if (value := plan[field]) is not None and value in wordings
    }


def _count_key(count: int) -> str | None:
    if count < 2:
        return None
    return str(count) if count <= 3 else "more"


def _sizes(finding: PlannedFinding, idiom: Idiom, rng: Random) -> dict[str, str | None]:
    size, prior = finding.size_mm, finding.prior_size_mm
    if size is None:
        return {}
    in_cm = min(size, prior or size) >= _CM_FROM_MM and rng.random() < _CM_SHARE

    def text(value: float) -> str:
        return f"{value / 10:.1f}" if in_cm else f"{max(1, round(value))}"

    unit = "cm" if in_cm else "mm"
    written = text(size)
    if finding.finding in _TWO_DIAMETERS and rng.random() < _TWO_DIAMETERS_SHARE:
        by = "x" if idiom is Idiom.TR_EN else " x "
        written += by + text(size * rng.uniform(0.7, 0.95))
    return {
        "size": f"{written} {unit}",
        "prior_size": None if prior is None else f"{text(prior)} {unit}",
    }


def _where(
    finding: PlannedFinding, places: Mapping[str, tuple[str, ...]], rng: Random
) -> str | None:
    if finding.lobe is None or "lobe" not in places:
        return draw(places.get(finding.side.value, ()), {}, rng)
    side, _, lobe = finding.lobe.partition(" ")
    slots = {
        "lobe": finding.lobe,
        "lobe_of_lung": f"{lobe} of the {side} lung",
        "lung_lobe": f"{side} lung {lobe}",
    }
    return draw(places["lobe"], slots, rng)


def _by_number(
    finding: PlannedFinding, name: NounPhrases, rng: Random
) -> list[tuple[str, tuple[str, ...]]]:
    """The grammatical numbers that suit the finding, in a random order, and their templates."""
    several = finding.count > 1 or finding.side is Side.BILATERAL
    pools = {
        "one": () if several and (name.many or name.mass or name.plural) else name.one,
        "many": name.many if several else (),
        "mass": name.mass,
        "plural": name.plural,
    }
    fitting = [(number, pool) for number, pool in pools.items() if pool]
    return sorted(fitting, key=lambda pair: rng.random() ** (1 / len(pair[1])), reverse=True)


def other_side(finding: PlannedFinding) -> PlannedFinding:
    """The finding on the wrong side, as a slip of dictation has it."""
    swap = {"right": "left", "left": "right"}
    if finding.side.value not in swap:
        return finding
    lobe = finding.lobe
    if lobe is not None:
        side, _, rest = lobe.partition(" ")
        lobe = f"{swap[side]} {rest}".replace("left middle", "left upper")
    return replace(finding, side=Side(swap[finding.side.value]), lobe=lobe)
