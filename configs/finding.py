"""Findings: what the labeler can recognise, written in `configs/findings/*.yaml`."""

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from configs.contracts import InputError
from configs.overlay import overlay_files
from configs.phrase import compile_phrase
from configs.yaml_file import load_yaml, where

FOLDER = Path(__file__).parent / "findings"


def _words(source: Any) -> Any:
    if isinstance(source, bool):
        raise ValueError("a truth value; write the word in quotes")
    return source


def _valid_phrase(source: str) -> str:
    try:
        compile_phrase(source)
    except InputError as error:
        raise ValueError(str(error)) from None
    return source


PhraseText = Annotated[str, BeforeValidator(_words), AfterValidator(_valid_phrase)]
"""A phrase in the language of `configs.phrase`, checked when the file is read."""


class Kind(StrEnum):
    """What sort of thing a finding is."""

    FINDING = "finding"
    UMBRELLA = "umbrella"  # a term for several possible findings: opacity, density, lesion
    VARIANT = "variant"  # normal anatomy or technique that is worth a word, without urgency
    DEVICE = "device"  # material, implants and what surgery left


class Group(StrEnum):
    """The part of the report in which a finding is usually described."""

    LUNG = "lung"
    AIRWAYS = "airways"
    PLEURA = "pleura"
    MEDIASTINUM_HEART_VESSELS = "mediastinum_heart_vessels"
    BONES_CHEST_WALL = "bones_chest_wall"
    ABDOMEN = "abdomen"
    DEVICES = "devices"
    GENERAL = "general"  # may sit anywhere: calcification, cyst, lesion


class PlaceRule(StrEnum):
    """What the place that a text names means for the finding."""

    ASSUMED = "assumed"  # the words say the place by themselves: pneumothorax
    EXCLUSIVE = "exclusive"  # at another place the words mean something else: effusion
    REQUIRED = "required"  # the text must name one of the places: calcification of the aorta
    FREE = "free"  # may be anywhere, and keeps the place that is named: nodule


class Needs(StrEnum):
    """What an examination must have for the finding to be visible."""

    CONTRAST = "contrast"


class Code(BaseModel):
    """The finding's identifiers in public vocabularies, where known for certain."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    radlex: str | None = Field(default=None, pattern=r"^RID\d+$")
    snomed: str | None = Field(default=None, pattern=r"^\d{6,18}$")


class Examples(BaseModel):
    """Sentences that must be read as said; they run as tests. Self-written, never from a report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positive: tuple[str, ...] = Field(min_length=1)
    negative: tuple[str, ...] = Field(min_length=1)
    uncertain: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    """Sentences in which the finding is not mentioned at all, though its words may seem near."""


class Finding(BaseModel):
    """One finding of the ontology."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str
    definition: str
    kind: Kind = Kind.FINDING
    group: Group
    parents: tuple[str, ...] = ()
    """Broader findings that are present whenever this one is."""
    phrases: tuple[PhraseText, ...] = Field(min_length=1)
    vetoes: tuple[PhraseText, ...] = ()
    """Phrases that cancel a mention inside them: "pericardial effusion" cancels "effusion"."""
    subjects: tuple[PhraseText, ...] = ()
    """What a text calls normal when it means that this finding is absent: "heart size"."""
    anatomy: tuple[str, ...] = ()
    """Where it sits; what lies inside counts too. The first is taken when no place is named."""
    place: PlaceRule = PlaceRule.ASSUMED
    headers: tuple[str, ...] = ()
    """Places under whose header the words alone mean this finding: "HEART: trace effusion"."""
    requires: Needs | None = None
    code: Code = Code()
    examples: Examples

    @model_validator(mode="after")
    def _place_to_go_by(self) -> "Finding":
        if self.place in (PlaceRule.EXCLUSIVE, PlaceRule.REQUIRED) and not self.anatomy:
            raise ValueError(f"place: {self.place} needs at least one place in anatomy")
        return self


@cache
def load_findings(folder: Path = FOLDER, overlay: Path | None = None) -> dict[str, Finding]:
    """All findings by id, from every YAML file of a folder, in the files' order.

    An overlay's findings replace those of the same id and add the others. Raises InputError with
    file and line: a doubled id, an unknown parent, a circle of parents, a misspelt field or phrase.
    """
    findings, origin = _read(sorted(folder.glob("*.yaml")))
    if not findings:
        raise InputError(f"{folder}: no findings; expected *.yaml files")
    own, own_origin = _read(overlay_files(overlay, "findings"))
    findings |= own
    origin |= own_origin
    for finding in findings.values():
        _check(finding, findings, origin[finding.id])
    for name in findings:
        try:
            ancestors(name, findings)
        except InputError as error:
            raise InputError(f"{where(origin[name], name, 'parents')}: {error}") from None
    return findings


def overlay_findings(overlay: Path | None) -> dict[str, Path]:
    """The ids of a site's own findings, and the file in which each stands; none without one."""
    return _read(overlay_files(overlay, "findings"))[1]


def _check(finding: Finding, findings: dict[str, Finding], origin: Path) -> None:
    """Raise InputError with file and line where a finding names what does not exist."""
    from configs.anatomy import load_anatomy  # which itself needs the groups of this module

    for number, parent in enumerate(finding.parents):
        if parent not in findings:
            place = where(origin, finding.id, "parents", number)
            raise InputError(
                f"{place}: finding {finding.id!r} has an unknown parent {parent!r}; "
                "expected the id of a finding"
            )
    for field, seats in (("anatomy", finding.anatomy), ("headers", finding.headers)):
        for number, seat in enumerate(seats):
            if seat not in load_anatomy().places:
                place = where(origin, finding.id, field, number)
                raise InputError(
                    f"{place}: finding {finding.id!r}: no place is called {seat!r}; "
                    "configs/anatomy.yaml has the places"
                )


def _read(paths: Iterable[Path]) -> tuple[dict[str, Finding], dict[str, Path]]:
    """The findings of some files, and the file in which each stands."""
    findings: dict[str, Finding] = {}
    origin: dict[str, Path] = {}
    for path in paths:
        for key, finding in load_yaml(path, dict[str, Finding], keyed_by="id").items():
            if key in findings:
                raise InputError(f"{path}: finding {key!r} also stands in {origin[key]}; keep one")
            findings[key], origin[key] = finding, path
    return findings, origin


def ancestors(finding_id: str, findings: dict[str, Finding]) -> tuple[str, ...]:
    """All broader findings, nearest first; raises InputError when they form a circle."""
    found: list[str] = []
    pending = list(findings[finding_id].parents)
    while pending:
        parent = pending.pop(0)
        if parent == finding_id:
            raise InputError(f"finding {finding_id!r} is its own ancestor; check its parents")
        if parent not in found:
            found.append(parent)
            pending.extend(findings[parent].parents)
    return tuple(found)
