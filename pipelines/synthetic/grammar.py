"""The report grammars: phrases in YAML, and the small template language they are written in.

A template is text with `{slot}` (must be filled), `{slot?}` (left out where there is nothing to
say), `[one|another]` (one alternative is drawn) and `a(n)`. A template or alternative whose slots
cannot be filled is never drawn, so the YAML needs no conditions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict

from pipelines.synthetic.case import Idiom

Slots = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    optional: bool


@dataclass(frozen=True, slots=True)
class _Choice:
    alternatives: tuple["_Sequence", ...]


_Sequence = tuple[str | _Slot | _Choice, ...]
_TOKEN = re.compile(r"\[|\]|\||\{\w+\??\}|[^\[\]|{}]+")


@cache
def _parse(template: str) -> _Sequence:
    tokens = _TOKEN.findall(template)
    if "".join(tokens) != template:
        raise ValueError(f"not a template: {template!r}")
    sequence, rest = _parse_sequence(tokens)
    if rest:
        raise ValueError(f"unbalanced brackets: {template!r}")
    return sequence


def _parse_sequence(tokens: list[str]) -> tuple[_Sequence, list[str]]:
    parts: list[str | _Slot | _Choice] = []
    while tokens and tokens[0] not in ("|", "]"):
        first, tokens = tokens[0], tokens[1:]
        if first.startswith("["):
            choice, tokens = _parse_choice(tokens)
            parts.append(choice)
        elif first.startswith("{"):
            parts.append(_Slot(first.strip("{?}"), first.endswith("?}")))
        else:
            parts.append(first)
    return tuple(parts), tokens


def _parse_choice(tokens: list[str]) -> tuple[_Choice, list[str]]:
    alternatives: list[_Sequence] = []
    while True:
        alternative, tokens = _parse_sequence(tokens)
        alternatives.append(alternative)
        if not tokens:
            raise ValueError("a [ is never closed")
        closer, tokens = tokens[0], tokens[1:]
        if closer == "]":
            return _Choice(tuple(alternatives)), tokens


def _fillable(sequence: _Sequence, slots: Slots) -> bool:
    for part in sequence:
        if isinstance(part, _Slot) and not part.optional and not slots.get(part.name):
            return False
        if isinstance(part, _Choice) and not any(
            _fillable(alternative, slots) for alternative in part.alternatives
        ):
            return False
    return True


def _fill(sequence: _Sequence, slots: Slots, rng: Random) -> str:
    parts: list[str] = []
    for part in sequence:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, _Slot):
            parts.append(slots.get(part.name) or "")
        else:
            open_to_us = [one for one in part.alternatives if _fillable(one, slots)]
            parts.append(_fill(rng.choice(open_to_us), slots, rng))
    return "".join(parts)


def draw(templates: Sequence[str], slots: Slots, rng: Random) -> str | None:
    """One of the templates that can be filled, filled; None when there is none.

    >>> draw(["a(n) {size?} [nodule]{where?}", "{lobe}"], {"size": "8 mm"}, Random(0))
    'a(n) 8 mm nodule'
    """
    fitting = [parsed for parsed in map(_parse, templates) if _fillable(parsed, slots)]
    if not fitting:
        return None
    return re.sub(r"\s+([.,;:?)])", r"\1", " ".join(_fill(rng.choice(fitting), slots, rng).split()))


_AN = re.compile(r"a\(n\) (?=((?:[aeiou]|8|11\b(?!\.)|18\b(?!\.)))?)", re.IGNORECASE)


def sentence(text: str) -> str:
    """Settle `a(n)`, begin with a capital and end with a stop.

    >>> sentence("a(n) 8 mm nodule")
    'An 8 mm nodule.'
    """
    text = _AN.sub(lambda found: "an " if found[1] else "a ", text).strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", ";", ":")) else text + "."


def _checked(templates: tuple[str, ...]) -> tuple[str, ...]:
    for template in templates:
        _parse(template)
    return templates


Templates = Annotated[tuple[str, ...], AfterValidator(_checked)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NounPhrases(_Strict):
    """How a finding is named, by number; a `one` takes an article, a `mass` takes none."""

    one: Templates = ()
    many: Templates = ()  # for a count above one
    mass: Templates = ()
    plural: Templates = ()  # for any count


class FindingPhrases(_Strict):
    """One finding's words."""

    region: str
    place: str = "lung"
    name: NounPhrases
    says: Templates = ()  # whole sentences for a finding that stands as it is
    impression: float  # how often the impression takes it up
    advice: Templates = ()


class Remark(_Strict):
    """A sentence or noun that would be untrue once one of the findings is stated."""

    say: Templates
    of: tuple[str, ...] = ()
    need: bool = False  # said wherever it is true


class Variant(Remark):
    """What is said, and how often, of a variant or look-alike that was drawn."""

    region: str
    share: float


class Region(_Strict):
    """A part of the body, in the order of dictation."""

    heads: tuple[str, ...] = ()
    opening: Templates = ()
    normal: tuple[Remark, ...] = ()
    terse: tuple[Remark, ...] = ()  # normal in a word, which only a head makes clear
    closing: tuple[Remark, ...] = ()  # after findings: the rest is normal
    denied: tuple[Remark, ...] = ()  # nouns that are negated, alone or in coordination
    closed: tuple[Remark, ...] = ()  # whole denials
    incidental: Templates = ()  # words that look alike, about other organs


class Frames(_Strict):
    """Sentences around a noun phrase, by how the finding stands to the earlier study."""

    first: Templates
    new: Templates
    larger: Templates
    smaller: Templates
    stable: Templates
    resolved: Templates
    hedged: Templates
    denied_one: Templates
    denied_list: Templates
    impression: Templates
    impression_hedged: Templates
    contradicted: Templates


Wordings = Mapping[str, Mapping[str, Templates]]  # slot -> the plan's value -> wordings


class Grammar(_Strict):
    """Everything that one idiom needs."""

    words: Mapping[str, Wordings]  # by field of the plan: severity, texture, count, side
    places: Wordings  # kind of place -> "lobe" or side -> phrases
    findings: Mapping[str, FindingPhrases]
    variants: Mapping[str, Variant]
    regions: Mapping[str, Region]
    frames: Frames
    course_words: Mapping[str, Templates]
    history: Templates
    technique: Mapping[str, Templates]
    comparison: Mapping[str, Templates]
    no_findings: Templates
    advice: Templates
    misspellings: Mapping[str, str]


@cache
def load_grammar(idiom: Idiom) -> Grammar:
    """The grammar of an idiom, checked."""
    path = Path(__file__).with_name(f"grammar_{idiom.value}.yaml")
    return Grammar.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
