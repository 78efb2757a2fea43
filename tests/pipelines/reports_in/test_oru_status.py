"""Statuses of HL7 v2 results: which message of a report holds."""

from pathlib import Path

import pytest

from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import PLAIN, ReadOptions
from tests.pipelines.reports_in.messages import TEXT, header, message, order, result
from tests.pipelines.reports_in.reading import parted, read

NODULE = message(header(), order(), result("There is a 7 mm nodule."))
ADDENDUM = "There is an effusion."


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
