"""One report with its facts marked, in the terminal and as a page."""

from pathlib import Path

import pytest

from configs.contracts import InputError
from pipelines.explain import Explanation, explain

TEXT = "FINDINGS: A 7 mm nodule in the right upper lobe. No pleural effusion. <b>&amp;</b>"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_terminal_shows_words_cue_and_labels(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explanation = explain(report)
    shown = capsys.readouterr().out
    assert isinstance(explanation, Explanation)
    assert TEXT in shown
    assert "right_upper_lobe" in shown
    assert "7 mm" in shown
    assert "Lung nodule" in shown


def test_stretches_are_the_text(report: Path) -> None:
    explanation = explain(report)
    assert "".join(piece for piece, _ in explanation.stretches()) == TEXT


def test_page_escapes_the_report(report: Path, tmp_path: Path) -> None:
    explain(report, html=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in page
    assert '<mark class="present" title="nodule: present' in page
    assert "<script" not in page


def test_report_from_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "reports.csv"
    archive.write_text(f'report_id,report_text\na,"{TEXT}"\nb,Emphysema.\n', encoding="utf-8")
    assert explain(archive, report_id="b").report.labels["Emphysema"] == 1
    with pytest.raises(InputError, match="no readable report"):
        explain(archive, report_id="c")


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such text file"):
        explain(tmp_path / "none.txt")
    (tmp_path / "scan.bin").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="not UTF-8"):
        explain(tmp_path / "scan.bin")
