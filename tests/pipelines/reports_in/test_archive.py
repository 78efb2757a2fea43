"""Archives as sites export them: every record comes out, and other files are refused."""

import bz2
import contextlib
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import ReadNotes, ReadOptions
from pipelines.reports_in.rows import MAX_TEXT_CHARS, Report
from pipelines.running.run import Rejected
from tests.pipelines.reports_in.reading import HEADER, pairs, parted, read, split


def test_bad_records_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    long = "x" * (MAX_TEXT_CHARS + 1)
    content = (
        HEADER + f"1,good\n,no id\n2,\n3,  \n1,good\n8,one\n4,{long}\n5,nul\0\n6,good\n8,two\n"
    ).encode()
    content = content.replace(b"6,good", b"6,go\xffod\n7,good")
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["1", "7"]
    assert [(r.id, r.reason) for r in rejected] == [
        ("", "NO_ID"),
        ("2", "EMPTY"),
        ("3", "EMPTY"),
        ("1", "DUPLICATE_ID"),
        ("8", "CONFLICT"),
        ("4", "TOO_LONG"),
        ("5", "ENCODING"),
        ("6", "ENCODING"),
        ("8", "CONFLICT"),
    ]
    assert "same text" in rejected[3].detail
    assert "no status or time says which holds" in rejected[4].detail


def test_of_two_texts_under_one_identifier_neither_is_the_report(tmp_path: Path) -> None:
    rows = ["1,The whole report.", "1,Addendum.", "2,Once.", "2,Once.", "1,The whole report."]
    for order in (rows, rows[::-1]):
        reports, rejected = read(tmp_path / "a.csv", (HEADER + "\n".join(order)).encode())
        assert pairs(reports) == [("2", "Once.")]
        assert sorted((r.id, r.reason) for r in rejected) == [
            *[("1", "CONFLICT")] * 3,
            ("2", "DUPLICATE_ID"),
        ]


