import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from configs import files
from pipelines.labelling.extent import Extent


def test_a_place_s_line_says_how_much_of_a_file_lies_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + "1,x\n" * 98)
    extent = Extent(path)
    assert extent.share("line 50") == pytest.approx(0.5)
    assert extent.share("line 100") == 1
    assert extent.share("") is None


def test_lines_are_counted_anew_in_each_file_of_a_folder(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n" * 99)
    extent = Extent(tmp_path)
    shares = [extent.share(f"line {line}") for line in (50, 100, 50, 100)]
    assert shares == [0.25, 0.5, 0.75, 1]


def test_parquet_counts_rows_and_a_folder_of_texts_files(tmp_path: Path) -> None:
    table = pa.table({"id": ["1"] * 40})
    files.write_table(tmp_path / "parts" / "1.parquet", table)
    files.write_table(tmp_path / "parts" / "2.parquet", table)
    assert Extent(tmp_path / "parts").share("row 60") == 0.75
    (tmp_path / "texts").mkdir()
    for number in range(8):
        (tmp_path / "texts" / f"{number}.txt").write_text("x")
    assert Extent(tmp_path / "texts").share("file 2") == 0.25


def test_a_compressed_file_s_length_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,text\n1,x\n"))
    assert Extent(tmp_path / "a.csv.gz").share("line 2") is None
