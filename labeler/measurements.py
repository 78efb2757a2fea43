"""Measurements of length in a sentence, told apart from distances and slice thickness."""

import re
from typing import NamedTuple

_MEASUREMENT = re.compile(
    r"(\d(?<![\w.,].)\d{0,3}(?:[.,]\d{1,3})?)"  # a digit first: the search skips all else quickly
    r"((?:\s{0,2}(?:mm|cm)?\s{0,2}(?:[x\u00d7*]|by)\s{0,2}\d{1,4}(?:[.,]\d{1,3})?){0,2})"
    r"\s{0,2}-?(mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b"
)
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")
_PRIOR_AFTER = re.compile(
    r"[^,;.()\d]{0,40}\b(?:in|on|at|by) (?:the |his |her |a )?(?:previous|prior|old|earlier)\b"
    r"|\s?(?:previously|before|formerly|prior|earlier)\b"
)
_PRIOR_BEFORE = re.compile(
    r"(?:\b(?:previously|formerly|from|(?:previous|prior|old|earlier)\b[^,;.()\d]{0,24})"
    r"[^,;.()\d]{0,14})$"
)
_CURRENT_AFTER = re.compile(r"[^,;.()\d]{0,30}\b(?:current|now|today|currently|present)\b")
_WAS_BEFORE = re.compile(r", (?:was|were) ?$")
_FROM = re.compile(r"(?<!ranging )(?<!varying )\bfrom (\d{1,4}(?:[.,]\d{1,3})?) ?to ?$")
_NO_SIZE_AFTER = re.compile(
    r"[\s-]{0,2}(?:slice|section|interval|thick (?:section|slice)|from the|above|below|away"
    r"|proximal|distal|superior to|inferior to|lateral to|cranial|caudal)"
)
_NO_SIZE_BEFORE = re.compile(r"\b(?:slices?|sections?|interval|collimation) (?:of|at|with) ?$")
_LIMIT_BEFORE = re.compile(
    r"(?:[<\u2264]|\b(?:(?:less|smaller|shorter|lower|thinner) than|under|below|at most"
    r"|(?:not|without) (?:exceed|reach|pass)(?:ing)?))"
    r"(?: (?:a|the|about|approximately))? ?$"
)
_LIMIT_AFTER = re.compile(r" (?:or|and) (?:less|smaller|below|under)\b")
_LISTED_BEFORE = re.compile(
    r"(?:\b(?:of|with|about|approximately|measur\w+|sizes?|diameters?|are|were)|[(:]|\A) ?"
    r"((?:\d{1,3}(?:[.,]\d{1,2})? ?(?:, ?(?:and |& ?)?|and |& ?)){1,6})$"
)
"""Numbers that share the unit of the one that follows: "nodules of 2, 3.5 and 4.8 mm"."""
_LAST_OF_LIST = "and ", "& "
_AXIS_AFTER = re.compile(
    r"\s?(?:\(|in |on |at )?(?:the |its |their )?(?:longest |greatest |maximal |maximum )?"
    r"(short|long|ap|anteroposterior|transverse|craniocaudal|cc|axial|coronal|sagittal|vertical"
    r"|horizontal|width|length|height|depth)\b"
)
_LARGEST_MM = 600.0
_BEFORE = 40


def may_measure(lowered: str) -> bool:
    """A quick look whether a sentence may hold a measurement: whether it names a unit."""
    return "mm" in lowered or "cm" in lowered or "millim" in lowered or "centim" in lowered


class Measurement(NamedTuple):
    """One measurement: where it stands, its diameters in mm as written, whose time it is."""

    start: int
    end: int
    diameters_mm: tuple[float, ...]
    prior: bool
    below: bool = False
    """Only a limit that the size stays below is given: "less than 1 cm"."""
    axis: str | None = None
    """The axis that it is said to be measured along."""


def measurements(lowered: str) -> list[Measurement]:
    """All measurements of a sentence that have a unit of length and are not distances.

    >>> [m.diameters_mm for m in measurements("a nodule of 13x9.3 mm and one of 1,2 cm")]
    [(13.0, 9.3), (12.0,)]
    >>> [m.prior for m in measurements("it is 8 mm (5 mm in the previous examination)")]
    [False, True]
    >>> [m.below for m in measurements("nodes of less than 1 cm and a nodule of up to 9 mm")]
    [True, False]
    >>> [m.diameters_mm for m in measurements("nodules of 2, 3.5 and 4.8 mm")]
    [(2.0,), (3.5,), (4.8,)]
    >>> [m.diameters_mm for m in measurements("12 mm in long axis and 8 mm in short axis")]
    [(12.0, 8.0)]
    """
    found: list[Measurement] = []
    if not may_measure(lowered):
        return found
    for match in _MEASUREMENT.finditer(lowered):
        start, end = match.span()
        before = max(0, start - _BEFORE)
        if _NO_SIZE_AFTER.match(lowered, end) or _NO_SIZE_BEFORE.search(lowered, before, start):
            continue
        factor = 10.0 if match[3].startswith("c") else 1.0
        diameters = tuple(
            _millimetres(number, factor) for number in _NUMBER.findall(f"{match[1]} {match[2]}")
        )
        if not 0 < max(diameters) <= _LARGEST_MM:
            continue
        if earlier := _FROM.search(lowered, before, start):  # "from 5 to 8 mm"
            diameter = _millimetres(earlier[1], factor)
            found.append(Measurement(earlier.start(1), earlier.end(1), (diameter,), True))
        prior = _is_prior(lowered, start, end, is_first=not found)
        below = _LIMIT_BEFORE.search(lowered, before, start) or _LIMIT_AFTER.match(lowered, end)
        if lowered.endswith(_LAST_OF_LIST, before, start):
            found += _listed(lowered, before, start, factor)
        axis = _AXIS_AFTER.match(lowered, end)
        measured = Measurement(
            start,
            end,
            diameters,
            prior and not earlier,
            below is not None,
            axis[1] if axis else None,
        )
        if found and (both := _of_one(found[-1], measured)) is not None:
            found[-1] = both
        else:
            found.append(measured)
    return found


def _listed(lowered: str, before: int, start: int, factor: float) -> list[Measurement]:
    """The numbers listed before the one at `start`, each a diameter of another thing."""
    listed = _LISTED_BEFORE.search(lowered, before, start)
    if listed is None:
        return []
    return [
        Measurement(
            listed.start(1) + number.start(),
            listed.start(1) + number.end(),
            (_millimetres(number[0], factor),),
            False,
        )
        for number in _NUMBER.finditer(listed[1])
    ]


def _of_one(first: Measurement, second: Measurement) -> Measurement | None:
    """Two measurements along two axes of one thing: "12 mm in long and 8 mm in short axis"."""
    if None in (first.axis, second.axis) or first.axis == second.axis:
        return None
    if first.prior != second.prior or second.start - first.end > _BEFORE:
        return None
    diameters = first.diameters_mm + second.diameters_mm
    return second._replace(start=first.start, diameters_mm=diameters)


def _is_prior(lowered: str, start: int, end: int, *, is_first: bool) -> bool:
    if _PRIOR_AFTER.match(lowered, end):
        return True
    before = max(0, start - _BEFORE)
    if not is_first and _WAS_BEFORE.search(lowered, before, start):  # "14 mm, was 11 mm"
        return True
    return (
        _PRIOR_BEFORE.search(lowered, before, start) is not None
        and _CURRENT_AFTER.match(lowered, end) is None
    )


def _millimetres(number: str, factor: float) -> float:
    return round(float(number.replace(",", ".")) * factor, 2)
