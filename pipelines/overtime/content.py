"""What a timeline says, whatever form it takes; JSON is this model."""

from enum import StrEnum
from typing import Self

from pydantic import Field, FiniteFloat, model_validator

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING, Change, Existence
from pipelines.rendering.content import Remark, Scan, TrainingData
from pipelines.rendering.part import Part

SCHEMA_VERSION = "1.2"
WORDS_MEANING = (
    "New, larger, smaller and gone are words of the reports and quoted from them. The network only "
    "scores higher or lower, and a score is no size."
)


class Verdict(StrEnum):
    """How a score moved from one study to the next."""

    HIGHER = "higher"
    LOWER = "lower"
    WITHIN_NOISE = "within_noise"
    NOISE_NOT_KNOWN = "noise_not_known"  # no study has two reconstructions to measure it by
    NOT_COMPARABLE = "not_comparable"  # another kernel, thickness or contrast


class Reconstruction(Part):
    """One series of a study, read or not."""

    scan: Scan
    step_mm: FiniteFloat | None = Field(default=None, description="distance between slices")
    reasons: tuple[Remark, ...] = Field(default=(), description="why it was not read")
    notes: tuple[Remark, ...] = ()

    @property
    def read(self) -> bool:
        """Whether it has scores."""
        return not self.reasons


class Study(Part):
    """One examination: a date, and its reconstructions."""

    number: int = Field(ge=1)
    day: int | None = Field(description="days since the first study; null without a date")
    reconstructions: tuple[Reconstruction, ...]
    shown: int | None = Field(description="the reconstruction that is plotted; null: none was read")
    has_text: bool = False


class ScoreChange(Part):
    """From one study to the next, between the two series that compare best."""

    before: int = Field(description="study number")
    after: int
    series_before: str
    series_after: str
    difference: FiniteFloat = Field(description="in logits of the probability")
    verdict: Verdict
    why: tuple[str, ...] = Field(default=(), description="what makes it not comparable")


class Trace(Part):
    """One label over the studies."""

    label: str
    name: str
    group: str
    calibrated: bool = Field(description="on enough cases; else the probabilities are ranks")
    probabilities: tuple[FiniteFloat | None, ...] = Field(description="one a study, null: not read")
    reconstructions: tuple[tuple[FiniteFloat | None, ...], ...] = Field(
        default=(), description="for each study, that of each of its reconstructions, in order"
    )
    noise: FiniteFloat | None = Field(description="logits a change must pass; null: not known")
    changes: tuple[ScoreChange, ...] = ()


class Said(Part):
    """What one report says of a finding at a place, in its words."""

    study: int
    existence: Existence
    change: Change | None = Field(description="the text's own claim, never the network's")
    size_mm: FiniteFloat | None = None
    prior_size_mm: FiniteFloat | None = None
    quote: str = Field(description="the sentence, or the mention where texts were not given")


class Track(Part):
    """One finding at one side and lobe through the reports."""

    findings: tuple[str, ...] = Field(description="several where the same words stand for each")
    name: str
    side: str | None
    lobe: str | None
    said: tuple[Said, ...]


class Repeatability(Part):
    """How far scores of one and the same study differ between its reconstructions."""

    pairs: int = Field(ge=1)
    logits: FiniteFloat = Field(description="repeatability coefficient over all labels")


class Timeline(Part):
    """A patient's studies, scores and words over time."""

    schema_version: str = SCHEMA_VERSION
    intended_use: str = INTENDED_USE
    probability_meaning: str = PROBABILITY_MEANING
    words_meaning: str = WORDS_MEANING
    created: str
    identified: bool
    model_id: str
    training_data: TrainingData
    patient_id: str | None = None
    studies: tuple[Study, ...]
    refused: tuple[Remark, ...] = Field(
        default=(), description="series whose headers tell that they are no trusted volume"
    )
    repeatability: Repeatability | None = Field(description="null: the noise is not known")
    traces: tuple[Trace, ...]
    tracks: tuple[Track, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        fixed = (self.intended_use, self.probability_meaning, self.words_meaning)
        if fixed != (INTENDED_USE, PROBABILITY_MEANING, WORDS_MEANING):
            raise ValueError("intended_use, probability_meaning and words_meaning are fixed")
        if any(len(trace.probabilities) != len(self.studies) for trace in self.traces):
            raise ValueError("a trace has one probability a study")
        return self
