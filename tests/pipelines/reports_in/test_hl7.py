"""HL7 v2 result messages as interfaces and archives leave them on disk."""

import base64
import gzip
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.hl7 import CharsetError, Message, RawMessage, messages
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.oru import OruReader
from pipelines.reports_in.rows import Report
from pipelines.running.run import Rejected

TEXT = "The lungs are clear. No pleural effusion."


def header(kind: str = "ORU^R01", charset: str = "", time: str = "20240102030405") -> str:
    return f"MSH|^~\\&|RIS|H|EMR|H|{time}||{kind}|1|P|2.5||||||{charset}"


def order(
    accession: str = "00123", exam: str = "71260^CT CHEST W CONTRAST^CPT", status: str = "F"
) -> str:
    fields = ["OBR", "1", "P9", f"{accession}^RIS", exam, "", "", "20240101"]
    return "|".join([*fields, *[""] * 14, "20240102", "", "CT", status])


def result(text: str, kind: str = "TX", name: str = "71260&GDT^Report", status: str = "F") -> str:
    return f"OBX|1|{kind}|{name}||{text}||||||{status}"


def message(*segments: str) -> str:
    return "\r".join(segments) + "\r"


def read(
    path: Path, content: str | bytes, options: ReadOptions = PLAIN
) -> tuple[list[Report], list[Rejected]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parted(read_reports(path, options))


def parted(stream: Iterable[Report | Rejected]) -> tuple[list[Report], list[Rejected]]:
    records = list(stream)
    reports = [record for record in records if isinstance(record, Report)]
    return reports, [record for record in records if isinstance(record, Rejected)]


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


@pytest.mark.parametrize("newline", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("framing", [("", ""), ("\x0b", "\x1c\r")])
@pytest.mark.parametrize("envelope", [False, True])
def test_many_messages_framed_and_in_batches(
    tmp_path: Path, newline: str, framing: tuple[str, str], envelope: bool
) -> None:
    start, end = framing
    body = "".join(
        start + message(header(), order(f"A{n}"), result(TEXT)).replace("\r", newline) + end
        for n in range(3)
    )
    if envelope:
        body = f"FHS|^~\\&|x{newline}BHS|^~\\&|x{newline}{body}BTS|3{newline}FTS|1{newline}"
    reports, rejected = read(tmp_path / "a.txt", body)
    assert [report.id for report in reports] == ["A0", "A1", "A2"]
    assert {report.text for report in reports} == {f"FINDINGS:\n{TEXT}"}
    assert rejected == []


def test_own_delimiters_compression_and_utf16(tmp_path: Path) -> None:
    content = message(header(), order(), result("The size is 5\\S\\6 and not \\F\\ at all."))
    swapped = content.translate(str.maketrans("|^~\\&", "#!*/+"))
    for name, body in {
        "a.hl7": swapped.encode(),
        "b.hl7.gz": gzip.compress(content.encode()),
        "c.txt": content.encode("utf-16"),
    }.items():
        reports, rejected = read(tmp_path / name, body)
        assert rejected == []
        marks = ("!", "#") if name == "a.hl7" else ("^", "|")
        assert reports[0].text.endswith(f"The size is 5{marks[0]}6 and not {marks[1]} at all.")


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "latin-1"),
        ("8859/9", "iso8859-9"),
        ("GB 18030-2000", "gb18030"),
        ("ASCII~ISO IR87", "iso2022_jp"),
    ],
)
def test_character_sets(tmp_path: Path, charset: str, codec: str) -> None:
    word = {"iso8859-9": "göğüs", "gb18030": "胸部", "iso2022_jp": "胸部"}.get(codec, "Müller")
    content = message(header(charset=charset), order(), result(f"{TEXT} {word}"))
    reports, rejected = read(tmp_path / "a.hl7", content.encode(codec))
    assert rejected == []
    assert reports[0].text.endswith(word)


