"""What predictions are measured by: a label table, and which of a bundle's labels it can judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from configs import files
from configs.contracts import InputError
from model.data import read_labels
from model.losses import known_values
from pipelines.labelled.values import convention_of
from pipelines.training.unassessed import mark_unassessed

Mapped = Mapping[str, Sequence[str]]
"""A label's name, and the columns of another label set of which any makes it present."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A label table as a bundle's labels: `frame` by report, a column each of `labels`."""

    name: str
    """`labels` or `truth`."""
    source: str
    """Who made the labels, in words."""
    labels: tuple[str, ...]
    """As `convention:label`, in the bundle's order."""
    columns: tuple[int, ...]
    """Where they stand among the bundle's labels."""
    frame: pd.DataFrame = field(repr=False)


def read_reference(
    name: str, path: Path, labels: Sequence[str], mapping: Mapped | None = None
) -> Reference:
    """Read a label table for the labels of a bundle that are of its convention.

    Where the bundle has several conventions, the table's run.json says which is meant, else its
    columns do. With `mapping` a label that is no column is present where any column mapped to it
    is, uncertain where none is and one is uncertain. Raises InputError when a label has no column.
    """
    frame = read_labels(path)
    stated = convention_of(path)
    if stated is not None:
        frame = mark_unassessed(frame, path, stated)
    convention = _convention(stated, frame, labels)
    chosen = [i for i, label in enumerate(labels) if label.partition(":")[0] == convention]
    columns: dict[str, pd.Series] = {}
    for index in chosen:
        own = labels[index].partition(":")[2]
        if own in frame.columns:
            columns[labels[index]] = frame[own]
        elif mapping is not None:
            if mapping.get(own):
                columns[labels[index]] = _any_of(path, frame, mapping[own])
        else:
            raise InputError(f"{path}: no column {own!r}, which the bundle predicts")
    if not columns:
        raise InputError(f"{path}: none of its columns is a label of the bundle")
    return Reference(
        name,
        _source(path),
        tuple(columns),
        tuple(list(labels).index(label) for label in columns),
        pd.DataFrame(columns),
    )


def _convention(stated: str | None, frame: pd.DataFrame, labels: Sequence[str]) -> str:
    conventions = list(dict.fromkeys(label.partition(":")[0] for label in labels))
    if len(conventions) == 1:
        return conventions[0]
    if stated is not None and Path(stated).stem in conventions:
        return Path(stated).stem
    shares = {
        convention: sum(f"{convention}:{column}" in labels for column in frame.columns)
        for convention in conventions
    }
    return max(conventions, key=lambda convention: shares[convention])


def _any_of(path: Path, frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path}: no column {missing[0]!r}, which the protocol maps")
    known = known_values(frame[list(columns)].to_numpy())
    uncertain = np.where((known == -1).any(axis=1), -1, 0)
    return pd.Series(np.where((known == 1).any(axis=1), 1, uncertain), frame.index, dtype="int8")


def _source(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    record = folder / "run.json"
    content = files.read_json(record) if record.exists() else {}
    verb = content.get("verb") if isinstance(content, dict) else None
    if verb == "label":
        return _READ[content.get("config", {}).get("fusion", "rules")]
    return "as published with the data set" if verb == "dataset" else "as given"


_READ = {
    "rules": "read from reports by chestct",
    "neural": "read from reports by chestct, by a taught stage",
    "fused": "read from reports by chestct, rules and a taught stage",
}
"""By `config.fusion` of `label`."""
