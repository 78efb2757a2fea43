"""The forms of a report: the same content in each, and one that cannot be written is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.contracts import InputError
from pipelines.rendering import writers
from pipelines.rendering.content import ScanReport
from pipelines.rendering.finding_wording import chance
from pipelines.rendering.forms import Form
from pipelines.rendering.writers import Outcome
from pipelines.report import report
from tests.pipelines.made_scans import model, scan

__all__ = ["model", "scan"]  # the fixtures


TEXT_REPORT = "INDICATION: Cough.\nFINDINGS: No nodule. A left pleural effusion.\n"


def test_all_forms_have_the_same_numbers_and_flags(scan: Path, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", reason="the extra `pdf` is not installed")
    (tmp_path / "text.txt").write_text(TEXT_REPORT)
    out = tmp_path / "out"
    content = report(
        scan, model=model, out=out, form="json,html,pdf",
        report_text=tmp_path / "text.txt", quiet=True,
    )  # fmt: skip
    saved = ScanReport.model_validate_json((out / "report.json").read_text())
    assert saved == content
    page = (out / "report.html").read_text(encoding="utf-8")
    for finding in content.findings:
        assert f"{finding.name}" in page
        assert f">{chance(finding)}<" in page.replace("&lt;", "<").replace("&gt;", ">")
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    assert content.text_report is not None
    assert [f.value.value for f in content.text_report.findings] == ["absent", "present"]
    assert "A left pleural effusion." in page
    assert content.text_report.indication == "Cough."
    for record in ("run.json", "rejected.parquet"):
        assert b"effusion" not in (out / record).read_bytes()


def test_a_report_of_an_archive_is_named_by_its_identifier(
    scan: Path, model: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "reports.csv"
    archive.write_text("AccessionNo,report_text\nA1,No nodule.\nA2,A large nodule.\n")
    content = report(
        scan, model=model, out=tmp_path / "out", form="json",
        report_text=archive, report_id="A2", quiet=True,
    )  # fmt: skip
    assert content.text_report is not None
    assert content.text_report.text == "A large nodule."
    assert sorted(path.name for path in (tmp_path / "out").glob("report.*")) == ["report.json"]
    with pytest.raises(InputError, match="report-id"):
        report(scan, model=model, out=tmp_path / "out", report_text=archive, quiet=True)
    with pytest.raises(InputError, match="no readable report"):
        report(
            scan, model=model, out=tmp_path / "out", report_text=archive, report_id="A3", quiet=True
        )


def test_a_form_that_cannot_be_written_is_named_and_the_others_are_written(
    scan: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    report(scan, model=model, out=tmp_path, form="pdf,json")
    assert '-e ".[pdf]"' in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("report.*")) == ["report.json"]
    with pytest.raises(InputError, match=r"\.\[pdf\]"):
        report(scan, model=model, out=tmp_path, form="pdf", quiet=True)
    with pytest.raises(InputError, match="are the forms"):
        report(scan, model=model, out=tmp_path, form="docx", quiet=True)


def test_without_the_extra_for_dicom_nothing_is_sent_and_the_rest_is_written(
    scan: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "highdicom", None)
    report(scan, model=model, out=tmp_path, form="json,dicom", identified=True)
    assert '-e ".[dicom-sr]"' in capsys.readouterr().err
    with pytest.raises(InputError, match="nothing was sent"):
        report(scan, model=model, out=tmp_path, form="json", send="127.0.0.1:9:X")
    assert '-e ".[dicom-sr]"' in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rejected.parquet", "report.json", "run.json",
    ]  # fmt: skip


def test_a_form_whose_process_ends_is_named_and_the_others_are_written(
    scan: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def crash(job: object) -> Outcome:
        if job is not None:
            os.abort()
        return Outcome()

    monkeypatch.setitem(writers._WRITE, Form.PDF, crash)
    report(scan, model=model, out=tmp_path, form="pdf,json")
    assert "pdf: left out, the process that writes it ended" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.glob("report.*")) == ["report.json"]


def test_a_report_imports_nothing_that_only_other_work_needs() -> None:
    """Each of these takes as long to load as a scan to read."""
    code = (
        "import sys, pipelines.report, pipelines.rendering.writers, pipelines.rendering.html\n"
        "from model import bundle\n"
        "heavy = 'pandas sklearn scipy.optimize scipy.stats matplotlib weasyprint highdicom'\n"
        "print(*(name for name in heavy.split() if name in sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True
    )
    assert ran.stdout.split() == []
