"""Each trap of RAD-ChestCT as published, on small files made to its grammar."""

from pathlib import Path

import pandas as pd
import pytest

from configs.contracts import InputError
from configs.convention import load_convention
from model.volumes.store import Store
from pipelines.cohort import cohort
from pipelines.dataset import dataset
from pipelines.prepare import prepare
from tests.pipelines.datasets.published import RAD_LABELS as LABELS
from tests.pipelines.datasets.published import RAD_METADATA, write_csv, write_npz
from tests.pipelines.datasets.published import rad_label_row as label_row
from tests.pipelines.datasets.published import rad_metadata_row as metadata_row


def metadata(folder: Path, **patients: str) -> Path:
    rows = [
        metadata_row(scan, patient, even=scan != "trn00002") for scan, patient in patients.items()
    ]
    return write_csv(folder / RAD_METADATA, rows)


def labels_of(tmp_path: Path, *rows: dict[str, object]) -> pd.DataFrame:
    table = write_csv(tmp_path / "imgtrain_Abnormality_and_Location_Labels.csv", list(rows))
    dataset("rad_chestct", out=tmp_path / "tables", labels=[table], quiet=True)
    return pd.read_parquet(tmp_path / "tables" / "labels.parquet").set_index("report_id")


def test_volumes_labels_and_patients_join(tmp_path: Path) -> None:
    for name in ("trn00001", "trn00002"):
        write_npz(tmp_path / "scans", name)
    labels_of(tmp_path, label_row("trn00001", ["nodule*left_lung"]), label_row("trn00002"))
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
    row = label_row("trn00001", ["nodule*left_lung", "nodule*aorta", "other_path*aorta"])
    labels = labels_of(tmp_path, row)
    assert list(labels.columns) == LABELS
    assert len(LABELS) == 83
    assert labels.loc["trn00001"].sum() == 1
    assert labels.loc["trn00001", "nodule"] == 1


def test_calcification_is_a_label_of_its_own_wherever_it_is(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, label_row("trn00001", ["calcification*aorta"])).loc["trn00001"]
    assert labels["calcification"] == 1
    assert labels.drop("calcification").sum() == 0
    arterial = set(load_convention("ct_rate").labels) & set(LABELS)
    assert arterial == set()  # no column of one convention is ever read as one of the other


def test_without_the_metadata_patients_are_unknown_and_nothing_is_prepared(tmp_path: Path) -> None:
    write_npz(tmp_path / "scans", "trn00001")
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
