from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from configs import files, tables
from configs.contracts import InputError, RecordReason, Split
from configs.profile import Profile
from model.volumes.preprocess import PreparedVolume
from model.volumes.store import Store, VolumeIds
from model.volumes.volume import Source, Volume
from pipelines.cohort import cohort, split_of

PROFILE = Profile(name="dot", grid_zyx=(8, 8, 8), spacing_mm_zyx=(1, 1, 1), margin_mm=0)


def add(store: Store, key: files.IdKey, patient: str, accession: str, series: str) -> None:
    source = Source("dicom", (8, 8, 8), np.eye(4), sha256=series)
    hu_zyx = np.zeros((8, 8, 8), np.int16)
    prepared = PreparedVolume(hu_zyx, np.eye(4), PROFILE, Volume(hu_zyx, np.eye(4), series, source))
    ids = VolumeIds(
        key.pseudonym("volume", series),
        key.pseudonym("scan", accession),
        key.pseudonym("scan", f"study of {accession}"),
        key.pseudonym("patient", patient),
    )
    store.add(prepared, ids)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Scans A1 (two kernels) and A2 of one patient, B1 of another, C1 without a report."""
    path = tmp_path / "store"
    key = files.IdKey.open(path / "id.key", create=True)
    with Store.create(path, PROFILE) as made:
        for patient, accession, series in [
            ("a", "A1", "A1 soft"), ("a", "A1", "A1 sharp"), ("a", "A2", "A2"),
            ("b", "B1", "B1"), ("c", "C1", "C1"),
        ]:  # fmt: skip
            add(made, key, patient, accession, series)
    return path


def write_labels(path: Path, *report_ids: str) -> Path:
    schema = tables.labels_schema(["Lung nodule"])
    columns = {"report_id": list(report_ids), "Lung nodule": [1] * len(report_ids)}
    files.write_table(path / "labels.parquet", pa.table(columns, schema=schema))
    files.write_json(path / "run.json", {"verb": "label"})
    return path


def rejects(out: Path) -> set[str]:
    table = files.read_table(out / "rejected.parquet")
    return set(table.column("reason").to_pylist())


def test_reports_meet_their_scans_and_the_rest_is_said(store: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "A1", "A2", "study of B1", "Z9")
    joined = cohort(labels, store, out=tmp_path / "cohort")
    assert sorted(joined["report_id"]) == ["A1", "A1", "A2", "study of B1"]
    assert joined.groupby("patient_id")["split"].nunique().eq(1).all()
    assert rejects(tmp_path / "cohort") == {RecordReason.NO_SCAN, RecordReason.NO_REPORT}
    assert files.read_json(tmp_path / "cohort" / "run.json")["counts"] == {
        "volumes": 4, "reports": 3, "report_only": 1, "scan_only": 1, "rejected": 2
    }  # fmt: skip
    written = files.read_table(tmp_path / "cohort" / "cohort.parquet")
    assert written.schema.equals(tables.COHORT, check_metadata=False)


def test_a_scan_that_two_reports_claim_is_left_out(store: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "A1", "A2", "study of A2")
    joined = cohort(labels, store, out=tmp_path / "cohort")
    assert set(joined["report_id"]) == {"A1"}
    assert RecordReason.AMBIGUOUS in rejects(tmp_path / "cohort")


def test_a_mapping_names_the_scans_of_reports_with_other_ids(store: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "0007", "0008")
    (tmp_path / "map.csv").write_text("report_id,scan\n0007,A1\n0008,B1\n")
    joined = cohort(labels, store, out=tmp_path / "cohort", map_file=tmp_path / "map.csv")
    assert sorted(joined["report_id"]) == ["0007", "0007", "0008"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("report,scan\n1,2\n", "columns report_id and scan"),
        ("report_id,scan\n1,A1\n1,B1\n", "row 3"),
        ('report_id,scan\n1,"A1\n', "CSV"),
        ("", "CSV"),
    ],
)
def test_a_bad_mapping_is_refused(store: Path, tmp_path: Path, content: str, message: str) -> None:
    labels = write_labels(tmp_path / "labels", "1")
    (tmp_path / "map.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        cohort(labels, store, out=tmp_path / "cohort", map_file=tmp_path / "map.csv")
    assert not (tmp_path / "cohort" / "run.json").exists()


def test_nothing_in_common_another_key_and_wrong_shares_are_refused(
    store: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path / "labels", "A1")
    files.IdKey.open(tmp_path / "other.key", create=True)
    with pytest.raises(InputError, match="no report belongs to a scan"):
        cohort(labels, store, out=tmp_path / "cohort", id_key=tmp_path / "other.key")
    with pytest.raises(InputError, match="below 1"):
        cohort(labels, store, out=tmp_path / "cohort", test=0.9, validation=0.1)


def test_a_patient_keeps_its_split_when_the_archive_grows() -> None:
    patients = pd.Series([f"patient {n}" for n in range(4000)])
    first = patients[:2000].map(lambda p: split_of(p, 0.1, 0.2))
    grown = patients.map(lambda p: split_of(p, 0.1, 0.2))
    assert (grown[:2000] == first).all()
    shares = grown.value_counts(normalize=True)
    assert abs(shares[Split.TEST] - 0.2) < 0.03
    assert abs(shares[Split.VALIDATION] - 0.1) < 0.03
    assert (patients.map(lambda p: split_of(p, 0.1, 0.2, seed=1)) != grown).any()
