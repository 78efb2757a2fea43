import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs import files, tables
from configs.contracts import InputError, Split
from model.data import Part, mean_by_scan, read_labels, read_parts, read_soft_labels
from model.losses import BLANK
from model.volumes.store import Store, VolumeIds
from tests.model.archive import (
    NAMES,
    PROFILE,
    make_archive,
    prepared_of,
    write_cohort,
    write_labels,
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive"), train=4, validation=2, test=2)


def cohort_of(archive) -> pd.DataFrame:
    return files.read_table(archive / "cohort" / "cohort.parquet").to_pandas()


def test_parts_follow_the_cohort(archive):
    parts = read_parts(
        archive / "cohort", read_labels(archive / "labels"), Store.open(archive / "store")
    )
    assert {split: len(part) for split, part in parts.items()} == {
        Split.TRAIN: 4,
        Split.VALIDATION: 2,
        Split.TEST: 2,
    }
    assert parts[Split.TEST].volume_ids == ["volume006", "volume007"]
    assert parts[Split.TEST].values_nl.shape == (2, len(NAMES))


def test_blanks_are_told_from_absent(tmp_path):
    frame = pd.DataFrame({"report_id": ["a", "b"], "x": pd.array([None, 0], dtype="Int8")})
    write_labels(tmp_path, frame)
    assert read_labels(tmp_path)["x"].tolist() == [BLANK, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"report_id": ["a", "a"], "x": [1, 0]}, "two rows"),
        ({"report_id": ["a", "b"], "x": [1, 7]}, "'x' holds other values"),
        ({"report_id": ["a", "b"]}, "at least one label"),
    ],
)
def test_bad_label_tables_are_refused(tmp_path, change, message):
    write_labels(tmp_path, pd.DataFrame(change))
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("patient_id", "patient007", "a patient stands in two splits"),
        ("scan_id", "scan007", "a scan stands in two splits"),
        ("volume_id", "elsewhere", "1 volumes are not in the store"),
        ("report_id", "elsewhere", "1 reports have no labels"),
        ("split", "training", "split 'training'"),
    ],
)
def test_bad_cohorts_are_refused(archive, tmp_path, column, value, message):
    frame = cohort_of(archive)
    frame.loc[0, column] = value
    write_cohort(tmp_path, frame)
    with pytest.raises(InputError, match=message):
        read_parts(tmp_path, read_labels(archive / "labels"), Store.open(archive / "store"))


def test_identical_volumes_in_two_splits_are_refused(tmp_path):
    make_archive(tmp_path, train=2, validation=1, test=1)
    with Store.open(tmp_path / "store") as store:
        twin = np.array(store.read("volume000"))
        store.add(
            prepared_of(twin, "again"),
            VolumeIds("volume003", "scan003", "study003", "patient003"),
        )
    with pytest.raises(InputError, match="identical volumes"):
        read_parts(tmp_path / "cohort", read_labels(tmp_path / "labels"), store)


def soft_table(folder, rows):
    names = ("report_id", "label", "probability", "confidence")
    content = [dict(zip(names, row, strict=True)) for row in rows]
    table = pa.Table.from_pylist(content, schema=tables.SOFT_LABELS)
    files.write_table(folder / "soft_labels.parquet", table)
    return folder / "soft_labels.parquet"


