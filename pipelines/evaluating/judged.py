"""Predictions beside what a reference says of the same scans: what every measure is taken from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.bundle import Bundle
from model.calibration import Calibration
from model.data import Part, mean_by_scan
from model.losses import known_values
from model.metrics import Metrics, evaluate
from pipelines.evaluating.reference import Reference

Floats = NDArray[np.float64]


class Unit(StrEnum):
    """What counts as one case."""

    SCAN = "scan"  # logits averaged over its reconstructions of one study and contrast phase
    VOLUME = "volume"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A row a case, a column a label; blank is absent, what is not known is -1."""

    reference: str
    source: str
    labels: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    ids: list[str]
    patients: list[str]
    logits_nl: Floats
    probability_nl: Floats
    values_nl: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, chosen: Sequence[int] | NDArray[np.int64]) -> "Judged":
        """Some of the cases."""
        return replace(
            self,
            ids=[self.ids[row] for row in chosen],
            patients=[self.patients[row] for row in chosen],
            logits_nl=self.logits_nl[chosen],
            probability_nl=self.probability_nl[chosen],
            values_nl=self.values_nl[chosen],
        )

    def of_labels(self, chosen: Sequence[int]) -> "Judged":
        """Some of the labels."""
        columns = list(chosen)
        return replace(
            self,
            labels=tuple(self.labels[column] for column in columns),
            calibrations=tuple(self.calibrations[column] for column in columns),
            logits_nl=self.logits_nl[:, columns],
            probability_nl=self.probability_nl[:, columns],
            values_nl=self.values_nl[:, columns],
        )

    def case(self, label: int) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Of one label, where it is known: positive, logits, probabilities."""
        known = self.values_nl[:, label] != -1
        return (
            self.values_nl[known, label] == 1,
            self.logits_nl[known, label],
            self.probability_nl[known, label],
        )

    def measure(self, resamples: int, seed: int) -> Metrics:
        """Every measure at the threshold and at both operating points."""
        points = {
            name: np.array([found.threshold if found else np.nan for found in of_label])
            for name, of_label in {
                "balanced": [c.balanced for c in self.calibrations],
                "sensitive": [c.sensitive for c in self.calibrations],
            }.items()
        }
        return evaluate(
            self.probability_nl,
            self.values_nl,
            self.patients,
            self.labels,
            np.array([calibration.threshold for calibration in self.calibrations]),
            scores_nl=self.logits_nl,
            points=points,
            resamples=resamples,
            seed=seed,
        )


def judge(
    bundle: Bundle,
    reference: Reference,
    part: Part,
    logits_nl: NDArray[np.float32],
    unit: Unit = Unit.SCAN,
) -> Judged:
    """Join logits (volumes, the bundle's labels) with the reference's values of the same part."""
    columns = list(reference.columns)
    ids, patients, values_nl = part.volume_ids, part.patient_ids, part.values_nl
    if unit is Unit.SCAN:
        logits_nl, values_nl, ids, patients = mean_by_scan(logits_nl, part)
    return Judged(
        reference.name,
        reference.source,
        reference.labels,
        tuple(bundle.calibrations[column] for column in columns),
        list(ids),
        list(patients),
        logits_nl[:, columns].astype(np.float64),
        bundle.probabilities(logits_nl)[:, columns].astype(np.float64),
        known_values(values_nl),
    )
