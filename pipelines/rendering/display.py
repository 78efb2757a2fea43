"""How findings are shown: names, organ groups and windows, read from `display.yaml`."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from configs.finding import Group
from pipelines.rendering.content import CautionCode, NotCovered
from pipelines.rendering.ontology import included, meaning


class Window(StrEnum):
    """The named grey-scale windows of the viewer; their values stand in `WINDOWS_HU`."""

    LUNG = "lung"
    MEDIASTINAL = "mediastinal"
    BONE = "bone"


WINDOWS_HU: Mapping[Window, tuple[int, int]] = {  # (centre, width)
    Window.LUNG: (-600, 1500),
    Window.MEDIASTINAL: (40, 400),
    Window.BONE: (400, 1800),
}


_GROUPS = {  # of the ontology: where a label goes that `display.yaml` does not list
    Group.LUNG: ("lung", Window.LUNG),
    Group.AIRWAYS: ("airways", Window.LUNG),
    Group.PLEURA: ("pleura", Window.MEDIASTINAL),
    Group.MEDIASTINUM_HEART_VESSELS: ("mediastinum", Window.MEDIASTINAL),
    Group.BONES_CHEST_WALL: ("bones", Window.BONE),
    Group.ABDOMEN: ("abdomen", Window.MEDIASTINAL),
    Group.DEVICES: ("devices", Window.BONE),
    Group.GENERAL: ("other", Window.LUNG),
}


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Closed):
    name: str
    group: str


class Shown(_Entry):
    """How one label is shown."""

    window: Window
    umbrella_of: tuple[str, ...] = ()


class Lacking(_Entry):
    """A finding to list as not covered, unless the model has one of the labels in `covered_by`."""

    urgent: bool = False
    note: str = ""
    covered_by: tuple[str, ...] = ()


class Display(_Closed):
    """The content of `display.yaml`."""

    assessment: dict[str, str]
    cautions: dict[CautionCode, str]
    measurements: dict[str, str]
    groups: dict[str, str]
    labels: dict[str, dict[str, Shown]]
    not_covered: tuple[Lacking, ...]

    @model_validator(mode="after")
    def _groups_exist(self) -> Self:
        shown = (entry for labels in self.labels.values() for entry in labels.values())
        entries: tuple[_Entry, ...] = (*shown, *self.not_covered)
        for entry in entries:
            if entry.group not in self.groups:
                raise ValueError(f"{entry.name}: no group {entry.group!r}")
        return self

    def of(self, label: str) -> Shown:
        """How `convention:label` is shown; an unlisted one by its name, in its findings' group."""
        convention, _, name = label.rpartition(":")
        shown = self.labels.get(convention, {}).get(name)
        if shown:
            return shown
        known = meaning(label)
        group, window = _GROUPS[known.group if known else Group.GENERAL]
        words = name.replace("_", " ")
        return Shown(name=words[:1].upper() + words[1:], group=group, window=window)

    def umbrella_of(self, label: str, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Which of a model's labels a label includes: as listed, else as the ontology has it."""
        listed = self.of(label).umbrella_of
        if not listed:
            return included(label, labels)
        convention = label.rpartition(":")[0]
        return tuple(other for name in listed if (other := f"{convention}:{name}") in labels)

    def lacking(self, labels: Iterable[str]) -> tuple[NotCovered, ...]:
        """What a reader would look for and a model with these labels was never taught."""
        known = {label.rpartition(":")[2].replace("_", " ").lower() for label in labels}
        return tuple(
            NotCovered(name=entry.name, group=entry.group, urgent=entry.urgent, note=entry.note)
            for entry in self.not_covered
            if known.isdisjoint(entry.covered_by)
        )


@cache
def load_display() -> Display:
    """Read `display.yaml`, which travels with the package."""
    text = files("pipelines.rendering").joinpath("display.yaml").read_text(encoding="utf-8")
    return Display.model_validate(yaml.safe_load(text))
