"""`cohort`: every report and scan is matched or listed, and nobody stands in two splits."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from pipelines.cohort import cohort

PROFILE = Profile(name="dot", grid_zyx=(8, 8, 8), spacing_mm_zyx=(1, 1, 1), margin_mm=0)


def add(
    store: Store,
    key: files.IdKey,
    patient: str,
    accession: str,
    series: str,
    *,
    study: str | None = None,
    pixels: int | None = None,
    date: str = "",
    site: str | None = None,
) -> None:
    """A volume whose pixels are its own, unless `pixels` says which."""
    source = Source("dicom", (8, 8, 8), np.eye(4), sha256=series, date=date, sex="F", age_years=64)
    hu_zyx = np.full((8, 8, 8), len(store) if pixels is None else pixels, np.int16)
    prepared = PreparedVolume(hu_zyx, np.eye(4), PROFILE, Volume(hu_zyx, np.eye(4), series, source))
    ids = VolumeIds(
        key.pseudonym("volume", series),
        key.pseudonym("scan", accession),
        key.pseudonym("scan", study or f"study of {accession}"),
        key.pseudonym("patient", patient),
    )
    store.record(store.write_array(prepared, ids) | {"site": site})


def make_store(path: Path, *volumes: dict[str, Any]) -> Path:
    key = files.IdKey.open(path / "id.key", create=True)
    with Store.create(path, PROFILE) as made:
        for number, volume in enumerate(volumes):
            add(made, key, **{"series": f"series {number}"} | volume)
    files.write_json(path / "run.json", {"verb": "prepare"})
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Scans A1 (two kernels) and A2 of one patient, B1 of another, C1 without a report."""
    return make_store(
        tmp_path / "store",
        {"patient": "a", "accession": "A1", "series": "A1 soft", "date": "20240301"},
        {"patient": "a", "accession": "A1", "series": "A1 sharp", "date": "20240301"},
        {"patient": "a", "accession": "A2"},
        {"patient": "b", "accession": "B1"},
        {"patient": "c", "accession": "C1"},
    )


def write_labels(path: Path, *report_ids: str, parts: int = 1) -> Path:
    schema = tables.labels_schema(["Lung nodule"])
    for part in range(parts):
        ids = report_ids[part::parts]
        table = pa.table({"report_id": ids, "Lung nodule": [1] * len(ids)}, schema=schema)
        files.write_table(path / "labels.parquet" / f"part-{part:05d}.parquet", table)
    files.write_json(path / "run.json", {"verb": "label"})
    return path


def rejects(out: Path) -> dict[str, str]:
    table = files.read_table(out / "rejected.parquet")
    assert table.schema.equals(tables.REJECTED)
    assert set(table["stage"].to_pylist()) <= {"cohort"}
    return dict(zip(table["id"].to_pylist(), table["reason"].to_pylist(), strict=True))


def key_of(store: Path) -> files.IdKey:
    return files.IdKey.open(store / "id.key")


