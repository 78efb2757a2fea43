"""Each trap of RAD-ChestCT as published, on small files made to its grammar."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.contracts import InputError
from configs.convention import load_convention
from model.volumes.store import Store
from pipelines.cohort import cohort
from pipelines.dataset import dataset
from pipelines.prepare import prepare
from tests.model.volumes.phantom import chest

LABELS = list(load_convention("rad_chestct").labels)
PLACES = ["left_lung", "aorta"]


def write_volume(folder: Path, name: str) -> None:
    """A chest of 25 cm depth and width, head first, at 0.8 mm."""
    folder.mkdir(parents=True, exist_ok=True)
    small = chest((60, 80, 80), 5.0)
    zoomed = small.repeat(6, axis=0)[:, ::-1][:, ::-1].repeat(5, axis=1).repeat(5, axis=2)
    np.savez_compressed(folder / f"{name}.npz", ct=zoomed[::-1].clip(-1000, 1000))


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def metadata(folder: Path, **patients: str) -> Path:
    rows = [
        {"NoteAcc_DEID": scan, "MRN_DEID": patient, "zdiffs_all_equal": scan != "trn00002"}
        for scan, patient in patients.items()
    ]
    return write_csv(folder / "CT_Scan_Metadata_Complete_35747.csv", rows)


def label_row(scan: str, *present: str) -> dict[str, object]:
    columns = [f"{name}*{place}" for name in [*LABELS, "other_path"] for place in PLACES]
    return {"NoteAcc_DEID": scan} | {column: int(column in present) for column in columns}


def labels_of(tmp_path: Path, *rows: dict[str, object]) -> pd.DataFrame:
    table = write_csv(tmp_path / "imgtrain_Abnormality_and_Location_Labels.csv", list(rows))
    dataset("rad_chestct", out=tmp_path / "tables", labels=[table], quiet=True)
    return pd.read_parquet(tmp_path / "tables" / "labels.parquet").set_index("report_id")


def test_volumes_labels_and_patients_join(tmp_path: Path) -> None:
    for name in ("trn00001", "trn00002"):
        write_volume(tmp_path / "scans", name)
    labels_of(tmp_path, label_row("trn00001", "nodule*left_lung"), label_row("trn00002"))
    table = metadata(tmp_path, trn00001="m1", trn00002="m1")
    summary = prepare(
        tmp_path / "scans", out=tmp_path / "store", dataset="rad_chestct", metadata=table,
        quiet=True,
    )  # fmt: skip
    assert (summary.volumes, summary.scans, summary.patients) == (2, 2, 1)
    warnings = Store.open(tmp_path / "store").manifest["warnings"]
    assert all(any("0.8 mm" in text for text in texts) for texts in warnings)
    assert sum(any("uneven steps" in text for text in texts) for texts in warnings) == 1
    joined = cohort(tmp_path / "tables", tmp_path / "store", out=tmp_path / "cohort", quiet=True)
    assert sorted(joined["report_id"]) == ["trn00001", "trn00002"]
    assert joined["split"].nunique() == 1  # one patient


def test_84_abnormalities_by_location_become_83_labels(tmp_path: Path) -> None:
    row = label_row("trn00001", "nodule*left_lung", "nodule*aorta", "other_path*aorta")
    labels = labels_of(tmp_path, row)
    assert list(labels.columns) == LABELS
    assert len(LABELS) == 83
    assert labels.loc["trn00001"].sum() == 1
    assert labels.loc["trn00001", "nodule"] == 1


def test_calcification_is_a_label_of_its_own_wherever_it_is(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, label_row("trn00001", "calcification*aorta")).loc["trn00001"]
    assert labels["calcification"] == 1
    assert labels.drop("calcification").sum() == 0
    arterial = set(load_convention("ct_rate").labels) & set(LABELS)
    assert arterial == set()  # no column of one convention is ever read as one of the other


def test_without_the_metadata_patients_are_unknown_and_nothing_is_prepared(tmp_path: Path) -> None:
    write_volume(tmp_path / "scans", "trn00001")
    with pytest.raises(InputError, match="two splits"):
        prepare(tmp_path / "scans", out=tmp_path / "store", dataset="rad_chestct", quiet=True)
    with pytest.raises(InputError, match="trn00001: not in the metadata"):
        prepare(
            tmp_path / "scans", out=tmp_path / "store", dataset="rad_chestct",
            metadata=metadata(tmp_path, trn00009="m1"), quiet=True,
        )  # fmt: skip


def test_a_table_with_other_abnormalities_is_an_input_error(tmp_path: Path) -> None:
    row = label_row("trn00001")
    row["sarcoma*aorta"] = 1
    with pytest.raises(InputError, match="'sarcoma'"):
        labels_of(tmp_path, row)


def test_there_are_no_reports(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no reports"):
        dataset("rad_chestct", out=tmp_path / "out", reports=[metadata(tmp_path, trn1="m")])
