"""David Clunie's dciodvfy finds no error in any object, whatever the source."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra dicom-sr is not installed")

from model.volumes import Volume
from pipelines.rendering.dicom.write import write_dicom
from pipelines.synthetic.archive import write_scan
from pipelines.synthetic.hospital import plan
from tests.pipelines.rendering.dicom.made import ORIENTATIONS, read_made, write_series

REAL = Path(__file__).parents[5] / "shared/data/ct/cptac_chest"

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed"),
]


def errors(path: Path) -> list[str]:
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert any("Segmentation" in line or "SR" in line or "KeyObject" in line for line in lines)
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def check(scan: Path, folder: Path) -> None:
    paths = write_dicom(read_made(scan, folder / "bundle"), scan, folder / "out")
    assert [path.stem for path in paths] == ["seg-01", "seg-02", "sr", "kos"]
    assert {path.name: errors(path) for path in paths} == {path.name: [] for path in paths}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_objects_of_a_made_scan(volume: Volume, orientation: str, tmp_path: Path) -> None:
    check(write_series(tmp_path / "scan", volume, orientation), tmp_path)


def test_objects_of_a_synthetic_scan(tmp_path: Path) -> None:
    write_scan(plan(1, seed=5)[0], tmp_path / "scans")
    check(tmp_path / "scans", tmp_path)


@pytest.mark.skipif(not REAL.exists(), reason="public scans do not lie beside the repository")
def test_objects_of_a_real_scan(tmp_path: Path) -> None:
    check(REAL, tmp_path)


def test_an_error_would_be_seen(volume: Volume, tmp_path: Path) -> None:
    import pydicom

    scan = write_series(tmp_path / "scan", volume)
    paths = write_dicom(read_made(scan, tmp_path / "bundle"), scan, tmp_path / "out")
    broken = pydicom.dcmread(paths[-1])
    del broken.StudyInstanceUID
    broken.save_as(paths[-1])
    assert errors(paths[-1])
