"""Archives as sites export them: nothing is lost, nothing is swallowed, identifiers stay text."""

import bz2
import contextlib
import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.rows import MAX_TEXT_CHARS, Report
from pipelines.running.run import Rejected

HEADER = "report_id,report_text\n"


def read(
    path: Path, content: str | bytes, options: ReadOptions = PLAIN
) -> tuple[list[Report], list[Rejected]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parted(read_reports(path, options))


def split(
    path: Path, id_column: str | None = None, text: Sequence[str] | None = None
) -> tuple[list[Report], list[Rejected]]:
    options = ReadOptions(id_column=id_column, text_columns=tuple(text or ()))
    return parted(read_reports(path, options))


def parted(stream: Iterable[Report | Rejected]) -> tuple[list[Report], list[Rejected]]:
    records = list(stream)
    reports = [record for record in records if isinstance(record, Report)]
    return reports, [record for record in records if isinstance(record, Rejected)]


def pairs(reports: Sequence[Report]) -> list[tuple[str, str]]:
    return [(report.id, report.text) for report in reports]


def test_identifiers_and_texts_stay_text(tmp_path: Path) -> None:
    rows = [("00123", "NA"), ("1e5", "null"), ("12345678901234567890", "None"), ("-7", "N/A")]
    content = HEADER + "".join(f"{i},{t}\n" for i, t in rows)
    reports, rejected = read(tmp_path / "a.csv", content)
    assert pairs(reports) == rows
    assert rejected == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "\x1f"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_delimiters_encodings_and_line_ends(
    tmp_path: Path, delimiter: str, encoding: str, newline: str
) -> None:
    rows = [("1", 'a; b, "c"|d'), ("2", "Göğüs: two\nlines\there")]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline)
    writer.writerows([("report_id", "report_text"), *rows])
    reports, rejected = read(tmp_path / "a.csv", out.getvalue().encode(encoding))
    assert pairs(reports) == rows
    assert rejected == []


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(
            st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffd\ufeff")
            | st.sampled_from('\n",;\t|'),
            min_size=1,
        ).filter(str.strip),
        min_size=1,
        max_size=8,
    ),
    delimiter=st.sampled_from(",;\t|"),
)
def test_whatever_csv_writes_is_read_back(tmp_path: Path, texts: list[str], delimiter: str) -> None:
    rows = [(f"r{number}", text) for number, text in enumerate(texts)]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([("report_id", "report_text"), *rows])
    reports, rejected = read(tmp_path / "a.csv", out.getvalue(), ReadOptions(any_language=True))
    assert pairs(reports) == rows
    assert rejected == []


def test_an_open_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    content = HEADER + '1,"good"\n2,"open\n3,"good"\n4,"also\ngood"\n5,good\n'
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["1", "3", "4", "5"]
    assert [(r.reason, r.detail.split(":")[0]) for r in rejected] == [("MALFORMED_ROW", "line 3")]


def test_an_open_quote_in_the_last_row_is_rejected(tmp_path: Path) -> None:
    reports, rejected = read(tmp_path / "a.csv", HEADER + '1,good\n2,"open')
    assert [report.id for report in reports] == ["1"]
    assert [r.reason for r in rejected] == [RecordReason.MALFORMED_ROW]


def test_a_swallowed_row_with_a_plausible_quote_is_found(tmp_path: Path) -> None:
    content = "report_id,report_text,x\n" + '1,"open,0\n2,whole,0\n3,ends",0,9\n4,good,0\n'
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["2", "4"]
    assert len(rejected) == 2


def test_wrong_field_counts_are_rejected_with_their_line(tmp_path: Path) -> None:
    content = HEADER + "1,a\n2,b,c\n3\n\n4,d\n"
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["1", "4"]
    assert [r.detail for r in rejected] == [
        "line 3: 3 fields, 2 expected",
        "line 4: 1 fields, 2 expected",
    ]


def test_bad_records_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    long = "x" * (MAX_TEXT_CHARS + 1)
    content = (
        HEADER + f"1,good\n,no id\n2,\n3,  \n1,other\n1,good\n4,{long}\n5,nul\0\n6,good\n"
    ).encode()
    content = content.replace(b"6,good", b"6,go\xffod\n7,good")
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["1", "7"]
    assert [(r.id, r.reason) for r in rejected] == [
        ("", "NO_ID"),
        ("2", "EMPTY"),
        ("3", "EMPTY"),
        ("1", "DUPLICATE_ID"),
        ("1", "DUPLICATE_ID"),
        ("4", "TOO_LONG"),
        ("5", "ENCODING"),
        ("6", "ENCODING"),
    ]
    assert "other text" in rejected[3].detail
    assert "same text" in rejected[4].detail


def test_a_line_of_many_megabytes_costs_one_row(tmp_path: Path) -> None:
    content = HEADER + "1," + "x" * 9_000_000 + "\n2,good\n"
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["2"]
    assert [r.reason for r in rejected] == ["TOO_LONG"]


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


def test_excel_s_separator_line_is_no_header(tmp_path: Path) -> None:
    reports, _ = read(tmp_path / "a.csv", "sep=;\r\nReport ID;Report Text\r\n1;Clear, all.\r\n")
    assert pairs(reports) == [("1", "Clear, all.")]
    assert reports[0].place == "line 3"


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


def test_compressed_files_by_another_name_say_so(tmp_path: Path) -> None:
    content = (HEADER + "1,Clear lungs.\n").encode()
    for packed, message in (
        (gzip.compress(content), "gzip; add .gz"),
        (bz2.compress(content), "bzip2; add .bz2"),
        (pa.compress(content, "zstd", asbytes=True), "Zstandard; add .zst"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path / "a.csv", packed)


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


def test_compressed_files_and_a_truncated_one(tmp_path: Path) -> None:
    rows = "".join(f"{number},text {number * 7919 % 10007}\n" for number in range(5000))
    packed = gzip.compress((HEADER + rows).encode())
    reports, _ = read(tmp_path / "a.csv.gz", packed)
    assert len(reports) == 5000
    with pytest.raises(InputError, match="cannot be read to its end"):
        read(tmp_path / "b.csv.gz", packed[: len(packed) // 2])


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


def test_a_table_or_documents_by_an_unknown_name(tmp_path: Path) -> None:
    reports, _ = read(tmp_path / "reports.dat", HEADER + "1,Lungs clear.\n")
    assert pairs(reports) == [("1", "Lungs clear.")]
    hl7 = "MSH|^~\\&|||||||ORU\rOBR|1||A1\rOBX|1|TX|||Lungs clear.\r"
    reports, _ = read(tmp_path / "reports.out", hl7)
    assert pairs(reports) == [("A1", "Lungs clear.")]


def test_rows_of_several_files_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(HEADER + "1,Lungs clear.\n")
    (tmp_path / "2.csv").write_text(HEADER + "2,Lungs clear.\n3\n")
    reports, rejected = split(tmp_path)
    assert [report.place for report in reports] == ["line 2 of file 1", "line 2 of file 2"]
    assert [r.detail for r in rejected] == ["line 3 of file 2: 1 fields, 2 expected"]


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
    (tmp_path / "2.tsv").write_text("report_id\treport_text\n1\ty\n2\tz\n")
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
