"""Several messages of one report: by status and time, in bounded memory, and none lost."""

import csv
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.contracts import InputError
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.joining import joined
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.rows import Report
from pipelines.reports_in.status import Status, seconds_of, status_of
from pipelines.running.run import Rejected

OPTIONS = ReadOptions(status_column="status", time_column="time")
Message = tuple[str, str, str, str]  # id, status, time, text


def read(
    path: Path, messages: Sequence[Message], options: ReadOptions = OPTIONS
) -> tuple[list[Report], list[tuple[str, str]]]:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("report_id", "status", "time", "report_text"))
        writer.writerows(messages)
    records = list(read_reports(path, options))
    assert len(records) == len(messages)
    reports = [record for record in records if isinstance(record, Report)]
    return reports, [(r.id, r.reason) for r in records if isinstance(r, Rejected)]


def test_a_final_replaces_the_preliminary_and_a_correction_the_final(tmp_path: Path) -> None:
    messages = [
        ("1", "preliminary", "2024-01-01 10:00", "The left lung is clear."),
        ("2", "final", "2024-01-01", "Lungs clear."),
        ("1", "Final", "2024-01-01 12:00", "The right lung is clear."),
        ("1", "Corrected", "2024-01-02 09:00", "Both lungs are clear."),
    ]
    reports, rejected = read(tmp_path / "a.csv", messages)
    assert [(r.id, r.text) for r in reports] == [
        ("2", "Lungs clear."),
        ("1", "Both lungs are clear."),
    ]
    assert rejected == [("1", "SUPERSEDED"), ("1", "SUPERSEDED")]


def test_addenda_are_appended_in_the_order_of_time_wherever_they_stand(tmp_path: Path) -> None:
    messages = [
        ("1", "Addendum", "2024-01-03", "There is a nodule."),
        ("1", "Final", "2024-01-01", "Lungs clear.\n"),
        ("1", "F", "2024-01-02", "ADDENDUM: No effusion."),
        ("1", "Addendum", "2024-01-04", "There is a nodule."),
        ("1", "Addendum", "2024-01-05", "Lungs clear."),
    ]
    (report,), rejected = read(tmp_path / "a.csv", messages)
    assert report.text == "Lungs clear.\n\nADDENDUM: No effusion.\n\nADDENDUM:\nThere is a nodule."
    assert report.addendum_at == report.text.index("ADDENDUM")
    assert sorted(rejected) == [("1", "DUPLICATE_ID"), *[("1", "JOINED")] * 3]


def test_preliminary_only_is_left_out_unless_asked(tmp_path: Path) -> None:
    messages = [("1", "Preliminary", "", "Lungs clear."), ("2", "unsigned", "", "Lungs clear.")]
    reports, rejected = read(tmp_path / "a.csv", [*messages, ("3", "", "", "Lungs clear.")])
    assert [report.id for report in reports] == ["3"]
    assert [reason for _, reason in rejected] == ["PRELIMINARY"] * 2
    options = ReadOptions(status_column="status", preliminary=True)
    assert len(read(tmp_path / "a.csv", messages, options)[0]) == 2


@pytest.mark.parametrize(
    ("first", "second", "kept", "reason"),
    [
        ("", "", None, "CONFLICT"),
        ("2024-01-01", "", None, "CONFLICT"),
        ("2024-01-01", "2024-01-01", None, "CONFLICT"),
        ("01/02/2024", "02/02/2024", None, "CONFLICT"),
        ("2024-01-02", "2024-01-01", "Lungs clear.", "SUPERSEDED"),
        ("20240101", "20240101000001", "The left lung is clear.", "SUPERSEDED"),
    ],
)
def test_two_finals_that_differ(
    tmp_path: Path, first: str, second: str, kept: str | None, reason: str
) -> None:
    messages = [
        ("1", "Final", first, "Lungs clear."),
        ("1", "Final", second, "The left lung is clear."),
    ]
    reports, rejected = read(tmp_path / "a.csv", messages)
    assert [report.text for report in reports] == ([kept] if kept else [])
    assert {why for _, why in rejected} == {reason}


def test_the_same_final_twice_and_unknown_statuses(tmp_path: Path) -> None:
    messages = [
        ("1", "Final", "", "Lungs clear."),
        ("1", "Final", "", "Lungs  clear."),
        ("2", "purple", "", "Lungs clear."),
        ("3", "Addendum", "", "Lungs clear."),
    ]
    reports, rejected = read(tmp_path / "a.csv", messages)
    assert [report.id for report in reports] == ["1"]
    assert rejected == [("1", "DUPLICATE_ID"), ("2", "STATUS"), ("3", "NO_REPORT")]


