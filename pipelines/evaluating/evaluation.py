"""All that is measured against one reference, held together for the tables and the page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from configs.contracts import InputError
from model.metrics import Metrics
from pipelines.evaluating.abstention import Covered, covered
from pipelines.evaluating.comparison import Comparison, compare
from pipelines.evaluating.judged import Judged
from pipelines.evaluating.subgroups import Group, groups


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One reference: the joined cases and everything that was taken from them."""

    judged: Judged
    metrics: Metrics
    groups: tuple[Group, ...]
    covered: tuple[Covered, ...]
    comparison: Comparison | None

    @property
    def reference(self) -> str:
        """`labels` or `truth`."""
        return self.judged.reference


def evaluate_judged(
    judged: Judged, attributes: pd.DataFrame, against: Path | None, resamples: int, seed: int
) -> Evaluation:
    """Measure, by groups too; raises InputError when every label has one value only."""
    metrics = judged.measure(resamples, seed)
    if len(metrics.undefined) == len(judged.labels):
        raise InputError(
            f"every label of --{judged.reference} has one value only in this split: nothing can be "
            "measured; take a larger split or another label table"
        )
    return Evaluation(
        judged,
        metrics,
        groups(judged, attributes, resamples, seed),
        covered(judged),
        compare(judged, against, resamples, seed) if against else None,
    )
