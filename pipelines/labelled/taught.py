"""A taught stage beside the rules: labels and soft labels of a stretch of reports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from configs import tables

if TYPE_CHECKING:
    from labeler import Labeler
    from labeler.neural import Fusion, NeuralStage

_PRESENT_FROM = 0.5


class TaughtLabels(NamedTuple):
    """What the stage makes of some reports."""

    labels: list[dict[str, int | None]]
    """One a report, as `ReportLabels.labels`: the rules' own wherever the stage agrees."""
    soft: pa.Table
    """`SOFT_LABELS`: a row a report and label."""


def apply(
    stage: "NeuralStage",
    labeler: "Labeler",
    ids: Sequence[str],
    texts: Sequence[str],
    fusion: "Fusion",
) -> TaughtLabels:
    """Judge reports; give some hundreds at a time. Raises InputError as `NeuralStage.judge`."""
    from labeler.neural.reading import as_labels

    judged = stage.judge(labeler, texts, fusion)
    names = labeler.label_names
    probability_n = judged.probability_rl.ravel().astype(np.float32)
    start_n, end_n = judged.span_rl2.reshape(-1, 2).T
    silent_n = (probability_n < _PRESENT_FROM) | (start_n == end_n)
    columns = {
        "report_id": np.repeat(np.array(ids, dtype=object), len(names)),
        "label": np.tile(np.array(names, dtype=object), len(ids)),
        "probability": probability_n,
        "confidence": judged.confidence_rl.ravel().astype(np.float32),
        "start": pa.array(start_n, mask=silent_n),
        "end": pa.array(end_n, mask=silent_n),
    }
    soft = pa.table(columns, schema=tables.SOFT_LABELS)
    return TaughtLabels([as_labels(names, row) for row in judged.value_rl], soft)