def test_reports_meet_their_scans_and_the_rest_is_said(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_labels(tmp_path / "labels", "A1", "A2", "study of B1", " Z9", parts=2)
    out = tmp_path / "cohort"
    joined = cohort(labels, store, out=out)
    assert sorted(joined["report_id"]) == ["A1", "A1", "A2", "study of B1"]
    assert joined.groupby("patient_id")["split"].nunique().eq(1).all()
    unseen = key_of(store).pseudonym("scan", "C1")
    assert rejects(out) == {" Z9": RecordReason.NO_SCAN, unseen: RecordReason.NO_REPORT}
    assert files.read_json(out / "run.json")["counts"] == {
        "volumes": 4,
        "scans": 3,
        "patients": 2,
        "reports": 3,
        "report_only": 1,
        "reports_of_refused_scans": 0,
        "scan_only": 1,
        "ambiguous_reports": 0,
        "ambiguous_scans": 0,
        "rejected": 2,
    }
    written = files.read_table(out / "cohort.parquet")
    assert written.schema.equals(tables.DESCRIBED_COHORT, check_metadata=False)
    row = next(row for row in written.to_pylist() if row["report_id"] == "A1")
    assert (row["date"], row["sex"], row["age_band"]) == ("20240301", "F", "60-69")
    assert [row[name] for name in ("site", "exam", "report_status", "report_time")] == [None] * 4
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 scans matched (4 volumes, 3 reports), 1 reports without scan" in shown


def test_what_the_labelled_archive_states_of_a_report_is_kept(store: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "A1", "B1")
    at = datetime(2024, 3, 1, 12, tzinfo=UTC)
    stated = [
        {"report_id": "A1", "status": "corrected", "time": at, "exam": "CT CHEST"},
        {"report_id": "elsewhere", "status": "final", "time": at, "exam": "CT HEAD"},
    ]
    files.write_table(
        labels / "reports.parquet" / "part-00000.parquet",
        pa.Table.from_pylist(stated, schema=tables.REPORTS),
    )
    cohort(labels, store, out=tmp_path / "cohort", quiet=True)
    rows = files.read_table(tmp_path / "cohort" / "cohort.parquet").to_pylist()
    found = {
        (row["report_id"], row["exam"], row["report_status"], row["report_time"]) for row in rows
    }
    assert found == {("A1", "CT CHEST", "corrected", at), ("B1", None, None, None)}


def test_a_table_called_reports_that_label_did_not_write_is_left_alone(
    store: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path / "labels", "A1")
    files.write_json(labels / "run.json", {"verb": "dataset"})
    files.write_table(labels / "reports.parquet", pa.table({"report_text": ["Emphysema."]}))
    assert len(cohort(labels, store, out=tmp_path / "cohort", quiet=True)) == 2


def test_a_scan_that_two_reports_claim_is_left_out(store: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "A1", "A2", "study of A2")
    joined = cohort(labels, store, out=tmp_path / "cohort")
    assert set(joined["report_id"]) == {"A1"}
    reasons = rejects(tmp_path / "cohort")
    for name in ("A2", "study of A2", key_of(store).pseudonym("scan", "A2")):
        assert reasons[name] == RecordReason.AMBIGUOUS


def test_an_accession_number_of_two_patients_is_ambiguous(tmp_path: Path) -> None:
    """Two hospitals that both count from 1: which patient the report is of, nobody knows."""
    store = make_store(
        tmp_path / "store",
        {"patient": "a", "accession": "1", "study": "1.2.3"},
        {"patient": "b", "accession": "1", "study": "4.5.6"},
        {"patient": "c", "accession": "2"},
    )
    labels = write_labels(tmp_path / "labels", "1", "2")
    joined = cohort(labels, store, out=tmp_path / "cohort")
    assert list(joined["report_id"]) == ["2"]
    assert rejects(tmp_path / "cohort")["1"] == RecordReason.AMBIGUOUS


def test_one_report_of_several_studies_of_one_patient_but_not_of_two(
    store: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path / "labels", "0007", "0008")
    mapping = tmp_path / "map.csv"
    mapping.write_text("report_id;scan\n0007;A1\n0007;A2\n0008;B1\n0008;unknown\n")
    joined = cohort(labels, store, out=tmp_path / "cohort", map_file=mapping)
    assert sorted(joined["report_id"]) == ["0007", "0007", "0007", "0008"]
    mapping.write_text("report_id,scan\n0007,A1\n0007,B1\n0008,A2\n")
    joined = cohort(labels, store, out=tmp_path / "cohort", map_file=mapping, restart=True)
    assert list(joined["report_id"]) == ["0008"]
    assert rejects(tmp_path / "cohort")["0007"] == RecordReason.AMBIGUOUS


def test_a_chest_under_two_identifiers_is_one_patient(tmp_path: Path) -> None:
    volumes = [{"patient": f"p{n}", "accession": f"{n}", "pixels": n} for n in range(40)]
    volumes[7]["pixels"] = 3  # the same pixels under another number
    volumes[9]["study"] = "study of 7"  # and a third identifier in the same study
    volumes[20] |= {
        "accession": "2",
        "study": "study of 20",
    }  # p2 and p20 share a number, and nothing else
    store = make_store(tmp_path / "store", *volumes)
    labels = write_labels(tmp_path / "labels", *(f"{n}" for n in range(40)))
    for seed in range(3):
        joined = cohort(
            labels,
            store,
            out=tmp_path / "cohort",
            test=0.5,
            seed=seed,
            restart=True,
            quiet=True,
        )
        same = joined[joined["report_id"].isin(["3", "7", "9"])]
        assert len(same) == 3
        assert same["patient_id"].nunique() == 1
    key = key_of(store)
    several = sorted(key.pseudonym("patient", f"p{n}") for n in (3, 7, 9))
    assert files.read_json(tmp_path / "cohort" / "run.json")["same_patients"] == [several]
    assert set(joined["patient_id"]) & set(several) == {several[0]}


def test_a_report_named_by_its_study_is_of_all_scans_of_the_study(tmp_path: Path) -> None:
    store = make_store(
        tmp_path / "store",
        {"patient": "a", "accession": "1", "study": "1.2.3"},
        {"patient": "a", "accession": "2", "study": "1.2.3"},
    )
    labels = write_labels(tmp_path / "labels", "1.2.3 ")
    joined = cohort(labels, store, out=tmp_path / "cohort", quiet=True)
    assert list(joined["report_id"]) == ["1.2.3 "] * 2
    assert joined["scan_id"].nunique() == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("report,scan\n1,2\n", "needs the column report_id"),
        ("report_id,other\n1,2\n", "scan .* or site"),
        ('report_id,scan\n1,"A1\n', "line 2: a quote"),
        ("report_id,scan\n1,\n", "line 2: names no report"),
        ("report_id,scan,site\n1,A1,north\n1,A1,south\n", "line 3: another site"),
        ("", "empty"),
    ],
)
def test_a_bad_mapping_is_refused(store: Path, tmp_path: Path, content: str, message: str) -> None:
    labels = write_labels(tmp_path / "labels", "1")
    (tmp_path / "map.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        cohort(labels, store, out=tmp_path / "cohort", map_file=tmp_path / "map.csv")
    assert not (tmp_path / "cohort").exists()


def test_a_mapping_of_another_encoding_is_refused_with_its_line(
    store: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path / "labels", "A1")
    (tmp_path / "map.csv").write_bytes("report_id,site\nA1,Köln\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        cohort(labels, store, out=tmp_path / "cohort", map_file=tmp_path / "map.csv")


def refuse(store: Path, **scans: str) -> None:
    """Note scans, by accession number, that `prepare` refused for a reason."""
    key = key_of(store)
    rows = [
        {"volume_id": name, "scan_id": key.pseudonym("scan", name), "reason": reason}
        for name, reason in scans.items()
    ]
    files.write_table(store / "refused.parquet", pa.Table.from_pylist(rows, tables.REFUSED))


def test_a_report_whose_scan_was_refused_is_told_so(store: Path, tmp_path: Path) -> None:
    refuse(store, G1="GAP", A1="GAP")  # of A1 another series is in the store
    labels = write_labels(tmp_path / "labels", "A1", "G1", "Z9")
    out = tmp_path / "cohort"
    assert set(cohort(labels, store, out=out, quiet=True)["report_id"]) == {"A1"}
    said = rejects(out)
    assert (said["G1"], said["Z9"]) == (RecordReason.SCAN_REFUSED, RecordReason.NO_SCAN)
    details = files.read_table(out / "rejected.parquet")["detail"].to_pylist()
    assert any("GAP" in detail for detail in details)
    assert files.read_json(out / "run.json")["counts"]["reports_of_refused_scans"] == 1
    mapping = tmp_path / "map.csv"
    mapping.write_text("report_id,scan\nA1,A1\nZ9,G1\n")
    cohort(labels, store, out=out, map_file=mapping, restart=True, quiet=True)
    said = rejects(out)
    assert (said["Z9"], said["G1"]) == (RecordReason.SCAN_REFUSED, RecordReason.NO_SCAN)
    only = write_labels(tmp_path / "only", "G1")
    with pytest.raises(InputError, match="refused the scans of 1 reports"):
        cohort(only, store, out=tmp_path / "none", quiet=True)


def test_a_split_that_is_empty_or_small_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, store = dated(tmp_path, [f"2020{n // 28 + 1:02}{n % 28 + 1:02}" for n in range(10)])
    out = tmp_path / "cohort"
    cohort(labels, store, out=out, split_by="date", validation=0.2, test=0, quiet=True)
    warnings = files.read_json(out / "run.json")["warnings"]
    assert [text.split(";")[0] for text in warnings] == [
        "train has 8 patients",
        "validation has 2 patients",
    ]
    assert "warning: validation has 2 patients" in " ".join(capsys.readouterr().err.split())
    assert not any("--split-by" in text for text in warnings)
    out = tmp_path / "all test"
    cohort(labels, store, out=out, split_by="date", validation=0, test=1, quiet=True)
    assert files.read_json(out / "run.json")["warnings"] == []
    out = tmp_path / "none validates"
    cohort(labels, store, out=out, validation=0.001, test=0, quiet=True)
    (warning,) = files.read_json(out / "run.json")["warnings"]
    assert "validation has no patients" in warning
    assert "--split-by date" in warning


def test_a_finished_cohort_of_other_arguments_is_replaced_with_restart_alone(
    store: Path, tmp_path: Path
) -> None:
    labels, out = write_labels(tmp_path / "labels", "A2", "B1"), tmp_path / "cohort"
    cohort(labels, store, out=out, quiet=True)

    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in out.iterdir()}

    before = content()
    with pytest.raises(InputError, match=r"other arguments \(seed\); --restart replaces it"):
        cohort(labels, store, out=out, seed=7, quiet=True)
    with pytest.raises(InputError, match="no matched scan is of it"):
        cohort(labels, store, out=out, test_site=["nowhere"], restart=True, quiet=True)
    assert content() == before
    cohort(labels, store, out=out, seed=7, restart=True, quiet=True)
    assert files.read_json(out / "run.json")["config"]["seed"] == 7
    cohort(labels, store, out=out, seed=7, quiet=True)


def test_a_store_that_was_cut_short_is_refused(store: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "A2", "B1")
    (store / "run.json").unlink()
    with pytest.raises(InputError, match="`prepare` was cut short or is still at work"):
        cohort(labels, store, out=tmp_path / "cohort", quiet=True)
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize("date", ["20240301", ""])
def test_dates_are_shown_where_there_are_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], date: str
) -> None:
    labels, store = dated(tmp_path, [date] * 10)
    cohort(labels, store, out=tmp_path / "cohort")
    assert ("first date" in capsys.readouterr().out) == bool(date)