def test_bytes_of_another_character_set_cost_their_message_only(tmp_path: Path) -> None:
    good = message(header(), order("1"), result(TEXT)).encode()
    latin = message(header(), order("2"), result("Müller")).encode("latin-1")
    unknown = message(header(charset="KOI-7"), order("3"), result(TEXT)).encode()
    escape = message(header(), order("4"), result("\\C2842\\")).encode()
    reports, rejected = read(tmp_path / "a.hl7", latin + unknown + escape + good)
    assert [report.id for report in reports] == ["1"]
    assert [r.reason for r in rejected] == ["CHARSET"] * 3
    assert rejected[1].detail.startswith(f"byte {len(latin)}: ")


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


def test_line_breaks_inside_a_value_and_deleted_results(tmp_path: Path) -> None:
    content = message(
        header(),
        order(),
        result("The lungs\nare clear."),
        result("WRONG", status="W"),
        result("DELETED", status="D"),
    )
    reports, _ = read(tmp_path / "a.hl7", content)
    assert reports[0].text == "FINDINGS:\nThe lungs\nare clear."


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


def test_statuses_of_messages(tmp_path: Path) -> None:
    body = "".join(
        message(header(), order(f"{n}", status=status), result(TEXT, status=each))
        for n, (status, each) in enumerate(
            [("F", "F"), ("P", "P"), ("", "P"), ("C", "F"), ("X", "F"), ("Q", "F"), ("", "")]
        )
    )
    reports, rejected = read(tmp_path / "a.hl7", body)
    assert [report.id for report in reports] == ["0", "3", "6"]
    assert [(r.id, r.reason) for r in rejected] == [
        ("1", "PRELIMINARY"),
        ("2", "PRELIMINARY"),
        ("4", "WITHDRAWN"),
        ("5", "STATUS"),
    ]


NODULE = message(header(), order(), result("There is a 7 mm nodule."))


@pytest.mark.parametrize(
    "retraction",
    [
        *(
            (order(status=status), result("", status=each))
            for status in ("X", "W", "D", "C", "F", "")
            for each in ("X", "W", "D")
        ),
        (order(status="X"),),
        (order(status="X"), result("{\\E\\rtf1 cut", status="F")),
        (order(status="X"), result("x^TEXT^RTF^Base64^?", "ED", status="F")),
        (order(status="X", exam=""),),
    ],
)
@pytest.mark.parametrize("options", [PLAIN, ReadOptions(exam=("ct chest",))])
def test_a_retraction_needs_no_text(
    tmp_path: Path, retraction: tuple[str, ...], options: ReadOptions
) -> None:
    body = NODULE + message(header(), *retraction)
    reports, rejected = read(tmp_path / "a.hl7", body, options)
    assert reports == []
    assert [(r.id, r.reason) for r in rejected] == [("00123", "WITHDRAWN")] * 2


