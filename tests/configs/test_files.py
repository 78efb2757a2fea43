import json
import stat
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import files
from configs.contracts import InputError


def write_half(target: Path) -> None:
    with files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    files.write_json(target, {"old": 1})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(target, {"new": float("nan")})
    with pytest.raises(RuntimeError):
        write_half(target)
    assert json.loads(target.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_a_table_folder_is_read_as_one_table_without_hidden_parts(tmp_path: Path) -> None:
    part = pa.table({"report_id": ["00123"]})
    files.write_table(tmp_path / "labels.parquet" / "part-0.parquet", part)
    files.write_table(tmp_path / "labels.parquet" / "part-1.parquet", part)
    (tmp_path / "labels.parquet" / ".part-2.parquet.tmp").write_bytes(b"half written")
    table = files.read_table(tmp_path / "labels.parquet", ["report_id"])
    assert table.column("report_id").to_pylist() == ["00123", "00123"]


def test_reading_a_table_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        files.read_table(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(InputError, match="not a Parquet table"):
        files.read_table(tmp_path / "text.parquet")
    files.write_table(tmp_path / "t.parquet", pa.table({"a": [1]}))
    with pytest.raises(InputError, match="no column 'b'; it has a"):
        files.read_table(tmp_path / "t.parquet", ["b"])


def test_an_unfinished_output_folder_is_not_read(tmp_path: Path) -> None:
    table = tmp_path / "labels.parquet"
    files.write_table(table, pa.table({"report_id": ["1"]}))
    assert files.finished_table(table, "labels.parquet") == table
    with pytest.raises(InputError, match=r"no run\.json"):
        files.finished_table(tmp_path, "labels.parquet")
    files.write_json(tmp_path / "run.json", {})
    assert files.finished_table(tmp_path, "labels.parquet") == table


@given(st.text(min_size=1, max_size=400))
def test_any_identifier_becomes_a_name_that_stays_in_its_folder(identifier: str) -> None:
    name = files.safe_name(identifier)
    assert name
    assert len(name) <= 80
    assert not name.startswith((".", "-"))
    assert set("/\\\0:") & set(name) == set()
    assert Path("folder", name).parent == Path("folder")


@given(st.text(max_size=60), st.text(max_size=60))
def test_two_identifiers_never_share_a_name(one: str, other: str) -> None:
    if one != other:
        assert files.safe_name(one) != files.safe_name(other)


@pytest.mark.parametrize("reserved", ["CON", "nul.txt", "COM1", "lpt9.nii"])
def test_device_names_are_changed(reserved: str) -> None:
    assert files.safe_name(reserved) != reserved


def test_a_key_file_is_private_and_gives_the_same_pseudonyms_again(tmp_path: Path) -> None:
    path = tmp_path / "id.key"
    made = files.IdKey.open(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = files.IdKey.open(path)
    assert made.pseudonym("scan", "00123") == again.pseudonym("scan", " 00123 ")
    assert made.pseudonym("scan", "00123") != made.pseudonym("patient", "00123")
    assert made.pseudonym("scan", "00123") != made.pseudonym("scan", "123")
    assert "00123" not in made.pseudonym("scan", "00123")


@pytest.mark.parametrize("content", ["", "not hexadecimal", "abcd"])
def test_a_bad_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "id.key"
    path.write_text(content)
    with pytest.raises(InputError, match="key"):
        files.IdKey.open(path)


def test_a_hash_follows_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_text("x")
    before = files.sha256_of(tmp_path / "one")
    (tmp_path / "one" / "a").rename(tmp_path / "one" / "b")
    assert files.sha256_of(tmp_path / "one") != before