def test_what_is_no_store_is_told_before_its_key_is_missed(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", "A1")
    with pytest.raises(InputError, match="not a store"):
        cohort(labels, tmp_path / "nowhere", out=tmp_path / "cohort")


def test_what_is_no_label_table_is_told_so_and_not_parsed(store: Path, tmp_path: Path) -> None:
    (tmp_path / "reports.csv").write_text("report_id,report_text\nA1,x\n")
    with pytest.raises(InputError, match=r"reports\.csv: is no Parquet table; give the output"):
        cohort(tmp_path / "reports.csv", store, out=tmp_path / "cohort")
    with pytest.raises(InputError, match=r"none: no such file or folder$"):
        cohort(tmp_path / "none", store, out=tmp_path / "cohort")


def test_nothing_in_common_another_key_and_wrong_shares_are_refused(
    store: Path, tmp_path: Path
) -> None:
    labels = write_labels(tmp_path / "labels", "A1", "study of A1")
    out = tmp_path / "cohort"
    files.IdKey.open(tmp_path / "other.key", create=True)
    with pytest.raises(InputError, match="no report belongs to a scan"):
        cohort(labels, store, out=out, id_key=tmp_path / "other.key")
    with pytest.raises(InputError, match="all 1 matches are ambiguous: several reports claim"):
        cohort(labels, store, out=out)
    with pytest.raises(InputError, match="at most 1"):
        cohort(labels, store, out=out, test=1, validation=0.1)
    with pytest.raises(InputError, match="a store; labels come first"):
        cohort(store, labels, out=out)
    with pytest.raises(InputError, match="leave out --test"):
        cohort(labels, store, out=out, test_site=["north"], test=0.1)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array(["A1", None]), "row 2 has no report_id"),
        (pa.array([1.0, 2.0]), "must be text"),
        (pa.array([], pa.string()), "holds no report"),
        (pa.array(["A1", "A1"]), "two rows"),
    ],
)
def test_label_tables_without_sound_identifiers_are_refused(
    store: Path, tmp_path: Path, column: pa.Array, message: str
) -> None:
    files.write_table(tmp_path / "labels.parquet", pa.table({"report_id": column}))
    with pytest.raises(InputError, match=message):
        cohort(tmp_path / "labels.parquet", store, out=tmp_path / "cohort")


