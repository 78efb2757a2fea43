"""One report out of a file of its own, or by its identifier."""

from pathlib import Path

import pytest

from configs.contracts import InputError
from pipelines.reports_in.single import read_one


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "No nodule."),
        ("a.RTF", r"{\rtf1\ansi No {\b nodule}.}"),
        ("a.html", "<p>No nodule.</p>"),
        ("a.htm", "No&nbsp;nodule."),
    ],
)
def test_a_file_that_is_one_report(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_one(tmp_path / name) == "No nodule."


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.rtf", r"{\rtf1\ansi {\b broken", "UNREADABLE.*RTF that breaks off"),
        ("a.csv", "report_id,report_text", "--report-id"),
    ],
)
def test_a_file_that_is_not(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_one(tmp_path / name)
    with pytest.raises(InputError, match="--report-id"):
        read_one(tmp_path)
