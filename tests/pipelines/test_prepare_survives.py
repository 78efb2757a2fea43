"""One series that ends or stops a process costs that series alone."""

import resource
from pathlib import Path

import pandas as pd
import pytest

from pipelines.prepare import prepare
from tests.model.volumes.dicom_phantom import save
from tests.model.volumes.encoded import jpeg_2000
from tests.pipelines.test_prepare import chest_series

# Python runs it when a process starts, before our own code: decoders and workers are processes.
SITE = """
import sys
command = " ".join(sys.orig_argv)
if "model.volumes.decoder" in command:
    import os, time
    import openjpeg.utils
    openjpeg.utils.decode = lambda *_, **__: {in_decoder}
if "pipelines.running.child" in command:
    import os, time
    import model.volumes.decoder, model.volumes.dicom_pixels
    model.volumes.decoder.decoder.max_seconds = 4
    {in_worker}
"""
HANG = "model.volumes.dicom_pixels.packed_frame = lambda *_: time.sleep(600)"
CRASH = "model.volumes.dicom_pixels.packed_frame = lambda *_: os.abort()"


@pytest.mark.parametrize(
    ("in_decoder", "in_worker", "workers", "reason"),
    [
        ("os.abort()", "", 1, "DECODER_DIED"),
        ("time.sleep(60)", "", 1, "DECODER_DIED"),
        ("None", CRASH, 1, "CRASH"),
        ("None", CRASH, 2, "CRASH"),
        ("None", HANG, 1, "TIMEOUT"),
    ],
    ids=[
        "decoder crashes",
        "decoder hangs",
        "process crashes",
        "one of two processes crashes",
        "process hangs",
    ],
)
def test_what_ends_or_stops_a_process_costs_its_series_alone(
    in_decoder: str,
    in_worker: str,
    workers: int,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = chest_series("P2", "A2")
    for ds in packed:
        jpeg_2000(ds)
    save(chest_series("P1", "A1"), tmp_path / "scans" / "good")
    save(packed, tmp_path / "scans" / "bad")
    (tmp_path / "site").mkdir()
    code = SITE.format(in_decoder=in_decoder, in_worker=in_worker)
    (tmp_path / "site" / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    if reason == "TIMEOUT":
        monkeypatch.setattr("pipelines.prepare._SERIES_SECONDS", 6.0)
    out = tmp_path / "store"
    summary = prepare(tmp_path / "scans", out=out, workers=workers, quiet=True)
    assert (summary.volumes, summary.rejected) == (1, 1)
    assert pd.read_parquet(out / "rejected.parquet")["reason"].tolist() == [reason]
    monkeypatch.delenv("PYTHONPATH")
    again = prepare(tmp_path / "scans", out=out, workers=workers, quiet=True)
    assert (again.volumes, again.kept, again.added, again.rejected) == (2, 1, 1, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_that_cannot_be_written_is_not_the_scan_s_fault(
    workers: int, tmp_path: Path
) -> None:
    save(chest_series("P1", "A1"), tmp_path / "scans")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Stands for a disk that fills up: an array is larger than any file may be.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            prepare(tmp_path / "scans", out=tmp_path / "store", workers=workers, quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "arrays" in raised.value.filename
    for name in ("run.json", "rejected.parquet", "refused.parquet"):
        assert not (tmp_path / "store" / name).exists()
    assert prepare(tmp_path / "scans", out=tmp_path / "store", quiet=True).volumes == 1