def dated(tmp_path: Path, dates: list[str]) -> tuple[Path, Path]:
    volumes = [
        {"patient": f"p{n % 10}", "accession": f"{n}", "date": date} for n, date in enumerate(dates)
    ]
    store = make_store(tmp_path / "store", *volumes)
    return write_labels(tmp_path / "labels", *(f"{n}" for n in range(len(dates)))), store


def test_by_date_the_latest_patients_test_and_no_patient_is_parted(tmp_path: Path) -> None:
    """Ten patients, a first scan each in 2020; p0 comes back last of all, p9 has no date."""
    dates = [f"202001{n + 10}" for n in range(9)] + ["unknown", "20231231"]
    labels, store = dated(tmp_path, dates)
    joined = cohort(
        labels, store, out=tmp_path / "cohort", split_by="date", test=0.22, validation=0.11
    )
    split = joined.set_index("report_id")["split"]
    tested = {"0", "10", "8"}
    assert set(split.index[split == Split.TEST]) == tested
    assert set(split.index[split == Split.VALIDATION]) == {"7"}
    assert split["9"] == Split.TRAIN


def test_by_date_without_dates_is_refused(tmp_path: Path) -> None:
    labels, store = dated(tmp_path, [""] * 3)
    with pytest.raises(InputError, match="no matched scan has a date"):
        cohort(labels, store, out=tmp_path / "cohort", split_by="date")


