"""Cues: words that say how a mention is meant, written as packs in `configs/cues/*.yaml`."""

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from configs.contracts import InputError
from configs.finding import PhraseText
from configs.overlay import overlay_files
from configs.yaml_file import load_yaml

FOLDER = Path(__file__).parent / "cues"
PACKS = ("us", "tr_en")


class Meaning(StrEnum):
    """What a cue says about the mentions in its scope."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NORMAL = "normal"  # of a subject: "heart size is normal"
    PRIOR = "prior"
    CURRENT = "current"  # of this examination: outweighs PRIOR
    NEW = "new"
    RESOLVED = "resolved"
    LARGER = "larger"
    SMALLER = "smaller"
    STABLE = "stable"
    HYPOTHETICAL = "hypothetical"
    OTHER_PERSON = "other_person"
    LIMITED = "limited"
    UNASSESSABLE = "unassessable"
    NO_CONTRAST = "no_contrast"  # the examination was made without contrast material
    REASON = "reason"  # why something could not be judged
    BY_REFERENCE = "by_reference"  # the rest of the findings is only referred to
    SEVERITY = "severity"
    COUNT = "count"
    STOP = "stop"  # a new clause begins here
    RELATIVE = "relative"  # the next verb is a relative clause's, not the sentence's
    NOTHING = "nothing"  # looks like a cue and is none: "no change"


class Direction(StrEnum):
    """Where the mentions stand that a cue speaks of, seen from the cue."""

    AFTER = "after"
    BEFORE = "before"
    BOTH = "both"
    EITHER = "either"  # after; but before, where the words end their part: "seen in the prior CT."


class Scope(StrEnum):
    """How far a cue reaches."""

    CLAUSE = "clause"
    SENTENCE = "sentence"
    PART = "part"  # to the next comma
    NEAR = "near"  # a few words
    VALUE = "value"  # back over what it is the answer to, where it stands alone: "effusion: none"


class Cue(BaseModel):
    """One rule: phrases with the same meaning, direction and scope."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    means: Meaning
    direction: Direction = Direction.BOTH
    scope: Scope = Scope.CLAUSE
    predicate: bool = False
    """The words are a clause's verb: what follows the next comma is another clause."""
    opens: bool = False
    """A new clause begins with these words."""
    value: str | None = None
    """What a severity or count cue stands for: "mild", "3"; of normality, the place that it speaks
    of by itself: "no abnormality" of the chest, where the text names no other."""
    phrases: tuple[PhraseText, ...] = Field(min_length=1)


class EllipsisWords(BaseModel):
    """The words by which a text goes on without naming the finding again: "left persists"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    joints: tuple[str, ...] = ()
    """Words that part what is said of one place from what is said of the next."""
    contrasts: tuple[str, ...] = ()
    """Those of them after which a place alone says the contrary: "not on the right, but left"."""
    fill: tuple[str, ...] = ()
    """Words that say nothing beside a place."""
    says: tuple[str, ...] = ()
    """Words that say something of it and are no cues."""
    parts: tuple[str, ...] = ()
    """Words that name a part where its noun is left out: "mild in upper"."""


class CuePack(BaseModel):
    """The cues of one idiom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    cues: tuple[Cue, ...]
    sections: dict[str, tuple[str, ...]] = {}
    """Section -> header words, lower case, without the colon."""
    ellipsis: EllipsisWords = EllipsisWords()


@cache
def load_cues(
    packs: tuple[str, ...] = PACKS, folder: Path = FOLDER, overlay: Path | None = None
) -> tuple[CuePack, ...]:
    """The named cue packs; an overlay's replace those of the same name, and its others are added.

    Raises InputError with file and line.
    """
    files = {name: folder / f"{name}.yaml" for name in packs}
    files |= {path.stem: path for path in overlay_files(overlay, "cues")}
    for name, path in files.items():
        if not path.exists():
            known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
            raise InputError(f"{folder}: no cue pack {name!r}; there are {known}")
    return tuple(load_yaml(path, CuePack) for path in files.values())
