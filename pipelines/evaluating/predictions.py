"""What a bundle says of volumes, as a table of its own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from configs import files, tables
from configs.contracts import InputError
from model.bundle import Bundle
from model.data import Part
from model.volumes.store import Store
from pipelines.running.progress import track

PREDICTIONS = "predictions.parquet"
_BATCH = 16


def predict(bundle: Bundle, store: Store, part: Part, *, quiet: bool) -> NDArray[np.float32]:
    """Logits (volumes, labels); raises InputError for a volume that is missing or damaged."""
    starts = range(0, len(part), _BATCH)
    return np.concatenate(
        [
            bundle.logits([store.read(v) for v in part.volume_ids[start : start + _BATCH]])
            for start in track(starts, "predict", quiet=quiet)
        ]
    )


def write_predictions(
    path: Path, bundle: Bundle, part: Part, logits_nl: NDArray[np.float32]
) -> None:
    """A row a volume and label."""
    count = len(bundle.labels)
    columns = {
        "volume_id": np.repeat(part.volume_ids, count),
        "scan_id": np.repeat(part.scan_ids, count),
        "case": np.repeat(part.cases, count),
        "label": np.tile(bundle.labels, len(part)),
        "logit": logits_nl.ravel(),
        "probability": bundle.probabilities(logits_nl).ravel(),
    }
    files.write_table(path, pa.table(columns, schema=tables.PREDICTIONS))


def read_case_logits(path: Path) -> pd.DataFrame:
    """A run's logits averaged over each case's volumes: a row a case, a column a label.

    `path` is predictions.parquet or the output folder of `chestct evaluate`. Raises InputError for
    a volume's label that stands twice, one that is missing, and a logit that is no number.
    """
    table = files.verbs_table(path, PREDICTIONS, "evaluate")
    frame = files.read_table(table, tables.PREDICTIONS.names).to_pandas()
    if frame.empty:
        raise InputError(f"{table}: holds no prediction")
    if frame.duplicated(["volume_id", "label"]).any():
        raise InputError(f"{table}: a volume's label stands in two rows; keep one")
    if not np.isfinite(frame["logit"]).all():
        raise InputError(f"{table}: a logit is not a finite number")
    spread: pd.DataFrame = frame.pivot_table("logit", "case", "label", aggfunc="mean")
    if spread.isna().to_numpy().any():
        raise InputError(f"{table}: a scan lacks some of the labels; predict it again")
    return spread
