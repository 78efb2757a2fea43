"""Each trap of CT-RATE as published, on small files made to its grammar."""

from pathlib import Path

import pandas as pd
import pytest

from configs.contracts import InputError
from configs.files import IdKey
from model.volumes.store import Store
from pipelines.cohort import cohort
from pipelines.dataset import dataset
from pipelines.datasets.ct_rate import CtRate
from pipelines.prepare import prepare
from tests.pipelines.datasets.published import (
    CHEST,
    write_csv,
    write_nifti,
)
from tests.pipelines.datasets.published import ct_rate_label_row as label_row
from tests.pipelines.datasets.published import ct_rate_metadata_row as metadata_row
from tests.pipelines.datasets.published import ct_rate_report_row as report_row

FIXED = Path("scans") / "train_fixed"


def metadata(folder: Path, *names: str) -> Path:
    return write_csv(folder / "train_metadata.csv", [metadata_row(name) for name in names])


def test_rows_are_reconstructions_and_count_as_scans(tmp_path: Path) -> None:
    names = ("train_1_a_1", "train_1_a_2", "train_1_b_1", "train_2_a_1")
    for name in names:
        write_nifti(tmp_path / FIXED, name)
    reports = write_csv(tmp_path / "train_reports.csv", [report_row(name) for name in names])
    labels = write_csv(
        tmp_path / "labels.csv", [label_row(name, ["Lung nodule"]) for name in names]
    )
    counts = dataset(
        "ct_rate", out=tmp_path / "tables", reports=[reports], labels=[labels], quiet=True
    )
    assert counts == {"scans with reports": 3, "scans with labels": 3, "rejected": 0}
    summary = prepare(
        tmp_path / "scans",
        out=tmp_path / "store",
        dataset="ct_rate",
        metadata=metadata(tmp_path, *names),
        quiet=True,
    )
    assert (summary.volumes, summary.scans, summary.patients) == (4, 3, 2)
    key = IdKey.open(tmp_path / "store" / "id.key")
    manifest = Store.open(tmp_path / "store").manifest
    expected = {key.pseudonym("scan", name) for name in ("train_1_a", "train_1_b", "train_2_a")}
    assert set(manifest["scan_id"]) == expected
    assert set(manifest["sex"]) == {"F"}
    assert set(manifest["age_band"]) == {"60-69"}
    assert set(manifest["vendor"]) == {"siemens"}
    joined = cohort(
        tmp_path / "tables" / "labels.parquet",
        tmp_path / "store",
        out=tmp_path / "cohort",
        quiet=True,
    )
    assert sorted(joined["report_id"]) == ["train_1_a", "train_1_a", "train_1_b", "train_2_a"]
    assert (joined.groupby("patient_id")["split"].nunique() == 1).all()


def test_values_are_hu_and_the_metadata_s_rescale_is_never_applied(tmp_path: Path) -> None:
    write_nifti(tmp_path / FIXED, "train_1_a_1")
    for folder, table in (("with", metadata(tmp_path, "train_1_a_1")), ("without", None)):
        prepare(
            tmp_path / "scans",
            out=tmp_path / folder,
            dataset="ct_rate",
            metadata=table,
            id_key=None,
            quiet=True,
        )
    digests = [
        Store.open(tmp_path / name).manifest["array_sha256"].item() for name in ("with", "without")
    ]
    assert digests[0] == digests[1]


def test_values_before_rescaling_are_refused_not_rescaled(tmp_path: Path) -> None:
    write_nifti(tmp_path / FIXED, "train_1_a_1", CHEST + 1024)
    with pytest.raises(InputError, match="NOT_HU"):
        prepare(tmp_path / "scans", out=tmp_path / "store", dataset="ct_rate", quiet=True)


def test_a_header_that_knows_no_geometry_is_refused_without_the_table(tmp_path: Path) -> None:
    write_nifti(tmp_path / FIXED, "train_1_a_1", spacing=1.0)
    with pytest.raises(InputError, match="ORIENTATION"):
        prepare(tmp_path / "scans", out=tmp_path / "store", dataset="ct_rate", quiet=True)


