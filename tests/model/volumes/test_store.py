import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from configs import files, tables
from configs.contracts import InputError
from configs.files import read_table
from configs.profile import load_profile
from model.volumes.anatomy import LungMeasures
from model.volumes.preprocess import PreparedVolume, preprocess
from model.volumes.store import Store, VolumeIds
from tests.model.volumes.phantom import affine_of, chest, volume_of

TINY = load_profile("tiny")


@pytest.fixture(scope="module")
def prepared() -> PreparedVolume:
    return preprocess(volume_of(chest(), affine_of((5.0, 5.0, 5.0))), TINY)


def add(store: Store, prepared: PreparedVolume, name: str) -> None:
    store.add(prepared, VolumeIds(name, scan_id="s", study_id="t", patient_id="p"))


def test_what_is_added_is_read_back_exactly(tmp_path: Path, prepared: PreparedVolume) -> None:
    with Store.create(tmp_path / "store", TINY) as store:
        add(store, prepared, "a")
        assert (store.read("a") == prepared.hu_zyx).all()
    again = Store.open(tmp_path / "store")
    assert again.profile == TINY
    assert again.read("a").tobytes() == prepared.hu_zyx.tobytes()
    row = again.manifest.iloc[0]
    assert np.allclose(np.reshape(row["affine_lps"], (4, 4)), prepared.affine_lps)
    assert list(row["shape"]) == [64, 64, 64]
    assert list(again.manifest.columns) == tables.SCANS.names
    assert read_table(tmp_path / "store" / "scans.parquet").schema == tables.SCANS


def test_a_crop_is_read_without_the_rest(tmp_path: Path, prepared: PreparedVolume) -> None:
    with Store.create(tmp_path, TINY) as store:
        add(store, prepared, "a")
    box = np.s_[3:40, 10:11, 20:64]
    assert (Store.open(tmp_path).read_crop("a", box) == prepared.hu_zyx[box]).all()


def test_a_worker_s_copy_writes_and_the_parent_records(
    tmp_path: Path, prepared: PreparedVolume
) -> None:
    with Store.create(tmp_path, TINY) as store:
        copy = pickle.loads(pickle.dumps(store))
        store.record(copy.write_array(prepared, VolumeIds("a", "s", "t", "p")))
    assert (Store.open(tmp_path).read("a") == prepared.hu_zyx).all()


def test_parts_add_up_and_a_redone_volume_stands_once(
    tmp_path: Path, prepared: PreparedVolume
) -> None:
    for names in (["a", "b"], ["b", "c"]):
        with Store.create(tmp_path, TINY) as store:
            for name in names:
                add(store, prepared, name)
    assert sorted(Store.open(tmp_path).manifest["volume_id"]) == ["a", "b", "c"]
    assert Store.open(tmp_path).holds("a", "0" * 64)
    assert not Store.open(tmp_path).holds("a", "1" * 64)


def test_an_altered_array_is_refused(tmp_path: Path, prepared: PreparedVolume) -> None:
    with Store.create(tmp_path, TINY) as store:
        add(store, prepared, "a")
    known = Store.open(tmp_path)
    known.read("a")
    path = next((tmp_path / "arrays").iterdir())
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 1
    path.write_bytes(packed)
    for store in (Store.open(tmp_path), known):
        with pytest.raises(InputError, match="altered"):
            store.read("a")
        with pytest.raises(InputError, match="altered"):
            store.read_crop("a", np.s_[:4, :4, :4])
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        Store.open(tmp_path).read("a")


@pytest.mark.parametrize(
    ("field", "value"), [("format", 0), ("preprocess_version", 0), ("profile", {"name": "x"})]
)
def test_another_version_is_refused(tmp_path: Path, field: str, value: object) -> None:
    Store.create(tmp_path, TINY)
    header = json.loads((tmp_path / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(header | {field: value}))
    with pytest.raises(InputError):
        Store.open(tmp_path)


def test_another_profile_is_refused(tmp_path: Path, prepared: PreparedVolume) -> None:
    Store.create(tmp_path, TINY)
    with pytest.raises(InputError, match="profile"):
        Store.create(tmp_path, load_profile("small"))
    small = Store.create(tmp_path / "small", load_profile("small"))
    with pytest.raises(InputError, match="profile"):
        add(small, prepared, "a")


def test_no_store_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="chestct prepare"):
        Store.open(tmp_path)
    with pytest.raises(InputError, match="no volume"):
        Store.create(tmp_path, TINY).read("nobody")


def test_a_part_without_today_s_columns_is_read(tmp_path: Path, prepared: PreparedVolume) -> None:
    with Store.create(tmp_path, prepared.profile) as store:
        store.add(prepared, VolumeIds("a", "s", "t", "p"))
    part = next((tmp_path / "scans.parquet").iterdir())
    files.write_table(part, files.read_table(part).drop_columns(["lung_volume_ml"]))
    with Store.open(tmp_path) as store:
        store.add(prepared, VolumeIds("b", "s", "t", "p"), (), LungMeasures(4000.0, 0.02))
    measured = Store.open(tmp_path).manifest.set_index("volume_id")["lung_volume_ml"]
    assert measured.isna().tolist() == [True, False]
    assert measured["b"] == 4000


def test_a_volume_id_cannot_leave_the_store(tmp_path: Path, prepared: PreparedVolume) -> None:
    with Store.create(tmp_path / "store", TINY) as store:
        add(store, prepared, "../../escaped")
    assert (store.read("../../escaped") == prepared.hu_zyx).all()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
