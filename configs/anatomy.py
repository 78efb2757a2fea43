"""Anatomy: the places that a text can name, written in `configs/anatomy.yaml`."""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from configs.contracts import InputError
from configs.finding import Group, PhraseText
from configs.yaml_file import load_yaml

PATH = Path(__file__).parent / "anatomy.yaml"


class Place(BaseModel):
    """A part of the body."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parent: str | None = None
    phrases: tuple[PhraseText, ...] = ()
    lobes: bool = False
    """What sits here, or inside, is told by the lobe of a lung."""
    midline: bool = False
    """What sits here, or inside, has no side that it could share with its neighbours."""
    weak: bool = False
    """Words that other organs have too ("lobe"): they mean the parent, and only where the sentence
    names no other place."""
    whole: tuple[PhraseText, ...] = ()
    """The words for the place as a whole, as the subject of "is normal"."""
    normal_rules_out: tuple[Group, ...] = ()
    """Groups whose findings are absent when this place as a whole is said to be normal."""


class Words(BaseModel):
    """A value and the phrases that say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phrases: tuple[PhraseText, ...] = Field(min_length=1)
    side: str | None = None
    lobe: str | None = None


class Anatomy(BaseModel):
    """Places, and the words for sides, lobes and segments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    places: dict[str, Place]
    landmarks: tuple[PhraseText, ...] = ()
    """Words after which a place says what something lies beside: "adjacent to"."""
    sides: dict[str, Words]
    lobes: dict[str, Words]
    segments: dict[str, Words]

    def inside(self, containers: tuple[str, ...]) -> frozenset[str]:
        """The containers and every place inside one."""
        return frozenset(place for place in self.places if self.within(place, containers))

    def outermost(self, place: str) -> str:
        """The place that a place lies inside and that lies inside no other."""
        while (parent := self.places[place].parent) is not None:
            place = parent
        return place

    def within(self, place: str, containers: tuple[str, ...]) -> bool:
        """True when a place is one of the containers or lies inside one."""
        current: str | None = place
        while current is not None:
            if current in containers:
                return True
            current = self.places[current].parent
        return False


@cache
def load_anatomy(path: Path = PATH) -> Anatomy:
    """Read the anatomy; raises InputError with file and line."""
    anatomy = load_yaml(path, Anatomy)
    for name, place in anatomy.places.items():
        if place.parent is not None and place.parent not in anatomy.places:
            raise InputError(f"{path}: place {name!r} has an unknown parent {place.parent!r}")
        seen = {name}
        current = place.parent
        while current is not None:
            if current in seen:
                raise InputError(f"{path}: place {name!r} lies inside itself; check its parents")
            seen.add(current)
            current = anatomy.places[current].parent
    return anatomy
