"""Labels and gold of the same reports, matched by identifier and made binary."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from configs.contracts import InputError, LabelValue
from configs.convention import Binary
from pipelines.labelled.values import LabelValues, read_errata

Bools = NDArray[np.bool_]
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Matched:
    """Reports (rows) and labels (columns) that every file has, as present or not."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    predicted_rl: Bools
    gold_rl: Bools
    other_rl: Bools | None
    """A second labeler's."""
    counted_rl: Bools
    """False at the gold cells that the errata call wrong."""
    remarks: tuple[str, ...]
    """What did not match, in sentences for the user."""


def match(
    predicted: LabelValues,
    gold: LabelValues,
    other: LabelValues | None,
    errata: Path | None,
    coding: Binary,
) -> Matched:
    """Match files by identifier and label name; raises InputError when no report is in all."""
    files = [predicted, gold] + ([] if other is None else [other])
    labels = [name for name in predicted.frame.columns if all(name in file.frame for file in files)]
    ids = predicted.frame.index
    for file in files[1:]:
        ids = ids.intersection(file.frame.index, sort=False)
    if len(ids) == 0 or not labels:
        raise InputError(
            f"{predicted.source} and {' and '.join(str(file.source) for file in files[1:])} "
            f"have no {'report' if labels else 'label'} in common; do the identifiers have the "
            "same form? (--id-column names the gold's)"
        )
    arrays = [_present(file.frame.loc[ids, labels], coding) for file in files]
    counted, errata_remarks = _counted(ids, labels, errata)
    return Matched(
        ids=tuple(ids),
        labels=tuple(labels),
        predicted_rl=arrays[0],
        gold_rl=arrays[1],
        other_rl=None if other is None else arrays[2],
        counted_rl=counted,
        remarks=(*_unmatched(files, ids, labels), *errata_remarks),
    )


def _present(frame: pd.DataFrame, coding: Binary) -> Bools:
    filled = frame.fillna(coding.blank).replace(int(LabelValue.UNCERTAIN), coding.uncertain)
    return np.asarray(filled.to_numpy(dtype=np.int8) == LabelValue.PRESENT)


def _counted(
    ids: "pd.Index[str]", labels: list[str], errata: Path | None
) -> tuple[Bools, list[str]]:
    counted = np.ones((len(ids), len(labels)), dtype=np.bool_)
    if errata is None:
        return counted, []
    cells = read_errata(errata)
    rows = ids.get_indexer(pd.Index([i for i, _ in cells]))
    columns = {name: column for column, name in enumerate(labels)}
    unused = 0
    for row, (_, label) in zip(rows, cells, strict=True):
        if row < 0 or label not in columns:
            unused += 1
        else:
            counted[row, columns[label]] = False
    remarks = [f"errata: {int((~counted).sum()):,} gold cells left out"]
    if unused:
        remarks.append(f"errata: {unused:,} name a report or label that is not compared")
    return counted, remarks


def _unmatched(files: list[LabelValues], ids: "pd.Index[str]", labels: list[str]) -> list[str]:
    remarks = []
    for file in files:
        alone = len(file.frame) - len(ids)
        if alone:
            remarks.append(f"{alone:,} of {len(file.frame):,} reports in {file.source} not matched")
        if file.unwanted:
            shown = ", ".join(file.unwanted[:_SHOWN]) + (", ..." * (len(file.unwanted) > _SHOWN))
            remarks.append(f"columns of {file.source} that the labels have not, left out: {shown}")
        if file.unread:
            remarks.append(f"{file.unread:,} rows of {file.source} could not be read")
    missing = [name for name in files[0].frame.columns if name not in labels]
    if missing:
        remarks.append(f"labels not in all files, left out: {', '.join(missing)}")
    return remarks
