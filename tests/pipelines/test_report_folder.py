"""What `chestct report` leaves of an earlier report: all of it until the new one is sure."""

import json
import shutil
from pathlib import Path

import pytest

from configs.contracts import InputError
from pipelines.report import report
from tests.model.volumes.phantom import chest
from tests.pipelines.made_scans import model, scan, write_series

__all__ = ["model", "scan"]  # the fixtures


@pytest.fixture(scope="module")
def made(scan: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made")
    report(scan, model=model, out=out, quiet=True)
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "out")


def held(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def fill(image: object) -> None:
        image.SeriesInstanceUID, image.StudyInstanceUID = "1.2.3", "1.2.4"  # type: ignore[attr-defined]  # a Dataset

    return write_series(tmp_path_factory.mktemp("other") / "scan", chest(), fill=fill)


def test_a_wrong_model_a_wrong_scan_or_a_wrong_prior_touches_nothing(
    out: Path, scan: Path, model: Path, tmp_path: Path
) -> None:
    before = held(out)
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (
        {"scan": scan, "model": empty},
        {"scan": tmp_path / "absent", "model": model},
        {"scan": scan, "model": model, "prior": [empty]},
        {"scan": scan, "model": model, "policy": "x"},
    ):
        with pytest.raises(InputError):
            report(**arguments, out=out, quiet=True)  # type: ignore[arg-type]
        assert held(out) == before


def test_another_scans_report_is_replaced_by_restart_alone(
    out: Path, scan: Path, other: Path, model: Path, tmp_path: Path
) -> None:
    before = held(out)
    unreadable = tmp_path / "scan.txt"
    unreadable.write_text("no scan")
    for another, told in ((other, "of another scan"), (unreadable, "not known to be of this")):
        with pytest.raises(InputError, match=f"report {told}.*--restart"):
            report(another, model=model, out=out, quiet=True)
        assert held(out) == before
    report(other, model=model, out=out, form="json", restart=True, quiet=True)
    assert sorted(held(out)) == ["rejected.parquet", "report.json", "run.json"]
    assert held(out)["report.json"] != before["report.json"]


def test_the_same_scans_report_is_made_anew_also_under_another_path(
    out: Path, scan: Path, model: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(scan, tmp_path / "moved")
    report(moved, model=model, out=out, form="json", quiet=True)
    assert sorted(held(out)) == ["rejected.parquet", "report.json", "run.json"]


def test_an_unreadable_scan_at_the_same_path_leaves_the_report_that_was_read(
    out: Path, scan: Path, model: Path, tmp_path: Path
) -> None:
    current = shutil.copytree(scan, tmp_path / "current")
    report(current, model=model, out=out, form="json", quiet=True)
    before = held(out)
    for path in current.iterdir():
        path.write_bytes(b"another patient's, cut off")
    with pytest.raises(InputError, match=r"not known to be of this scan.*--restart"):
        report(current, model=model, out=out, quiet=True)
    assert held(out) == before
    for restart in (True, False):  # one refusal takes another's place
        with pytest.raises(InputError, match="not read"):
            report(current, model=model, out=out, restart=restart, quiet=True)
        assert json.loads((out / "report.json").read_text())["status"] == "refused"


def test_a_record_that_names_no_scan_is_not_said_to_be_anothers(
    out: Path, other: Path, model: Path
) -> None:
    record = json.loads((out / "run.json").read_text())
    assert list(record.pop("scan")) == ["content"]  # no path where the content is known
    (out / "run.json").write_text(json.dumps(record))
    (out / "report.json").unlink()
    with pytest.raises(InputError, match="not known to be of this scan"):
        report(other, model=model, out=out, quiet=True)


def test_files_of_somebody_else_are_never_replaced(scan: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("my thesis")
    for restart in (False, True):
        with pytest.raises(InputError, match=r"report\.html: not known to be a report of chestct"):
            report(scan, model=model, out=tmp_path, restart=restart, quiet=True)
    assert held(tmp_path) == {"report.html": b"my thesis"}


def test_an_interrupted_report_is_gone_on_with(
    out: Path, scan: Path, other: Path, model: Path
) -> None:
    (out / "run.json").unlink()
    with pytest.raises(InputError, match="report of another scan"):
        report(other, model=model, out=out, quiet=True)
    report(scan, model=model, out=out, quiet=True)
    assert (out / "run.json").exists()
