"""The model card: what a bundle was trained on, how it did, and what it is for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING

Count = Annotated[int, Field(ge=0)]


class SplitCounts(BaseModel):
    """How much one split held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patients: Count
    scans: Count
    volumes: Count
    positives: dict[str, Count]
    """Scans whose report states the label."""


class ModelCard(BaseModel):
    """Travels with the weights; shown with every report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    training_data: Literal["synthetic", "patients", "mixed"]
    """What kind of chests the network has seen; "synthetic" ones were drawn by chestct."""
    counts: dict[str, SplitCounts]
    """By split: train, validation."""
    metrics: dict[str, float]
    """On the validation split, e.g. macro_auroc: chosen on it, so a little hopeful."""
    label_source: str
    """The labeling convention whose labels were taught."""
    train_config: dict[str, object]
    """The recipe, as in configs/train/*.yaml."""
    seconds: float
    """Wall-clock time of training."""
    versions: dict[str, str]
    """Python and packages."""
    sources: dict[str, str] = {}
    """Digests of what was learnt from: labels, cohort, store; empty in older bundles."""
    recalibrated_on: SplitCounts | None = None
    """Another site's scans that calibration and thresholds were fitted on anew."""
    intended_use: str = INTENDED_USE
    probability_meaning: str = PROBABILITY_MEANING
