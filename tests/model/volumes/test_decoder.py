"""The decoder's own process: a hang or a crash costs one file."""

import subprocess
import sys
from pathlib import Path

import pytest

from model.volumes import VolumeError, VolumeReason, dicom_pixels, read_volume
from model.volumes.decoder import Decoder
from tests.model.volumes.dicom_phantom import Plan, make_series, misplaced, save
from tests.model.volumes.encoded import jpeg_2000, jpeg_ls, one


def test_a_hang_costs_one_file_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save([one(jpeg_2000)], tmp_path / "x")
    hasty = Decoder(max_seconds=0.0)
    monkeypatch.setattr(dicom_pixels, "decoder", hasty)
    with pytest.raises(VolumeError) as caught:
        read_volume(tmp_path / "x")
    assert caught.value.reason is VolumeReason.DECODER_DIED
    hasty.max_seconds = 30
    assert misplaced(read_volume(tmp_path / "x")) == 0
    hasty.stop()


def test_a_crash_costs_one_file_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = make_series(Plan(slices=6))
    for ds in series:
        jpeg_ls(ds)
    save(series, tmp_path)
    mine = Decoder()
    monkeypatch.setattr(dicom_pixels, "decoder", mine)
    read_volume(tmp_path)
    assert mine._worker is not None  # there is no public way to make it crash
    mine._worker.kill()
    mine._worker.wait()
    assert misplaced(read_volume(tmp_path)) == 0
    mine.stop()


def test_the_worker_starts_beside_folders_that_are_called_like_ours(tmp_path: Path) -> None:
    save([one(jpeg_ls)], tmp_path / "scan")
    for name in ("model", "configs", "numpy", "pydicom"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    script = "from model.volumes import read_volume; print(read_volume('scan').hu_zyx.shape)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.stdout.decode().strip() == "(1, 40, 48)", done.stderr.decode()


def test_a_script_from_standard_input_reads_encoded_scans(tmp_path: Path) -> None:
    save([one(jpeg_ls)], tmp_path / "scan")
    script = b"from model.volumes import read_volume; print(read_volume('scan').hu_zyx.shape)"
    done = subprocess.run(
        [sys.executable, "-P", "-"], input=script, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.stdout.decode().strip() == "(1, 40, 48)", done.stderr.decode()


def test_a_notebook_s_cell_reads_encoded_scans(tmp_path: Path) -> None:
    # As in a kernel: code without a file, run by a loop that runs already.
    save([one(jpeg_ls)], tmp_path / "scan")
    cell = "from model.volumes import read_volume; print(read_volume('scan').hu_zyx.shape)"
    kernel = (
        "import asyncio, sys\n"
        "main = sys.modules['__main__']\n"
        "assert not hasattr(main, '__file__')\n"
        "async def run(): exec(compile(" + repr(cell) + ", '<cell 1>', 'exec'), vars(main))\n"
        "asyncio.run(run())\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", kernel], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.stdout.decode().strip() == "(1, 40, 48)", done.stderr.decode()
