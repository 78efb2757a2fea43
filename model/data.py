"""A cohort as arrays: who is in which split, what its reports state, and batches of its volumes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from configs import files, tables
from configs.contracts import InputError, Split
from model.losses import BLANK
from model.volumes.store import Store
from model.volumes.volume import HuArray

ReadVolume = Callable[[str], HuArray]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One split's volumes, a row each, with the label values of their reports."""

    volume_ids: list[str]
    scan_ids: list[str]
    patient_ids: list[str]
    values_nl: NDArray[np.int8]
    """1, 0, -1 (uncertain) or `losses.BLANK`."""

    def __len__(self) -> int:
        return len(self.volume_ids)


def read_labels(path: Path) -> pd.DataFrame:
    """A label table by `report_id`, columns int8 with BLANK for null.

    `path` is the table or the output folder of `chestct label`. Raises InputError when a report
    stands twice or a value is none of 1, 0, -1 and blank.
    """
    table = files.finished_table(path, "labels.parquet")
    frame = files.read_table(table).to_pandas()
    if "report_id" not in frame.columns or len(frame.columns) < 2:
        raise InputError(f"{table}: needs report_id and at least one label column")
    frame = frame.set_index("report_id")
    if frame.index.has_duplicates:
        raise InputError(f"{table}: a report stands in two rows; keep one")
    values = frame.astype("Float64").fillna(BLANK)
    wrong = [name for name in values.columns if not values[name].isin([1, 0, -1, BLANK]).all()]
    if wrong:
        raise InputError(f"{table}: column {wrong[0]!r} holds other values than 1, 0, -1 and blank")
    codes: pd.DataFrame = values.astype("int8")
    return codes


def read_parts(cohort: Path, labels: pd.DataFrame, store: Store) -> dict[Split, Part]:
    """Every split of a cohort with its labels.

    `cohort` is the table or the output folder of `chestct cohort`. Raises InputError when a volume
    or a report is missing, or when a patient, or identical pixels, stand in two splits.
    """
    path = files.finished_table(cohort, "cohort.parquet")
    frame = files.read_table(path, tables.COHORT.names).to_pandas()
    unknown = sorted(set(frame["split"]) - {split.value for split in Split})
    if unknown:
        raise InputError(f"{path}: split {unknown[0]!r}; expected {', '.join(Split)}")
    if not frame["report_id"].isin(labels.index).all():
        missing = int((~frame["report_id"].isin(labels.index)).sum())
        raise InputError(f"{path}: {missing} reports have no labels; is this the cohort's table?")
    manifest = store.manifest.set_index("volume_id")
    absent = ~frame["volume_id"].isin(manifest.index)
    if absent.any():
        raise InputError(f"{path}: {int(absent.sum())} volumes are not in the store {store.path}")
    _refuse_leaks(path, frame.assign(pixels=frame["volume_id"].map(manifest["array_sha256"])))
    return {
        split: Part(
            list(rows["volume_id"]),
            list(rows["scan_id"]),
            list(rows["patient_id"]),
            labels.loc[rows["report_id"]].to_numpy(np.int8),
        )
        for split in Split
        for rows in (frame[frame["split"] == split.value],)
    }


def _refuse_leaks(path: Path, frame: pd.DataFrame) -> None:
    for column, what in {
        "patient_id": "a patient stands",
        "scan_id": "a scan stands",
        "pixels": "identical volumes stand",
    }.items():
        splits = frame.groupby(column)["split"].nunique()
        if (splits > 1).any():
            raise InputError(
                f"{path}: {what} in two splits ({int((splits > 1).sum())} cases); "
                "training and testing on the same chest proves nothing"
            )


class Volumes(Dataset[tuple[Tensor, int]]):
    """A part's volumes as int16 tensors with their row; read once where `in_memory`."""

    def __init__(self, volume_ids: list[str], read: ReadVolume, *, in_memory: bool) -> None:
        self._ids, self._read = volume_ids, read
        self._kept: list[Tensor | None] = [None] * len(volume_ids)
        self._in_memory = in_memory

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        """The volume (z, y, x) and its row."""
        kept = self._kept[row]
        if kept is None:
            kept = torch.from_numpy(np.array(self._read(self._ids[row]), dtype=np.int16))
            if self._in_memory:
                self._kept[row] = kept
        return kept, row


class OneVolumePerScan(Sampler[int]):
    """Each epoch shows every scan once, through one of its volumes, in an order of its own.

    The order depends on the seed and the epoch alone, so a resumed run sees the same.
    """

    def __init__(self, scan_ids: list[str], seed: int) -> None:
        _, scan_n = np.unique(np.asarray(scan_ids), return_inverse=True)
        self._rows = [np.flatnonzero(scan_n == scan) for scan in range(int(scan_n.max()) + 1)]
        self._seed, self._epoch = seed, 0

    def __len__(self) -> int:
        return len(self._rows)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        for scan in random.permutation(len(self._rows)):
            yield int(random.choice(self._rows[scan]))


def mean_by_scan(
    logits_nl: NDArray[np.float32], part: Part
) -> tuple[NDArray[np.float32], NDArray[np.int8], list[str], list[str]]:
    """Logits averaged over each scan's volumes, with its label values, scan ids and patients."""
    scans, first_n, scan_n = np.unique(
        np.asarray(part.scan_ids), return_index=True, return_inverse=True
    )
    total = np.zeros((len(scans), logits_nl.shape[1]))
    np.add.at(total, scan_n, logits_nl)
    mean = (total / np.bincount(scan_n)[:, None]).astype(np.float32)
    patients = [part.patient_ids[row] for row in first_n]
    return mean, part.values_nl[first_n], scans.tolist(), patients