def test_soft_labels_stand_beside_the_hard_ones(archive, tmp_path):
    path = soft_table(
        tmp_path,
        [("report001", NAMES[1], 0.9, 0.5), ("report005", NAMES[0], 0.1, 1.0), ("x", "y", 0, 0)],
    )
    labels = read_labels(archive / "labels")
    soft = read_soft_labels(path, labels)
    parts = read_parts(archive / "cohort", labels, Store.open(archive / "store"), soft)
    taught = parts[Split.TRAIN].soft
    assert taught is not None
    expected = np.full((4, 3), np.nan, np.float32)
    expected[1, 1] = 0.9
    assert np.array_equal(taught.probability_nl, expected, equal_nan=True)
    assert taught.confidence_nl[1, 1] == 0.5
    some = parts[Split.TRAIN].rows([1, 2]).labels([1])
    assert some.volume_ids == ["volume001", "volume002"]
    assert some.soft is not None
    assert some.soft.probability_nl[0].tolist() == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("report001", NAMES[1], 1.2, 0.5)], "row 1: probability is not between"),
        ([("report001", NAMES[1], float("nan"), 0.5)], "row 1: probability is not between"),
        ([("report001", NAMES[1], 0.2, -1)], "row 1: confidence is not between"),
        ([("report001", NAMES[1], 0.2, 1)] * 2, "stands in two rows"),
        ([("report001", "nodules", 0.2, 1)], "none of its labels is taught; it has nodules"),
    ],
)
def test_bad_soft_labels_are_refused(archive, tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_soft_labels(soft_table(tmp_path, rows), read_labels(archive / "labels"))


def test_the_store_s_own_word_on_patients_counts(archive, tmp_path):
    """A cohort table that renames a patient hides no leak."""
    make_archive(tmp_path, train=2, validation=1, test=1)
    frame = cohort_of(tmp_path)
    with Store.open(tmp_path / "store") as store:
        other = np.array(store.read("volume000")) - 1
        store.add(
            prepared_of(other, "again"),
            VolumeIds("volume003", "scan003", "study003", "patient000"),
        )
    assert frame["patient_id"].nunique() == 4
    with pytest.raises(InputError, match="a patient stands in two splits"):
        read_parts(tmp_path / "cohort", read_labels(tmp_path / "labels"), store)


def test_scans_average_their_volumes():
    part = Part(
        ["v0", "v1", "v2"], ["s", "t", "s"], ["p", "q", "p"], np.array([[1], [0], [1]], np.int8)
    )
    logits, values, scans, patients = mean_by_scan(
        np.array([[1.0], [5.0], [3.0]], np.float32), part
    )
    assert (logits.ravel().tolist(), values.ravel().tolist()) == ([2.0, 5.0], [1, 0])
    assert (scans, patients) == (["s", "t"], ["p", "q"])


def test_two_phases_or_studies_of_a_scan_are_not_averaged(tmp_path):
    """One accession: a study with two reconstructions of one phase and another phase, and one more
    study; and a scan whose phase nobody knows, with two reconstructions."""
    moments = [("s", "a", 1), ("s", "a", 1), ("s", "a", 2), ("s", "b", 1)]
    moments += [("t", "c", None), ("t", "d", None)]
    ids = [
        VolumeIds(f"v{row}", scan, study, scan, phase=phase)
        for row, (scan, study, phase) in enumerate(moments)
    ]
    chest = np.arange(32**3, dtype=np.int16).reshape(32, 32, 32)
    with Store.create(tmp_path / "store", PROFILE) as store:
        for row, name in enumerate(ids):
            store.add(prepared_of(chest - row, name.volume_id), name)
    cohort = pd.DataFrame(
        {
            "volume_id": [name.volume_id for name in ids],
            "scan_id": [name.scan_id for name in ids],
            "patient_id": [name.patient_id for name in ids],
            "report_id": [name.scan_id for name in ids],
            "split": "test",
        }
    )
    write_cohort(tmp_path / "cohort", cohort)
    write_labels(tmp_path / "labels", pd.DataFrame({"report_id": ["s", "t"], "x": [1, 0]}))
    part = read_parts(
        tmp_path / "cohort", read_labels(tmp_path / "labels"), Store.open(tmp_path / "store")
    )[Split.TEST]
    logits = np.array([[1.0], [3.0], [10.0], [20.0], [5.0], [7.0]], np.float32)
    found, values, cases, patients = mean_by_scan(logits, part)
    assert cases == ["s/a/1", "s/a/2", "s/b/1", "t"]
    assert found.ravel().tolist() == [2.0, 10.0, 20.0, 6.0]
    assert (values.ravel().tolist(), patients) == ([1, 1, 1, 0], ["s", "s", "s", "t"])
    some = part.rows([5, 0])
    assert mean_by_scan(logits[[5, 0]], some)[2] == ["s/a/1", "t"]


def test_words_where_values_should_be_are_refused(tmp_path):
    table = pa.table({"report_id": ["a", "b"], "Emphysema": ["yes", None], "Mass": [None, None]})
    files.write_table(tmp_path / "labels.parquet", table)
    with pytest.raises(InputError, match="'Emphysema' holds other values than 1, 0, -1 and blank"):
        read_labels(tmp_path / "labels.parquet")


@pytest.mark.parametrize(
    ("report", "probability", "message"),
    [
        ("report000", 1.2, "row 1: probability is not between 0 and 1"),
        ("report000", float("nan"), "row 1: probability is not between 0 and 1"),
        ("nobody's", 0.5, "none of its reports is in the label table"),
    ],
)
def test_soft_labels_that_cannot_be_meant_are_refused(
    archive, tmp_path, report, probability, message
):
    labels = read_labels(archive / "labels")
    row = {"report_id": report, "label": labels.columns[0], "confidence": 1.0}
    table = pa.Table.from_pylist([{**row, "probability": probability}])
    files.write_table(tmp_path / "soft_labels.parquet", table)
    with pytest.raises(InputError, match=message):
        read_soft_labels(tmp_path / "soft_labels.parquet", labels)
