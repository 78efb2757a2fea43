import numpy as np
import pandas as pd
import pytest

from configs import files
from configs.contracts import InputError, Split
from model.data import OneVolumePerScan, Part, mean_by_scan, read_labels, read_parts
from model.losses import BLANK
from model.volumes.store import Store, VolumeIds
from tests.model.archive import NAMES, make_archive, prepared_of, write_cohort, write_labels


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


def test_an_epoch_shows_every_scan_once_in_an_order_of_its_own():
    sampler = OneVolumePerScan(["a", "a", "b", "c", "c", "c"], seed=1)
    epochs = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
        assert list(sampler) == epochs[-1]
    scan_of = [0, 0, 1, 2, 2, 2]
    assert all(sorted(scan_of[row] for row in rows) == [0, 1, 2] for rows in epochs)
    assert {row for rows in epochs for row in rows} == set(range(6))
    assert len({tuple(rows) for rows in epochs}) > 5


def test_scans_average_their_volumes():
    part = Part(
        ["v0", "v1", "v2"], ["s", "t", "s"], ["p", "q", "p"], np.array([[1], [0], [1]], np.int8)
    )
    logits, values, scans, patients = mean_by_scan(
        np.array([[1.0], [5.0], [3.0]], np.float32), part
    )
    assert (logits.ravel().tolist(), values.ravel().tolist()) == ([2.0, 5.0], [1, 0])
    assert (scans, patients) == (["s", "t"], ["p", "q"])
