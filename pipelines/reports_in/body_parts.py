"""Combined examinations, such as chest, abdomen and pelvis: what is not of the chest is blanked.

Every other character becomes a space, so that offsets into what is left index the original text.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CHEST = _words(
    "chest thorax thoracic lung lungs pulmonary airway airways trachea bronchi pleura pleural "
    "mediastinum mediastinal hila hilar heart cardiac coronary pericardium esophagus oesophagus "
    "breast breasts axilla axillae diaphragm cap tap"
)
_OTHER_PARTS = _words(
    "abdomen abdominal abd pelvis pelvic head brain neck face facial sinus sinuses orbit orbits "
    "extremity extremities leg legs cervical lumbar"
)
_OTHER_ORGANS = _words(
    "liver hepatobiliary biliary bile gallbladder spleen pancreas adrenal adrenals kidney kidneys "
    "renal ureter ureters bladder urinary genitourinary bowel stomach gastrointestinal gi tract "
    "colon appendix peritoneum peritoneal mesentery retroperitoneum reproductive uterus ovaries "
    "adnexa prostate thyroid larynx pharynx parotid salivary"
)
_GENERAL = _words(
    "findings finding impression impressions conclusion conclusions summary opinion technique "
    "comparison indication history recommendation recommendations addendum exam examination "
    "procedure report result results"
)
_HEAD = re.compile(
    r"^[ \t]*+(?:\d{1,2}[.)][ \t]*+)?([A-Za-z][A-Za-z ,/&()-]{1,60}+):"
    r"|^[ \t]*+([A-Z][A-Z ,/&-]{2,60}+)\r?$"
    r"|(?<=[.!?])[ \t]++([A-Z][A-Z ,/&()-]{2,60}+):",
    re.MULTILINE,
)
_LETTERS = re.compile(r"[a-z]+")
_VISIBLE = re.compile(r"\S")


class _Part(Enum):
    CHEST = auto()
    OTHER_PART = auto()
    OTHER_ORGAN = auto()
    GENERAL = auto()
    UNKNOWN = auto()


def is_combined(exam: str) -> bool:
    """Whether an examination's name speaks of other body parts beside the chest.

    >>> is_combined("CT CHEST ABDOMEN PELVIS W CONTRAST"), is_combined("CT CHEST")
    (True, False)
    """
    words = set(_LETTERS.findall(exam.lower()))
    return bool(words & (_OTHER_PARTS | {"cap", "tap"}))


def chest_only(text: str) -> str:
    """The text with the sections of other body parts blanked, as long as before.

    A section goes from its head ("ABDOMEN AND PELVIS:", "LIVER:") to the next head of another
    kind. In the impression only heads of body parts count, not those of organs.
    """
    pieces, position = [], 0
    for start, end in _other_sections(text):
        pieces += [text[position:start], _VISIBLE.sub(" ", text[start:end])]
        position = end
    return "".join([*pieces, text[position:]])


def _other_sections(text: str) -> Iterator[tuple[int, int]]:
    within, start, in_impression = _Part.GENERAL, 0, False
    for match in _HEAD.finditer(text):
        part, words = _part(match)
        if part is _Part.OTHER_ORGAN and in_impression:
            continue
        if part is _Part.UNKNOWN:
            if within is not _Part.OTHER_ORGAN:
                continue  # "BONES:" under "ABDOMEN:" belongs to the abdomen
            part = _Part.GENERAL
        was_other = within in (_Part.OTHER_PART, _Part.OTHER_ORGAN)
        is_other = part in (_Part.OTHER_PART, _Part.OTHER_ORGAN)
        if within is _Part.OTHER_PART and part is _Part.OTHER_ORGAN:
            continue
        if is_other and not was_other:
            start = match.start()
        elif was_other and not is_other:
            yield start, match.start()
        within = part
        if part is _Part.GENERAL:
            in_impression = bool(words & {"impression", "impressions", "conclusion", "summary"})
    if within in (_Part.OTHER_PART, _Part.OTHER_ORGAN):
        yield start, len(text)


def _part(match: re.Match[str]) -> tuple[_Part, set[str]]:
    head = match[1] or match[2] or match[3]
    words = set(_LETTERS.findall(head.lower()))
    if words & _CHEST:
        return _Part.CHEST, words
    if words & _OTHER_PARTS:
        return _Part.OTHER_PART, words
    if words & _OTHER_ORGANS:
        return _Part.OTHER_ORGAN, words
    return (_Part.GENERAL if words & _GENERAL else _Part.UNKNOWN), words