@pytest.mark.parametrize(
    "pending",
    [
        (order(status="N"),),
        (order(status=""), result("", status="I")),
        (order(status=""), result("", status="N")),
        (order(status=""),),
    ],
)
def test_what_is_pending_withdraws_nothing(tmp_path: Path, pending: tuple[str, ...]) -> None:
    reports, rejected = read(tmp_path / "a.hl7", NODULE + message(header(), *pending))
    assert [report.id for report in reports] == ["00123"]
    assert [r.reason for r in rejected] == ["EMPTY"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_statuses_count_in_messages_by_the_name_of_texts(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("Lungs clear.")
    body = NODULE + message(header(), order(status="X"))
    (tmp_path / "b.txt").write_bytes(body.encode(encoding))
    reports, rejected = parted(read_reports(tmp_path))
    assert [report.id for report in reports] == ["a"]
    assert [r.reason for r in rejected] == ["WITHDRAWN"] * 2


ADDENDUM = "There is an effusion."


@pytest.mark.parametrize("preliminary", [False, True])
@pytest.mark.parametrize(
    "segments",
    [
        (order(status="A"), result(ADDENDUM)),
        (order(status="A"), result(f"ADDENDUM: {ADDENDUM}", status="A")),
        (order(status=""), result(ADDENDUM, status="A")),
        (order(status=""), result(ADDENDUM, status="B")),
        (order(status="F"), result(ADDENDUM, name="71260&ADT^Report")),
    ],
)
def test_an_addendum_is_no_report_and_joins_its_own(
    tmp_path: Path, segments: tuple[str, ...], preliminary: bool
) -> None:
    alone = message(header(), *segments)
    options = ReadOptions(preliminary=preliminary)
    reports, rejected = read(tmp_path / "a.hl7", alone, options)
    assert reports == []
    assert [(r.id, r.reason) for r in rejected] == [("00123", "NO_REPORT")]
    (report,), rejected = read(tmp_path / "a.hl7", alone + NODULE, options)
    assert "7 mm nodule" in report.text.split("ADDENDUM")[0]
    assert "effusion" in report.text.split("ADDENDUM")[1]
    assert [r.reason for r in rejected] == ["JOINED"]


def test_partial_results_before_the_report_are_no_addendum(tmp_path: Path) -> None:
    partial = message(header(), order(status="A").replace("20240102", "20240101"), result(ADDENDUM))
    (report,), rejected = read(tmp_path / "a.hl7", partial + NODULE)
    assert "effusion" not in report.text
    assert [r.reason for r in rejected] == ["SUPERSEDED"]


def test_an_addendum_sent_as_a_final_is_appended(tmp_path: Path) -> None:
    body = "".join(
        message(header(), order().replace("20240102", f"2024010{day}"), result(text))
        for day, text in enumerate([TEXT, "*** ADDENDUM ***\\.br\\There is a nodule."], start=2)
    )
    (report,), rejected = read(tmp_path / "a.hl7", body)
    assert report.text == f"FINDINGS:\n{TEXT}\n\n*** ADDENDUM ***\nThere is a nodule."
    assert [r.reason for r in rejected] == ["JOINED"]


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


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(["OBX|1|", "OBR|", "TX", "ED", "|", "^", "~", "\\", "&", "X41", "\r", "é"]),
        max_size=40,
    )
)
def test_any_segments_give_reports_or_rejects(pieces: list[str]) -> None:
    body = message(header(), "".join(pieces)).encode()
    assert all(isinstance(r, Report | Rejected) for r in OruReader().read([body], ""))


MESSAGE = Message.decoded(RawMessage(0, (b"MSH|^~\\&|",)))


def escaped(text: str) -> str:
    codes = {"\\": "E", "|": "F", "^": "S", "&": "T", "~": "R", "\n": ".br"}
    return "".join(f"\\{codes[char]}\\" if char in codes else char for char in text)


CHARACTERS = st.characters(exclude_characters="\r", exclude_categories=("Cs",))


@given(st.text(CHARACTERS | st.sampled_from("\\|^~&\n")))
def test_escapes_round_trip(text: str) -> None:
    assert MESSAGE.text(escaped(text)) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a\\H\\b\\N\\c", "abc"),
        ("\\XC3A9\\", "é"),
        ("a\\.sp2\\b\\.sk3\\c\\.in+4\\d", "a\n\nb   cd"),
        ("C:\\temp\\x", "C:\\temp\\x"),
        ("one \\ mark", "one \\ mark"),
    ],
)
def test_escapes(raw: str, text: str) -> None:
    assert MESSAGE.text(raw) == text


def test_escaped_bytes_must_fit_the_character_set() -> None:
    with pytest.raises(CharsetError):
        MESSAGE.text("\\XE9\\")


@given(st.integers(1, 7))
def test_chunks_do_not_matter(size: int) -> None:
    body = (message(header(), order(), result(TEXT)) * 2).encode()
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    assert list(messages(chunks)) == list(messages([body]))
