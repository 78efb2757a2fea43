"""Whom a report names: nobody, unless asked, in whatever it writes, prints or logs."""

import json
from pathlib import Path

import numpy as np
import pytest

from configs.contracts import InputError
from pipelines.rendering.content import ScanReport, Status
from pipelines.report import report
from tests.model.volumes.phantom import chest
from tests.pipelines.made_scans import (
    IDENTITIES,
    SEQUENCES,
    SERIES,
    STUDY,
    TEXTS,
    model,
    plant,
    scan,
    write_series,
)

__all__ = ["model", "scan"]  # the fixtures


def written(out: Path) -> str:
    return "".join(
        (out / name).read_text(encoding="utf-8") for name in ("report.json", "report.html")
    )


def test_nobody_is_named_unless_asked(scan: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report(scan, model=model, out=out, quiet=True)
    canaries = [*IDENTITIES.values(), STUDY, SERIES]
    assert [canary for canary in canaries if canary in written(out)] == []
    assert "20191230" not in written(out)

    report(scan, model=model, out=out, identified=True, quiet=True)
    content = json.loads((out / "report.json").read_text())["scan"]
    assert content["patient_id"] == "CANARY-ID"
    assert content["accession"] == "CANARY-ACC"
    assert content["series"] == SERIES
    for never in ("Canary^Name", "Canary Hospital", "Canary^Referrer", "19410203"):
        assert never not in written(out)


def test_a_file_that_is_no_scan_is_not_named_either(model: Path, tmp_path: Path) -> None:
    scan = tmp_path / "Canary^Name.txt"
    scan.write_text("not a scan")
    with pytest.raises(InputError):
        report(scan, model=model, out=tmp_path / "out")
    content = ScanReport.model_validate_json((tmp_path / "out" / "report.json").read_text())
    assert content.status is Status.REFUSED
    assert content.geometry is None
    assert "Canary" not in written(tmp_path / "out")


def test_sixty_planted_identities_reach_no_output(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert len(TEXTS) + len(SEQUENCES) + 5 >= 60
    scan = write_series(tmp_path / "CANARYFOLDER", chest(), fill=plant)
    out = tmp_path / "out"
    with caplog.at_level("DEBUG"):
        report(scan, model=model, out=out, form="json,html", timings=True)
    said = capsys.readouterr()
    everything = b"".join(path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file())
    everything += (said.out + said.err + caplog.text).encode()
    assert b"CANARY" not in everything
    for identity in (STUDY, SERIES, "19410203", "19871229", "19871230", "091807"):
        assert identity.encode() not in everything
    content = ScanReport.model_validate_json((out / "report.json").read_text())
    assert (content.scan.age_years, content.scan.sex) == (None, None)
    assert content.scan.kernel == ""

    report(scan, model=model, out=out, form="json", identified=True, quiet=True)
    named = ScanReport.model_validate_json((out / "report.json").read_text()).scan
    assert (named.patient_id, named.accession) == ("CANARY01", "CANARY19")


def test_a_refused_scan_names_nobody_either(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).normal(0, 400, (40, 64, 64))
    scan = write_series(tmp_path / "CANARYFOLDER", noise, fill=plant)
    out = tmp_path / "out"
    with caplog.at_level("DEBUG"), pytest.raises(InputError):
        report(scan, model=model, out=out)
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"CANARY" not in everything + caplog.text.encode()
