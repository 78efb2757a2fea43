"""Conventions: how facts become labels, written in `configs/conventions/*.yaml`."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from configs.contracts import InputError
from configs.overlay import overlay_files
from configs.yaml_file import load_yaml, where

FOLDER = Path(__file__).parent / "conventions"

Coded = Literal["present", "absent", "uncertain", "blank"]


class LabelRule(BaseModel):
    """Which facts feed one label. A fact counts when it meets every condition given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    findings: tuple[str, ...] = Field(min_length=1)
    """Finding ids; the narrower findings inside them count too."""
    unless: tuple[str, ...] = ()
    """Finding ids, with what is inside them, that do not count."""
    anatomy: tuple[str, ...] = ()
    """The fact must sit at one of these places or inside one."""
    not_anatomy: tuple[str, ...] = ()
    min_size_mm: float | None = None
    """A measured fact below this is absent; one without a measurement counts."""
    max_size_mm: float | None = None
    """A measured fact above this is absent; one without a measurement counts."""
    short_axis: bool = False
    """Sizes are compared by the shortest diameter that is given, as for lymph nodes."""
    measured: bool = False
    """Only facts with a measurement count."""


class LocationRule(BaseModel):
    """Which facts lie at a location; a fact lies there when it meets every condition given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    anatomy: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    lobes: tuple[str, ...] = ()


class Coding(BaseModel):
    """The label value of what a report does not plainly affirm or deny."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uncertain: Coded = "uncertain"
    counted_hedges: tuple[str, ...] = ()
    """Hedges that count as present all the same: "probable"."""
    prior_only: Coded = "absent"
    not_assessable: Coded = "blank"
    group_normal: Coded = "absent"
    """A label whose whole group is said to be normal: "the lungs are clear"."""


class Binary(BaseModel):
    """What 0/1 output makes of the two values that are neither."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uncertain: Literal[0, 1]
    blank: Literal[0, 1]


class Convention(BaseModel):
    """A site's or data set's way to turn facts into labels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    coding: Coding = Coding()
    binary: Binary
    labels: dict[str, LabelRule | tuple[LabelRule, ...]]
    """By label, the rule that feeds it, or several."""
    locations: dict[str, LocationRule] = {}
    """Where a label can be, for conventions that give a label x location table."""

    _source: Path | None = PrivateAttr(default=None)

    def where(self, label: str) -> str:
        """Where a label stands, as the beginning of an error message."""
        return f"{where(self._source, 'labels', label)}: " if self._source else ""

    def rules(self, label: str) -> tuple[LabelRule, ...]:
        """The rules that feed a label."""
        rule = self.labels[label]
        return rule if isinstance(rule, tuple) else (rule,)


@cache
def load_convention(name: str, folder: Path = FOLDER, overlay: Path | None = None) -> Convention:
    """A convention by name, first in the overlay, or by a path ending in .yaml.

    Raises InputError with file and line.
    """
    named = {p.stem: p for p in [*folder.glob("*.yaml"), *overlay_files(overlay, "conventions")]}
    path = Path(name) if name.endswith((".yaml", ".yml")) else named.get(name)
    if path is None or not path.exists():
        known = ", ".join(sorted(named))
        path = path or folder / f"{name}.yaml"
        raise InputError(f"{path}: no convention {name!r}; there are {known}, or give a .yaml file")
    convention = load_yaml(path, Convention)
    convention._source = path  # no field: the file does not write it
    return convention
