"""A cohort as arrays: who is in which split, what its reports state, and its volumes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from configs import files, tables
from configs.contracts import InputError, Split
from model.losses import BLANK, SoftValues
from model.volumes.store import Store
from model.volumes.volume import HuArray

ReadVolume = Callable[[str], HuArray]

_SOFT_COLUMNS = ("report_id", "label", "probability", "confidence")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One split's volumes, a row each, with the label values of their reports."""

    volume_ids: list[str]
    scan_ids: list[str]
    patient_ids: list[str]
    values_nl: NDArray[np.int8]
    """1, 0, -1 (uncertain), `losses.BLANK` or `losses.NOT_ASSESSABLE`."""
    soft: SoftValues | None = None
    """What another reader of the same reports says."""
    stated_cases: list[str] | None = None
    """`cases`, where the store tells a scan's studies and contrast phases apart."""

    def __len__(self) -> int:
        return len(self.volume_ids)

    @property
    def cases(self) -> list[str]:
        """The case each volume belongs to: those of one scan, study and contrast phase are one."""
        return self.scan_ids if self.stated_cases is None else self.stated_cases

    def rows(self, rows: Sequence[int]) -> "Part":
        """Some of its volumes."""
        chosen = list(rows)
        return Part(
            [self.volume_ids[row] for row in chosen],
            [self.scan_ids[row] for row in chosen],
            [self.patient_ids[row] for row in chosen],
            self.values_nl[chosen],
            self.soft
            and SoftValues(self.soft.probability_nl[chosen], self.soft.confidence_nl[chosen]),
            self.stated_cases and [self.stated_cases[row] for row in chosen],
        )

    def labels(self, chosen: Sequence[int]) -> "Part":
        """Some of its labels."""
        columns = list(chosen)
        soft = self.soft
        return replace(
            self,
            values_nl=self.values_nl[:, columns],
            soft=soft
            and SoftValues(soft.probability_nl[:, columns], soft.confidence_nl[:, columns]),
        )


def read_labels(path: Path) -> pd.DataFrame:
    """A label table by `report_id`, columns int8 with BLANK for null.

    `path` is the table or the output folder of `chestct label`. Raises InputError when a report
    stands twice or a value is none of 1, 0, -1 and blank.
    """
    table = files.verbs_table(path, "labels.parquet", "label")
    frame = files.read_table(table).to_pandas()
    if "report_id" not in frame.columns or len(frame.columns) < 2:
        raise InputError(f"{table}: needs report_id and at least one label column")
    frame = frame.set_index("report_id")
    if frame.index.has_duplicates:
        raise InputError(f"{table}: a report stands in two rows; keep one")
    wrong = [name for name in frame.columns if not _are_values(frame[name])]
    if wrong:
        raise InputError(f"{table}: column {wrong[0]!r} holds other values than 1, 0, -1 and blank")
    codes: pd.DataFrame = frame.astype("Float64").fillna(BLANK).astype("int8")
    return codes


def _are_values(column: "pd.Series[Any]") -> bool:
    if not pd.api.types.is_numeric_dtype(column):
        return bool(column.isna().all())
    return bool((column.isna() | column.isin([1, 0, -1])).all())


