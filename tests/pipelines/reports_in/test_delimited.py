"""CSV and its relatives: no row is lost or swallowed, and identifiers stay text."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.contracts import RecordReason
from pipelines.reports_in.options import ReadOptions
from tests.pipelines.reports_in.reading import HEADER, pairs, read


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


def test_a_line_of_many_megabytes_costs_one_row(tmp_path: Path) -> None:
    content = HEADER + "1," + "x" * 9_000_000 + "\n2,good\n"
    reports, rejected = read(tmp_path / "a.csv", content)
    assert [report.id for report in reports] == ["2"]
    assert [r.reason for r in rejected] == ["TOO_LONG"]


def test_excel_s_separator_line_is_no_header(tmp_path: Path) -> None:
    reports, _ = read(tmp_path / "a.csv", "sep=;\r\nReport ID;Report Text\r\n1;Clear, all.\r\n")
    assert pairs(reports) == [("1", "Clear, all.")]
    assert reports[0].place == "line 3"
