"""`chestct report` on a made scan: what it writes, what it refuses, what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from configs import files
from configs.contracts import INTENDED_USE, InputError
from model import bundle as bundles
from pipelines.rendering.content import ScanReport, Status
from pipelines.rendering.finding_wording import chance
from pipelines.report import report
from tests.pipelines.made_scans import model, scan, write_series

__all__ = ["model", "scan"]  # the fixtures


@pytest.fixture(scope="module")
def out(scan: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    report(scan, model=model, out=out, quiet=True)
    return out


def test_a_scan_gets_its_probabilities_and_its_page(out: Path, model: Path) -> None:
    content = ScanReport.model_validate_json((out / "report.json").read_text())
    assert content.status is Status.READ
    assert [f.label for f in content.findings] == list(bundles.load(model).labels)
    assert [f.calibrated for f in content.findings] == [True, False]
    for finding in content.findings:
        assert finding.evidence is not None
        total = finding.evidence.bias + finding.evidence.supporting + finding.evidence.opposing
        assert total == pytest.approx(finding.logit, abs=1e-4)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert INTENDED_USE in page
    assert "Trained on synthetic scans only" in page
    assert len(page) < 15_000_000
    run = json.loads((out / "run.json").read_text())
    assert run["counts"] == {"findings": 2, "rejected": 0}
    assert {"read scan", "predict", "write json", "write html"} <= set(run["stage_seconds"])


def test_a_scan_that_is_no_chest_gets_reasons_and_no_number(model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 400, (40, 64, 64))
    scan = write_series(tmp_path / "scan", noise)
    out = tmp_path / "out"
    with pytest.raises(InputError) as refused:
        report(scan, model=model, out=out)
    assert "\n" not in str(refused.value)
    content = ScanReport.model_validate_json((out / "report.json").read_text())
    assert content.status is Status.REFUSED
    assert content.findings == ()
    assert content.quality.reasons
    assert '"probability"' not in (out / "report.json").read_text()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert content.quality.reasons[0].code in page
    rejected = files.read_table(out / "rejected.parquet").to_pylist()
    assert [r["reason"] for r in rejected] == [r.code for r in content.quality.reasons]


def test_what_is_not_there_is_said_and_nothing_is_written(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        report(tmp_path / "absent", model=model, out=tmp_path / "out")
    with pytest.raises(InputError, match="not a bundle"):
        report(model, model=tmp_path, out=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_the_summary_names_the_page(
    scan: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(scan, model=model, out=tmp_path, timings=True)
    printed = capsys.readouterr().out
    assert str(tmp_path / "report.html") in printed
    assert INTENDED_USE in printed
    assert "predict" in printed


def test_the_summary_marks_what_is_not_calibrated(
    scan: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = report(scan, model=model, out=tmp_path)
    printed = capsys.readouterr().out
    shown = [f for f in content.findings if f.decision.value in ("present", "indeterminate")]
    assert [f.name for f in shown if not f.calibrated] == ["Pleural effusion"]
    (line,) = (line for line in printed.splitlines() if line.startswith("Pleural effusion"))
    assert line.count("*") == 2  # the probability and its threshold
    assert "1 of 2 findings are not calibrated on enough cases" in " ".join(printed.split())
    assert f"Pleural effusion {chance(content.findings[1])}" in content.draft.replace(",", "")