def read_soft_labels(path: Path, labels: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probabilities and confidences as frames of the shape of `labels`, NaN where there are none.

    `path` is soft_labels.parquet, or the folder it lies in: report_id, label, probability,
    confidence, a row each. Raises InputError for figures outside [0, 1], a pair that stands twice,
    and a table that has none of the labels or none of the reports.
    """
    table = files.verbs_table(path, "soft_labels.parquet", "label --stage STAGE")
    frame = files.read_table(table, list(_SOFT_COLUMNS)).to_pandas()
    for column in ("probability", "confidence"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
        wrong = ~frame[column].between(0, 1)
        if wrong.any():
            row = int(wrong.to_numpy().argmax()) + 1
            raise InputError(f"{table}: row {row}: {column} is not between 0 and 1")
    if frame.duplicated(["report_id", "label"]).any():
        raise InputError(f"{table}: a report's label stands in two rows; keep one")
    if not frame["label"].isin(labels.columns).any():
        raise InputError(
            f"{table}: none of its labels is taught; it has "
            f"{', '.join(sorted(frame['label'].unique())[:8])}"
        )
    if not frame["report_id"].isin(labels.index).any():
        raise InputError(f"{table}: none of its reports is in the label table; name its own")
    spread = frame.pivot_table(["probability", "confidence"], "report_id", "label")
    spread = spread.reindex(index=labels.index)
    probability, confidence = (
        spread[name].reindex(columns=labels.columns).astype("float32")
        for name in ("probability", "confidence")
    )
    return probability, confidence


def read_parts(
    cohort: Path,
    labels: pd.DataFrame,
    store: Store,
    soft: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> dict[Split, Part]:
    """Every split of a cohort with its labels, and its soft labels where there are any.

    `cohort` is the table or the output folder of `chestct cohort`. Raises InputError when a volume
    or a report is missing, or when a patient, a scan, or identical pixels stand in two splits.
    """
    path = files.verbs_table(cohort, "cohort.parquet", "cohort")
    frame = files.read_table(path, tables.COHORT.names).to_pandas()
    unknown = sorted(set(frame["split"]) - {split.value for split in Split})
    if unknown:
        raise InputError(f"{path}: split {unknown[0]!r}; expected {', '.join(Split)}")
    if not frame["report_id"].isin(labels.index).all():
        missing = int((~frame["report_id"].isin(labels.index)).sum())
        raise InputError(f"{path}: {missing} reports have no labels; give its own label table")
    manifest = store.manifest.set_index("volume_id")
    absent = ~frame["volume_id"].isin(manifest.index)
    if absent.any():
        raise InputError(
            f"{path}: {int(absent.sum())} volumes are not in the store {store.path}; give the "
            "store it was made with"
        )
    if frame["volume_id"].duplicated().any():
        raise InputError(f"{path}: a volume stands in two rows; keep one")
    stored = manifest.loc[frame["volume_id"]]
    frame["case"] = _cases(frame["scan_id"], stored)
    _refuse_leaks(
        path,
        frame.assign(
            stored_patient=stored["patient_id"].to_numpy(),
            stored_scan=stored["scan_id"].to_numpy(),
            pixels=stored["array_sha256"].to_numpy(),
        ),
    )
    return {split: _part(frame[frame["split"] == split.value], labels, soft) for split in Split}


def _part(
    rows: pd.DataFrame, labels: pd.DataFrame, soft: tuple[pd.DataFrame, pd.DataFrame] | None
) -> Part:
    reports = rows["report_id"]
    return Part(
        list(rows["volume_id"]),
        list(rows["scan_id"]),
        list(rows["patient_id"]),
        labels.loc[reports].to_numpy(np.int8),
        soft and SoftValues(*(frame.loc[reports].to_numpy(np.float32) for frame in soft)),
        list(rows["case"]),
    )


def _cases(scans: "pd.Series[str]", stored: pd.DataFrame) -> list[str]:
    """SCAN/STUDY/PHASE of DICOM series; the scan alone for volume files, which have no phase.

    Reconstructions of one phase show the same moment and may be averaged; two phases, or two
    studies under one accession number, do not.
    """
    moments = zip(scans, stored["study_id"], stored["phase"], strict=True)
    return [
        scan if pd.isna(phase) else f"{scan}/{study}/{int(phase)}" for scan, study, phase in moments
    ]


def _refuse_leaks(path: Path, frame: pd.DataFrame) -> None:
    """A patient, a scan (through any of its reconstructions) or pixels in two splits.

    By the cohort's word and by the store's: a table that was edited may name others.
    """
    for column, what in {
        "patient_id": "a patient stands",
        "stored_patient": "a patient stands",
        "scan_id": "a scan stands",
        "stored_scan": "a scan stands",
        "pixels": "identical volumes stand",
    }.items():
        splits = frame.groupby(column)["split"].nunique()
        if (splits > 1).any():
            raise InputError(
                f"{path}: {what} in two splits ({int((splits > 1).sum())} cases); "
                "training and testing on the same chest proves nothing"
            )


class Volumes(Dataset[tuple[Tensor, int]]):
    """A part's volumes as int16 tensors with their row; read once where `in_memory`.

    Raises InputError, naming the volume, for one that is not of the grid or holds what is no HU.
    """

    def __init__(
        self,
        volume_ids: list[str],
        read: ReadVolume,
        grid_zyx: tuple[int, int, int],
        *,
        in_memory: bool,
    ) -> None:
        self._ids, self._read, self._grid_zyx = volume_ids, read, grid_zyx
        self._kept: list[Tensor | None] = [None] * len(volume_ids)
        self._in_memory = in_memory

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        """The volume (z, y, x) and its row."""
        kept = self._kept[row]
        if kept is None:
            kept = self._checked(self._ids[row])
            if self._in_memory:
                self._kept[row] = kept
        return kept, row

    def _checked(self, volume_id: str) -> Tensor:
        hu_zyx = np.asarray(self._read(volume_id))
        if hu_zyx.shape != self._grid_zyx:
            raise InputError(
                f"volume {volume_id}: {hu_zyx.shape} voxels, the profile has {self._grid_zyx}; "
                "prepare the scans again"
            )
        if not np.isfinite(hu_zyx).all():
            raise InputError(f"volume {volume_id}: holds NaN or infinity; prepare the scans again")
        return torch.from_numpy(hu_zyx.astype(np.int16, copy=False))


def mean_by_scan(
    logits_nl: NDArray[np.float32], part: Part
) -> tuple[NDArray[np.float32], NDArray[np.int8], list[str], list[str]]:
    """Logits averaged over each scan's reconstructions, never over two studies or phases.

    Returns them with the label values, names and patients of the cases (`Part.cases`).
    """
    cases, first_n, case_n = np.unique(
        np.asarray(part.cases), return_index=True, return_inverse=True
    )
    total = np.zeros((len(cases), logits_nl.shape[1]))
    np.add.at(total, case_n, logits_nl)
    mean = (total / np.bincount(case_n)[:, None]).astype(np.float32)
    patients = [part.patient_ids[row] for row in first_n]
    return mean, part.values_nl[first_n], cases.tolist(), patients