def test_a_withdrawn_report_is_not_read_unless_a_later_final_comes(tmp_path: Path) -> None:
    messages = [
        ("1", "Final", "2024-01-01", "Lungs clear."),
        ("1", "Cancelled", "2024-01-02", "Lungs clear."),
        ("2", "Cancelled", "2024-01-01", "Lungs clear."),
        ("2", "Final", "2024-01-02", "Lungs clear."),
    ]
    reports, rejected = read(tmp_path / "a.csv", messages)
    assert [report.id for report in reports] == ["2"]
    assert [reason for identifier, reason in rejected if identifier == "1"] == ["WITHDRAWN"] * 2


@pytest.mark.parametrize("text", ["", " ", "{\\rtf1 \\bin4 x}", "x" * 1_000_001, "\ufffd"])
def test_a_withdrawal_needs_no_text(tmp_path: Path, text: str) -> None:
    messages = [("1", "Final", "", "Lungs clear."), ("1", "cancelled", "", text)]
    for options in (OPTIONS, ReadOptions(status_column="status", exam=("lungs",))):
        reports, rejected = read(tmp_path / "a.csv", messages, options)
        assert reports == []
        assert rejected[-1] == ("1", "WITHDRAWN")


def test_parquet_and_json_lines(tmp_path: Path) -> None:
    columns = {
        "report_id": ["1", "1"],
        "status": ["P", "F"],
        "time": pa.array([0, 1_000_000], pa.timestamp("us")),
        "report_text": ["The left lung is clear.", "Lungs clear."],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text(
        '{"report_id": 1, "status": "P", "time": 20240101, "report_text": "The lung is clear."}\n'
        '{"report_id": 1, "status": "F", "time": null, "report_text": "Lungs clear."}\n'
    )
    for name in ("a.parquet", "b.jsonl"):
        records = list(read_reports(tmp_path / name, OPTIONS))
        assert [getattr(r, "reason", getattr(r, "text", "")) for r in records] == [
            "SUPERSEDED",
            "Lungs clear.",
        ]
    with pytest.raises(InputError, match="--status-column"):
        read_reports(tmp_path / "a.parquet", ReadOptions(status_column="nope"))


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([s for s in Status if s is not Status.UNKNOWN]),
        st.none() | st.integers(0, 3).map(float),
        st.sampled_from(["Lungs clear.", "No nodule.", "ADDENDUM: x", "FINDINGS: y"]),
    ),
    max_size=12,
)


@given(MESSAGES, st.booleans(), st.randoms(use_true_random=False))
def test_each_message_comes_out_once_and_order_hardly_matters(
    messages: list[tuple[str, Status, float | None, str]], preliminary: bool, chance: random.Random
) -> None:
    archive = [
        Report(name, text, f"line {n}", status=status, time=time)
        for n, (name, status, time, text) in enumerate(messages)
    ]
    records = list(joined(lambda: archive, preliminary=preliminary))
    assert len(records) == len(archive)
    assert Counter(record.id for record in records) == Counter(name for name, *_ in messages)
    reports = [record for record in records if isinstance(record, Report)]
    assert len({report.id for report in reports}) == len(reports)
    shuffled = chance.sample(archive, len(archive))
    again = list(joined(lambda: shuffled, preliminary=preliminary))
    assert {r.id for r in again if isinstance(r, Report)} == {report.id for report in reports}


class CountedText(str):
    """A text that tells how many of its kind are held."""

    held = 0

    def __new__(cls, text: str) -> "CountedText":
        cls.held += 1
        return super().__new__(cls, text)

    def __del__(self) -> None:
        CountedText.held -= 1


def test_only_texts_that_wait_for_an_addendum_are_held() -> None:
    def messages() -> Iterator[Report]:
        for status in (Status.PRELIMINARY, Status.FINAL):
            for number in range(200):
                text = CountedText(f"Report {number}, {status}")
                yield Report(str(number), text, "x", status=status)

    most = kept = 0
    for record in joined(messages, preliminary=False):
        most = max(most, CountedText.held)
        kept += isinstance(record, Report)
    assert kept == 200
    assert most < 10


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("F", Status.FINAL),
        ("", Status.FINAL),
        ("FINAL RESULT", Status.FINAL),
        ("Not verified", Status.PRELIMINARY),
        ("prelim", Status.PRELIMINARY),
        ("entered-in-error", Status.WITHDRAWN),
        ("amended", Status.CORRECTED),
        ("Addendum", Status.ADDENDUM),
        ("purple", Status.UNKNOWN),
    ],
)
def test_words_of_statuses(text: str, status: Status) -> None:
    assert status_of(text) is status


@pytest.mark.parametrize("text", ["", "x", "2024-13-01", "03/04/2024", "99999999"])
def test_what_is_no_time(text: str) -> None:
    assert seconds_of(text) is None


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1)))
def test_times_in_three_notations(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    seconds = {seconds_of(whole.isoformat(sep)) for sep in " T"}
    assert seconds == {seconds_of(whole.strftime("%Y%m%d%H%M%S"))}
    assert None not in seconds
