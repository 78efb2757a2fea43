"""HL7 v2 as interfaces and archives leave it on disk: messages, character sets, escapes."""

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.hl7 import CharsetError, Message, RawMessage, messages
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.oru import OruReader
from pipelines.reports_in.rows import Report
from pipelines.running.run import Rejected
from tests.pipelines.reports_in.messages import TEXT, header, message, order, result
from tests.pipelines.reports_in.reading import parted, read


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


def test_of_messages_that_do_not_decode_the_identifier_or_the_file_is_told(tmp_path: Path) -> None:
    for name, accession in (("a", "1"), ("b", "Ä1"), ("deep/c", "3")):
        content = message(header(), order(accession), result("Müller")).encode("latin-1")
        path = tmp_path / "in" / f"{name}.hl7"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    reports, rejected = parted(read_reports(tmp_path / "in"))
    assert reports == []
    assert [r.id for r in rejected] == ["1", "b", "3"]
    assert all("no character set is declared" in r.detail for r in rejected)
    reports, rejected = parted(read_reports(tmp_path / "in", ReadOptions(encoding="cp1252")))
    assert [(r.id, r.text) for r in reports] == [(n, "FINDINGS:\nMüller") for n in ("1", "Ä1", "3")]
    declared = message(header(charset="8859/9"), order("4"), result("göğüs")).encode("iso8859-9")
    (report,), _ = read(tmp_path / "d.hl7", declared, ReadOptions(encoding="cp1252"))
    assert report.text.endswith("göğüs"), "what a message declares holds"


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
