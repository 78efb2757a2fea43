"""One report with its facts marked, in the terminal and as a page."""

from pathlib import Path

import pytest

from configs.contracts import InputError
from pipelines.explain import Explanation, attributes, explain

TEXT = "FINDINGS: A 7 mm nodule in the right upper lobe. No pleural effusion. A cyst <5 mm & calm."


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
    assert "&lt;5 mm &amp; calm" in page
    assert "<5" not in page
    assert '<mark class="present" title="nodule: present' in page
    assert "<script" not in page


def test_report_from_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "reports.csv"
    archive.write_text(f'report_id,report_text\na,"{TEXT}"\nb,Emphysema.\n', encoding="utf-8")
    assert explain(archive, report_id="b").report.labels["Emphysema"] == 1
    with pytest.raises(InputError, match="no readable report"):
        explain(archive, report_id="c")


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        explain(tmp_path / "none.txt")
    for name, message in {
        "scan.bin": "no .txt, .rtf or .html file",
        "scan.txt": "ENCODING",
    }.items():
        (tmp_path / name).write_bytes(b"\x80\x00\xff\x00\x80")
        with pytest.raises(InputError, match=message):
            explain(tmp_path / name)


def test_a_site_s_own_rules_are_explained_too(tmp_path: Path, own_configs: Path) -> None:
    (tmp_path / "report.txt").write_text("A snow globe is seen.")
    explanation = explain(tmp_path / "report.txt", convention="own", configs=own_configs)
    assert explanation.report.labels == {"Globe": 1}


def test_a_limit_and_a_counted_hedge_say_so(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("Nodes of less than 10 mm in the mediastinum. Possible emphysema.")
    node, emphysema = explain(path).report.facts
    assert "size < 10 mm" in attributes(node)
    assert explain(path).verdict(emphysema) == "uncertain, counts as 1"
    assert explain(path, convention="clinical").verdict(emphysema) == "uncertain"
    explain(path, html=tmp_path / "page.html")
    assert "uncertain, counts as 1" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_report_that_is_not_in_english_is_said_to_be_no_case_for_it(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(report)
    assert "Not in English" not in capsys.readouterr().out
    german = tmp_path / "german.txt"
    german.write_text("Kein Pneumothorax, die Lunge ist frei, das Herz nicht vergrößert.")
    explain(german)
    assert "Not in English" in capsys.readouterr().out
    explain(german, html=tmp_path / "page.html")
    assert "Not in English" in capsys.readouterr().err
    assert "Not in English" in (tmp_path / "page.html").read_text()