def test_a_store_is_no_archive_of_reports(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("{}")
    (tmp_path / "scans.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="this is a store of scans; name the reports"):
        read_reports(tmp_path)


def test_what_lies_beside_parquet_parts_is_not_read(tmp_path: Path) -> None:
    table = pa.table({"report_id": ["1"], "report_text": ["good"]})
    for name in ("a.parquet", "deep/b.PARQUET"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(table.set_column(0, "report_id", [[name]]), tmp_path / name)
    for name in ("README.txt", "_SUCCESS", "_metadata.parquet", "run.json"):
        (tmp_path / name).write_text("no table")
    found, _ = parted(read_reports(tmp_path, ReadOptions(any_language=True)))
    assert [report.id for report in found] == ["a.parquet", "deep/b.PARQUET"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt"])
def test_a_named_encoding_is_used_where_no_byte_order_mark_tells_another(
    tmp_path: Path, suffix: str
) -> None:
    text = "Müller ± 5°"
    rows = {
        ".csv": f'report_id,report_text\na,"{text}"\n',
        ".tsv": f"report_id\treport_text\na\t{text}\n",
        ".jsonl": f'{{"report_id": "a", "report_text": "{text}"}}\n',
        ".txt": text,
    }
    options = ReadOptions(encoding="cp1252", any_language=True)
    for codec in ("cp1252", "utf-8-sig", "utf-16"):
        found, rejected = read(tmp_path / f"a{suffix}", rows[suffix].encode(codec), options)
        assert pairs(found) == [("a", text)], codec
        assert rejected == []
    wrong = rows[suffix].encode("cp1252").replace(b"\xb1", b"\x81")
    found, rejected = read(tmp_path / f"a{suffix}", wrong, options)
    assert [r.reason for r in rejected] == ["ENCODING"], "a byte that cp1252 has not"


def test_parquet_has_an_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="leave out --encoding"):
        read_reports(tmp_path / "a.parquet", ReadOptions(encoding="cp1252"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("a,b\n1,2\n", r"a\.csv: no id column .* its columns are a, b; .*--id-column"),
        ("report_id,b\n1,2\n", r"no text column .*--text-column"),
        ("report_id,report_text,report_text\n1,2,3\n", "two columns"),
        (b"PK\x03\x04zip", "Excel"),
        ('report_id,"b"c,report_text\n1,2,3\n', "stray quote"),
        ('report_id,"report_text\n1,2\n', "stray quote"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\xfd", "not a table of text"),
    ],
)
def test_a_file_that_is_no_archive_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv", content)


def test_compressed_files_by_another_name_say_so(tmp_path: Path) -> None:
    content = (HEADER + "1,Clear lungs.\n").encode()
    for packed, message in (
        (gzip.compress(content), "gzip; add .gz"),
        (bz2.compress(content), "bzip2; add .bz2"),
        (pa.compress(content, "zstd", asbytes=True), "Zstandard; add .zst"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path / "a.csv", packed)


def test_compressed_files_and_a_truncated_one(tmp_path: Path) -> None:
    rows = "".join(f"{number},text {number * 7919 % 10007}\n" for number in range(5000))
    packed = gzip.compress((HEADER + rows).encode())
    reports, _ = read(tmp_path / "a.csv.gz", packed)
    assert len(reports) == 5000
    with pytest.raises(InputError, match="cannot be read to its end"):
        read(tmp_path / "b.csv.gz", packed[: len(packed) // 2])


def test_a_table_or_documents_by_an_unknown_name(tmp_path: Path) -> None:
    reports, _ = read(tmp_path / "reports.dat", HEADER + "1,Lungs clear.\n")
    assert pairs(reports) == [("1", "Lungs clear.")]
    hl7 = "MSH|^~\\&|||||||ORU\rOBR|1||A1\rOBX|1|TX|||Lungs clear.\r"
    reports, _ = read(tmp_path / "reports.out", hl7)
    assert pairs(reports) == [("A1", "Lungs clear.")]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300), suffix=st.sampled_from(["csv", "jsonl", "txt", "hl7", "dcm"])
)
def test_any_bytes_give_records_or_an_input_error(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert all(isinstance(r, Report | Rejected) for r in read_reports(path))


def test_a_folder_of_texts(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "00123.txt").write_text("first\nsecond")
    (tmp_path / "sub" / "b.txt").write_bytes("Göğüs".encode("utf-16"))
    (tmp_path / "c.txt").touch()
    (tmp_path / "d.txt").write_bytes(b"b\xffd")
    (tmp_path / ".hidden.txt").write_text("x")
    reports, rejected = split(tmp_path)
    assert pairs(reports) == [("00123", "first\nsecond"), ("sub/b", "Göğüs")]
    assert [(r.id, r.reason) for r in rejected] == [("c", "EMPTY"), ("d", "ENCODING")]


def test_a_folder_of_csv_parts_and_a_mixed_one(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(HEADER + "1,x\n")
    (tmp_path / "2.tsv").write_text("report_id\treport_text\n1\tx\n2\tz\n")
    reports, rejected = split(tmp_path)
    assert pairs(reports) == [("1", "x"), ("2", "z")]
    assert [r.reason for r in rejected] == ["DUPLICATE_ID"]
    (tmp_path / "a.jsonl").write_text('{"report_id": "1", "report_text": "x"}')
    with pytest.raises(InputError, match="one kind"):
        read_reports(tmp_path)


def test_no_report_text_reaches_a_detail(tmp_path: Path) -> None:
    content = HEADER + '1,"SECRET\n2,SECRET,SECRET\n3,\n'
    _, rejected = read(tmp_path / "a.csv", content)
    assert len(rejected) == 3
    assert not any("SECRET" in r.detail for r in rejected)


def test_what_a_folder_holds_beside_its_reports_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(HEADER + "1,x\n")
    for name in ("c.pdf", "d.docx", "e.docx", "README.txt", "bare"):
        (tmp_path / name).write_text("?")
    notes = ReadNotes()
    reports, _ = parted(read_reports(tmp_path, ReadOptions(any_language=True), notes))
    assert pairs(reports) == [("1", "x")]
    assert notes.left_out == {".pdf": 1, ".docx": 2, "README": 1, "without ending": 1}
    (tmp_path / "a.txt").write_text("A report.")
    with pytest.raises(InputError, match="holds delimited and text files; give one kind"):
        read_reports(tmp_path)
    for name in ("a.txt", "b.csv"):
        (tmp_path / name).unlink()
    (tmp_path / "README.txt").unlink()
    with pytest.raises(InputError, match=r"no reports in this folder \(found .*2 \.docx"):
        read_reports(tmp_path)