def test_a_site_tests_with_all_who_were_ever_scanned_there(tmp_path: Path) -> None:
    labels, store = dated(tmp_path, [""] * 20)  # each patient has two scans
    mapping = tmp_path / "map.csv"
    rows = [f"{n},{'south' if n in (13, 14) else 'north'}\n" for n in range(20)]
    mapping.write_text("report_id,site\n" + "".join(rows))
    joined = cohort(
        labels,
        store,
        out=tmp_path / "cohort",
        map_file=mapping,
        test_site=["south"],
        validation=0.3,
    )
    tested = joined[joined["split"] == Split.TEST]
    assert set(tested["report_id"]) == {"3", "13", "4", "14"}
    assert {Split.TEST} < set(joined["split"])  # the others are drawn by the store's key
    assert set(tested["site"]) == {"north", "south"}
    with pytest.raises(InputError, match="no matched scan is of it; sites: north, south"):
        cohort(labels, store, out=tmp_path / "c", map_file=mapping, test_site=["east"])
    with pytest.raises(InputError, match="or in the --map file"):
        cohort(labels, store, out=tmp_path / "c", test_site=["east"])


def test_a_site_that_the_store_notes_holds_unless_the_map_names_another(tmp_path: Path) -> None:
    sites = ["north", "north", "south", None]
    volumes = [
        {"patient": f"p{n}", "accession": f"{n}", "site": site} for n, site in enumerate(sites)
    ]
    store = make_store(tmp_path / "store", *volumes)
    labels = write_labels(tmp_path / "labels", "0", "1", "2", "3")
    joined = cohort(labels, store, out=tmp_path / "a", test_site=["south"], quiet=True)
    written = files.read_table(tmp_path / "a" / "cohort.parquet").to_pylist()
    assert {row["report_id"]: row["site"] for row in written} == dict(
        zip("0123", sites, strict=True)
    )
    assert set(joined["report_id"][joined["split"] == Split.TEST]) == {"2"}
    mapping = tmp_path / "map.csv"
    mapping.write_text("report_id,scan,site\n0,0,east\n1,1,\n2,2,\n")
    joined = cohort(labels, store, out=tmp_path / "b", map_file=mapping, quiet=True)
    found = dict(zip(joined["report_id"], joined["site"], strict=True))
    assert found == {"0": "east", "1": "north", "2": "south"}


def test_training_accepts_the_cohort(store: Path, tmp_path: Path) -> None:
    from model.data import read_labels, read_parts

    labels = write_labels(tmp_path / "labels", "A1", "A2", "B1", "C1")
    joined = cohort(labels, store, out=tmp_path / "cohort", quiet=True)
    parts = read_parts(tmp_path / "cohort", read_labels(labels), Store.open(store))
    volumes = {name for part in parts.values() for name in part.volume_ids}
    assert volumes == set(joined["volume_id"])
    assert len(pd.unique(joined["scan_id"])) == 4
