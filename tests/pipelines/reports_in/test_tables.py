"""Tables of reports: their columns by name, Parquet and JSON lines."""

import bz2
import csv
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import ReadOptions
from tests.pipelines.reports_in.reading import HEADER, pairs, read, split


def test_usual_columns_are_found_in_any_case_and_joined_under_heads(tmp_path: Path) -> None:
    content = "VolumeName,Findings_EN,Impressions_EN\nv1,clear lungs,normal\nv2,,normal\n"
    reports, _ = read(tmp_path / "a.csv", content)
    assert pairs(reports) == [
        ("v1", "FINDINGS: clear lungs\n\nIMPRESSION: normal"),
        ("v2", "IMPRESSION: normal"),
    ]
    reports, _ = read(tmp_path / "b.csv", "ACCESSIONNO;Report_Text\n1;x\n")
    assert pairs(reports) == [("1", "x")]


def test_named_columns_are_used(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,a,b\n1,x,y\n")
    reports, _ = split(tmp_path / "a.csv", "id", ["b"])
    assert pairs(reports) == [("1", "y")]


def test_missing_columns_and_files_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "1,x\n")
    with pytest.raises(InputError, match=r"no column 'nope'.*--id-column"):
        read_reports(tmp_path / "a.csv", ReadOptions(id_column="nope"))
    with pytest.raises(InputError, match=r"no column 'nope'.*--text-column"):
        read_reports(tmp_path / "a.csv", ReadOptions(text_columns=("nope",)))
    with pytest.raises(InputError, match="no such file"):
        read_reports(tmp_path / "b.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="no reports in this folder"):
        read_reports(tmp_path / "folder")


def test_parquet_file_and_folder(tmp_path: Path) -> None:
    part = pa.table({"report_id": ["00123", "2", None], "report_text": ["NA", None, "x"]})
    pq.write_table(part, tmp_path / "a.parquet")
    reports, rejected = split(tmp_path / "a.parquet")
    assert pairs(reports) == [("00123", "NA")]
    assert [(r.reason, r.detail.split(":")[0]) for r in rejected] == [
        ("EMPTY", "row 2"),
        ("NO_ID", "row 3"),
    ]
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(3):
        table = pa.table({"report_id": [number], "report_text": [f"text {number}"]})
        pq.write_table(table, folder / f"part-{number}.parquet")
    reports, rejected = split(folder)
    assert pairs(reports) == [(str(n), f"text {n}") for n in range(3)]
    assert rejected == []


def test_parquet_traps(tmp_path: Path) -> None:
    pq.write_table(pa.table({"report_id": [1.0], "report_text": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="double"):
        split(tmp_path / "a.parquet")
    texts = pa.array([b"good", b"b\xffd"]).view(pa.binary()).cast(pa.string(), safe=False)
    encoded = pa.array(["1", "2"]).dictionary_encode()
    pq.write_table(pa.table({"report_id": encoded, "report_text": texts}), tmp_path / "b.parquet")
    reports, rejected = split(tmp_path / "b.parquet")
    assert pairs(reports) == [("1", "good")]
    assert [r.reason for r in rejected] == ["ENCODING"]
    (tmp_path / "c.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match="not a readable Parquet"):
        split(tmp_path / "c.parquet")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "17,The lungs of this patient are clear and no effusion is seen anywhere.\n"),
        ("a.json", '[{"report_id": "17", "report_text": "The lungs of this patient are clear."}]'),
        ("b.jsonl", '[\n{"report_id": "17", "report_text": "The lungs are clear."}\n]\n'),
    ],
)
def test_a_record_in_place_of_a_header_is_never_told(
    tmp_path: Path, name: str, content: str
) -> None:
    with pytest.raises(InputError, match=r"header of column names|not a JSON object") as error:
        read(tmp_path / name, content)
    assert "17" not in str(error.value)
    assert "lungs" not in str(error.value)


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"report_id": "00123", "report_text": "NA\nsecond"}),
        '{"report_id": 12345678901234567890, "report_text": "x"}',
        '{"report_id": 1.50, "report_text": null}',
        "not json",
        "",
        '{"report_id": "5", "report_text": ["x"]}',
    ]
    reports, rejected = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert pairs(reports) == [("00123", "NA\nsecond"), ("12345678901234567890", "x")]
    assert [(r.id, r.reason) for r in rejected] == [
        ("1.50", "EMPTY"),
        ("", "MALFORMED_ROW"),
        ("", "MALFORMED_ROW"),
    ]
    with pytest.raises(InputError, match="not a JSON object"):
        read(tmp_path / "b.jsonl", "[1]\n")


@pytest.mark.parametrize("packed", ["gz", "bz2", "zst"])
def test_compressed_json_lines(tmp_path: Path, packed: str) -> None:
    compress = {"gz": gzip.compress, "bz2": bz2.compress, "zst": pa.Codec("zstd").compress}[packed]
    line = json.dumps({"report_id": "00123", "report_text": "Lungs clear."}).encode()
    (tmp_path / f"a.jsonl.{packed}").write_bytes(bytes(memoryview(compress(line + b"\n"))))
    reports, rejected = split(tmp_path / f"a.jsonl.{packed}")
    assert pairs(reports) == [("00123", "Lungs clear.")]
    assert rejected == []


@pytest.mark.parametrize(
    "column",
    [
        pa.array([18446744073709551615], pa.uint64()),
        pa.array([Decimal("18446744073709551615")], pa.decimal128(38, 0)),
    ],
)
def test_twenty_digits_from_whole_number_columns(tmp_path: Path, column: pa.Array) -> None:
    table = pa.table({"report_id": column, "report_text": ["Lungs clear."]})
    pq.write_table(table, tmp_path / "a.parquet")
    reports, _ = split(tmp_path / "a.parquet")
    assert [report.id for report in reports] == ["18446744073709551615"]


def test_markup_in_cells_becomes_text_and_broken_markup_costs_its_row(tmp_path: Path) -> None:
    rows = [
        ("1", "{\\rtf1\\ansi No nodule.\\par Clear.}", "<p>Normal</p>"),
        ("2", "{\\rtf1\\bin9 xx}", "Normal"),
        ("3", "A nodule <5 mm", "R&D {x}"),
    ]
    out = io.StringIO()
    csv.writer(out).writerows([("report_id", "findings", "impression"), *rows])
    reports, rejected = read(tmp_path / "a.csv", out.getvalue())
    assert pairs(reports) == [
        ("1", "FINDINGS: No nodule.\nClear.\n\nIMPRESSION: Normal"),
        ("3", "FINDINGS: A nodule <5 mm\n\nIMPRESSION: R&D {x}"),
    ]
    assert [(r.id, r.reason) for r in rejected] == [("2", "UNREADABLE")]


def test_rows_of_several_files_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(HEADER + "1,Lungs clear.\n")
    (tmp_path / "2.csv").write_text(HEADER + "2,Lungs clear.\n3\n")
    reports, rejected = split(tmp_path)
    assert [report.place for report in reports] == ["line 2 of file 1", "line 2 of file 2"]
    assert [r.detail for r in rejected] == ["line 3 of file 2: 1 fields, 2 expected"]