def test_a_header_without_the_corrected_spacing_is_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / FIXED, "train_1_a_1", spacing=1.5)
    write_nifti(tmp_path / FIXED, "train_2_a_1")
    prepare(
        tmp_path / "scans",
        out=tmp_path / "store",
        dataset="ct_rate",
        metadata=metadata(tmp_path, "train_1_a_1", "train_2_a_1"),
        quiet=True,
    )
    rejected = pd.read_parquet(tmp_path / "store" / "rejected.parquet")
    assert rejected["reason"].tolist() == ["SPACING"]
    assert "train_fixed" in rejected["detail"].item()


def test_two_releases_side_by_side_are_an_input_error(tmp_path: Path) -> None:
    write_nifti(tmp_path / FIXED, "train_1_a_1")
    write_nifti(tmp_path / "scans" / "old", "train_1_a_1")
    with pytest.raises(InputError, match="train_1_a_1 is there twice"):
        prepare(tmp_path / "scans", out=tmp_path / "store", dataset="ct_rate", quiet=True)


def test_reconstructions_that_contradict_each_other_are_set_aside(tmp_path: Path) -> None:
    reports = write_csv(
        tmp_path / "reports.csv",
        [report_row("train_1_a_1"), report_row("train_1_a_2", "None."), report_row("train_2_a_1")],
    )
    labels = write_csv(
        tmp_path / "labels.csv",
        [
            label_row("train_1_a_1"),
            label_row("train_1_a_2", ["Lung nodule"]),
            label_row("train_2_a_1"),
        ],
    )
    dataset("ct_rate", out=tmp_path / "out", reports=[reports], labels=[labels], quiet=True)
    rejected = pd.read_parquet(tmp_path / "out" / "rejected.parquet")
    assert rejected["id"].tolist() == ["train_1_a", "train_1_a"]
    assert set(rejected["reason"]) == {"AMBIGUOUS"}
    assert pd.read_parquet(tmp_path / "out" / "labels.parquet")["report_id"].tolist() == [
        "train_2_a"
    ]


def test_the_report_table_can_be_labelled(tmp_path: Path) -> None:
    from pipelines.label import label

    reports = write_csv(tmp_path / "reports.csv", [report_row("train_1_a_1", "Hiatal hernia.")])
    dataset("ct_rate", out=tmp_path / "out", reports=[reports], quiet=True)
    label(tmp_path / "out" / "reports.csv", out=tmp_path / "labels", quiet=True)
    row = pd.read_parquet(tmp_path / "labels" / "labels.parquet").iloc[0]
    assert row["report_id"] == "train_1_a"
    assert row["Hiatal hernia"] == 1


@pytest.mark.parametrize(
    "name",
    [
        "train_1_a.nii.gz",
        "train_1.nii.gz",
        "scan.nii.gz",
        "train_1_a_1.nii.gz.bak",
        "../train_1_a_1",
    ],
)
def test_a_name_of_another_grammar_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match="not of CT-RATE"):
        CtRate().name_of(name, {})


def test_validation_patients_are_other_patients() -> None:
    names = [CtRate().name_of(name, {}) for name in ("train_7_a_1.nii.gz", "valid_7_a_1.nii.gz")]
    assert names[0].patient != names[1].patient


def test_tables_that_are_not_the_published_ones_are_input_errors(tmp_path: Path) -> None:
    half = write_csv(tmp_path / "half.csv", [{"VolumeName": "train_1_a_1.nii.gz", "Emphysema": 1}])
    with pytest.raises(InputError, match="no column"):
        dataset("ct_rate", out=tmp_path / "out", labels=[half], quiet=True)
    odd = write_csv(tmp_path / "odd.csv", [label_row("train_1_a_1") | {"Lung nodule": 3}])
    with pytest.raises(InputError, match="other than 0 and 1"):
        dataset("ct_rate", out=tmp_path / "out", labels=[odd], quiet=True)
    with pytest.raises(InputError, match="no data set"):
        dataset("ct_rat", out=tmp_path / "out", labels=[odd], quiet=True)
    with pytest.raises(InputError, match="--reports or --labels"):
        dataset("ct_rate", out=tmp_path / "out", quiet=True)
