"""HL7 v2 result messages to reports."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.oru import OruReader
from pipelines.reports_in.rows import Report
from pipelines.running.run import Rejected
from tests.pipelines.reports_in.messages import TEXT, header, message, order, result
from tests.pipelines.reports_in.reading import parted, read


def test_a_message_becomes_a_report_under_its_heads(tmp_path: Path) -> None:
    content = message(
        header(),
        "PID|1||SECRET",
        "ORC|RE",
        order(),
        result("The lungs are clear.\\.br\\No effusion\\T\\no nodule.~Heart normal."),
        result("Normal chest.", name="71260&IMP^Report"),
        result("5", "NM", "DIAM^Diameter").replace("||||||F", "|mm^mm^UCUM|||||F"),
    )
    reports, rejected = read(tmp_path / "a.hl7", content)
    assert rejected == []
    assert [(r.id, r.exam) for r in reports] == [("00123", "71260 CT CHEST W CONTRAST")]
    assert reports[0].text == (
        "FINDINGS:\nThe lungs are clear.\nNo effusion&no nodule.\nHeart normal.\n\n"
        "IMPRESSION:\nNormal chest.\n\nDiameter: 5 mm"
    )


def test_encapsulated_text_rtf_and_pdf(tmp_path: Path) -> None:
    rtf = base64.b64encode(b"{\\rtf1\\ansi FINDINGS:\\par The lungs are clear.\\par}").decode()
    html = "<p>There is no effusion.</p>".replace("&", "\\T\\")
    content = message(
        header(),
        order(),
        result(f"x^TEXT^RTF^Base64^{rtf}", "ED", "1^Text"),
        result(f"x^AP^PDF^Base64^{base64.b64encode(b'%PDF-1.4').decode()}", "ED", "2^Page"),
        result(html, "FT", "3^Note"),
        result("X^Emphysema^L~Y^Old scars^L", "CWE", "4^Also seen"),
    )
    reports, rejected = read(tmp_path / "a.hl7", content)
    assert rejected == []
    assert "FINDINGS:\nThe lungs are clear." in reports[0].text
    assert "There is no effusion." in reports[0].text
    assert "Also seen: Emphysema, Old scars" in reports[0].text
    assert "PDF" not in reports[0].text


@pytest.mark.parametrize(
    ("service", "procedure", "exam"),
    [
        ("71260^CT CHEST W CONTRAST^C4", "", "71260 CT CHEST W CONTRAST"),
        ("71260^CT CHEST^C4", "71260^CT CHEST^C4", "71260 CT CHEST"),
        ("CTCH^Chest^L^71260^CT CHEST^C4^1^2", "", "CTCH Chest 71260 CT CHEST"),
        ("^CT CHEST", "71260^^C4", "CT CHEST 71260"),
        ("", "", ""),
    ],
)
def test_the_examination_is_its_codes_and_texts(
    tmp_path: Path, service: str, procedure: str, exam: str
) -> None:
    request = f"{order(exam=service)}{'|' * 19}{procedure}"
    ((report,), _) = read(tmp_path / "a.hl7", message(header(), request, result(TEXT)))
    assert report.exam == exam


def test_several_requests_are_several_reports(tmp_path: Path) -> None:
    content = message(
        header(), order("1"), result(TEXT), order("2", "70450^CT HEAD"), result("The head is fine.")
    )
    reports, _ = read(tmp_path / "a.hl7", content)
    assert [(r.id, r.place) for r in reports] == [("1", "byte 0, OBR 1"), ("2", "byte 0, OBR 2")]
    reports, rejected = read(tmp_path / "a.hl7", content, ReadOptions(exam=("ct chest",)))
    assert [report.id for report in reports] == ["1"]
    assert [(r.id, r.reason) for r in rejected] == [("2", "EXAM")]


def test_the_accession_can_stand_in_another_field(tmp_path: Path) -> None:
    segments = order().split("|")
    segments[18] = "ACC1^x"
    content = message(header(), "|".join(segments), result(TEXT))
    assert read(tmp_path / "a.hl7", content, ReadOptions(id_column="OBR-18"))[0][0].id == "ACC1"
    assert read(tmp_path / "a.hl7", content, ReadOptions(id_column="obr-3.2"))[0][0].id == "RIS"
    _, rejected = read(tmp_path / "a.hl7", content, ReadOptions(id_column="ZZZ-3"))
    assert [r.reason for r in rejected] == ["NO_ID"]
    with pytest.raises(InputError, match="name a field"):
        read(tmp_path / "a.hl7", content, ReadOptions(id_column="AccessionNo"))
    with pytest.raises(InputError, match="no columns"):
        read(tmp_path / "a.hl7", content, ReadOptions(status_column="status"))


def test_other_messages_are_counted_and_broken_ones_named(tmp_path: Path) -> None:
    body = (
        "garbage before\r"
        + message(header("ADT^A01"), "PID|1||SECRET")
        + message(header(), "PID|1||SECRET")
        + message(header(), order(), result(TEXT))
    )
    reports, rejected = read(tmp_path / "a.hl7", "MSH|^~\\&|\r" + body)
    assert len(reports) == 1
    assert [r.reason for r in rejected] == ["EMPTY", "NOT_A_REPORT"]
    assert rejected[1].detail == "archive: 2 HL7 messages without results, skipped"
    assert not any("SECRET" in r.detail for r in rejected)


def test_a_folder_of_messages_beside_texts(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text(message(header(), order("1"), result(TEXT)))
    (tmp_path / "b.hl7").write_text(message(header(), order("2"), result(TEXT)))
    (tmp_path / "c.txt").write_text(TEXT)
    reports, rejected = parted(read_reports(tmp_path))
    assert [(r.id, r.place) for r in reports] == [
        ("1", "file 1, byte 0"),
        ("2", "file 2, byte 0"),
        ("c", "file 3"),
    ]
    assert rejected == []


@given(st.binary(max_size=400))
def test_any_bytes_give_reports_or_rejects(content: bytes) -> None:
    for start in (b"", b"MSH|^~\\&|", message(header(), order()).encode() + b"OBX|1|TX|1||"):
        pieces = [start + content[:50], content[50:]]
        for record in OruReader().read(pieces, ""):
            assert isinstance(record, Report | Rejected)
