"""Hostile and damaged input: the process lives, nothing is allocated on a header's word, no name
leaves its folder, and no identity reaches an output."""

import gzip
import logging
import os
import random
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openjpeg
import pytest
import SimpleITK as sitk  # noqa: N813 (the field's usual name)
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from configs.contracts import InputError
from model.volumes import VolumeError, VolumeReason, dicom_pixels, read_volume
from model.volumes.decoder import Decoder
from pipelines.prepare import prepare
from tests.model.volumes.dicom_phantom import Plan, make_series, misplaced, save, stored_of
from tests.model.volumes.phantom import affine_of, chest, position_coded
from tests.model.volumes.plain_files import npz, rad_array, vti

R = VolumeReason
MUTANTS = int(os.environ.get("CHESTCT_FUZZ_MUTANTS", "12"))


def one(change: Callable[[Dataset], object] | None = None, **plan: int) -> Dataset:
    ds = make_series(Plan(slices=1, **plan))[0]  # type: ignore[arg-type]
    if change:
        change(ds)
    return ds


def jpeg_2000(ds: Dataset) -> None:
    packed = openjpeg.encode(stored_of(ds).astype(np.uint16), codec_format=0)
    ds.PixelData = encapsulate([packed])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless


def jpeg_ls(ds: Dataset) -> None:
    ds.compress(JPEGLSLossless, generate_instance_uid=False)


def run_lengths(ds: Dataset) -> None:
    ds.compress(RLELossless, generate_instance_uid=False)


def deflated(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


# --- the decoder's own process


def test_a_hang_costs_one_file_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save([one(jpeg_2000)], tmp_path / "x")
    hasty = Decoder(max_seconds=0.0)
    monkeypatch.setattr(dicom_pixels, "decoder", hasty)
    with pytest.raises(VolumeError) as caught:
        read_volume(tmp_path / "x")
    assert caught.value.reason is R.DECODER_DIED
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


# --- bombs and claims


def bomb_deflate(folder: Path) -> None:
    path = save([one(deflated)], folder) / "im0000"
    whole = path.read_bytes()
    start = 144 + int.from_bytes(whole[140:144], "little")
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(zlib.decompress(whole[start:], -15))
    for _ in range(300):
        packed += packer.compress(b"\0" * (1 << 20))
    path.write_bytes(whole[:start] + packed + packer.flush())


def bomb_jpeg_2000(folder: Path) -> None:
    ds = one(jpeg_2000)
    place = ds.PixelData.index(b"\xff\x51") + 6
    huge = (60000).to_bytes(4, "big") * 2
    ds.PixelData = ds.PixelData[:place] + huge + ds.PixelData[place + 8 :]
    save([ds], folder)


def bomb_jpeg_2000_and_header(folder: Path) -> None:
    bomb_jpeg_2000(folder)
    path = folder / "im0000"
    whole = path.read_bytes()
    for tag in (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"):
        place = whole.index(tag) + 8
        whole = whole[:place] + (60000).to_bytes(2, "little") + whole[place + 2 :]
    path.write_bytes(whole)


def bomb_run_lengths(folder: Path) -> None:
    ds = one(run_lengths)
    ds.Rows = ds.Columns = 65535
    save([ds], folder)


def claim(**values: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        ds = one()
        for name, value in values.items():
            setattr(ds, name, value)
        save([ds], folder)

    return write


def bomb_nesting(folder: Path) -> None:
    path = save([one()], folder) / "im0000"
    whole = path.read_bytes()
    item = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    place = whole.index(b"\x08\x00\x60\x00CS")
    path.write_bytes(whole[:place] + item * 50_000 + whole[place:])


def bomb_gzip(folder: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    folder.mkdir()
    header = nibabel.Nifti1Image(np.zeros((2, 2, 2), "i2"), np.eye(4)).header
    header.set_data_shape((512, 512, 600))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header.set_sform(np.eye(4), 1)
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(header.binaryblock + b"\0" * 4)
    for _ in range(300):
        packed += packer.compress(b"\0" * (1 << 20))
    (folder / "x.nii.gz").write_bytes(packed + packer.flush())


def claim_text(suffix: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        path = folder / f"x.{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16)), str(path))
        path.write_bytes(path.read_bytes().replace(old, new))

    return write


BOMBS: dict[str, Callable[[Path], None]] = {
    "deflated DICOM": bomb_deflate,
    "JPEG 2000 of 60000 x 60000": bomb_jpeg_2000,
    "JPEG 2000 and header of 60000 x 60000": bomb_jpeg_2000_and_header,
    "run lengths of 65535 x 65535": bomb_run_lengths,
    "native 65535 x 65535": claim(Rows=65535, Columns=65535),
    "a million frames": claim(NumberOfFrames=1_000_000),
    "samples without end": claim(SamplesPerPixel=60000),
    "50,000 nested sequences": bomb_nesting,
    "gzip of 300 MiB of zeros": bomb_gzip,
    "NRRD sizes": claim_text("nrrd", b"sizes: 5 4 3", b"sizes: 30000 30000 30000"),
    "MetaImage sizes": claim_text("mha", b"DimSize = 5 4 3", b"DimSize = 30000 30000 30000"),
    "NRRD negative sizes": claim_text("nrrd", b"sizes: 5 4 3", b"sizes: -5 4 3"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_quickly_and_cheaply(name: str, tmp_path: Path) -> None:
    BOMBS[name](tmp_path / "bomb")
    size = sum(path.stat().st_size for path in (tmp_path / "bomb").iterdir())
    assert size < 4 << 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(VolumeError):
        read_volume(tmp_path / "bomb")
    assert time.process_time() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 512 << 10  # KiB


# --- mutants


def whole_files(folder: Path) -> dict[str, Path]:
    """One small file of each kind that a reader or decoder has its own code for."""
    made = {}
    for name, change in {
        "native": None, "deflated": deflated, "RLE": run_lengths,
        "JPEG 2000": jpeg_2000, "JPEG-LS": jpeg_ls,
    }.items():  # fmt: skip
        made[name] = save([one(change)], folder / name) / "im0000"
    affine = affine_of()
    image = sitk.GetImageFromArray(position_coded((3, 8, 9), affine))
    for suffix in ("nii.gz", "nii", "nrrd", "mha", "gipl"):
        made[suffix] = folder / f"x.{suffix}"
        sitk.WriteImage(image, str(made[suffix]), useCompression=suffix != "nii")
    made["npz"] = npz(folder, ct=rad_array()[:1])
    made["vti"] = vti(folder, mode="binary", encoding="base64", compressed=True)
    return made


def mutant(whole: bytes, dice: random.Random) -> bytes:
    content = bytearray(whole)
    for _ in range(dice.choice((1, 1, 2, 8))):
        place = dice.randrange(max(1, len(content) - 1))
        kind = dice.randrange(5) if len(content) > 1 else 3
        if kind == 0:
            content[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            content[place] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del content[place : place + dice.randrange(1, 32)]
        elif kind == 3:
            content[place:place] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 16)))
        else:
            content = content[: max(1, place)]
    return bytes(content)


@pytest.mark.parametrize(
    "kind",
    [
        "native",
        "deflated",
        "RLE",
        "JPEG 2000",
        "JPEG-LS",
        "nii.gz",
        "nii",
        "nrrd",
        "mha",
        "gipl",
        "npz",
        "vti",
    ],
)
def test_a_damaged_file_gives_a_volume_or_a_reason(kind: str, tmp_path: Path) -> None:
    path = whole_files(tmp_path)[kind]
    whole = path.read_bytes()
    dice = random.Random(kind)
    for number in range(MUTANTS):
        content = mutant(whole, dice)
        path.write_bytes(content)
        start = time.monotonic()
        try:
            volume = read_volume(path)
        except VolumeError:
            pass
        except Exception as error:
            error.add_note(f"{kind} mutant {number}: {gzip.compress(content).hex()[:4000]}")
            raise
        else:
            assert volume.hu_zyx.dtype == np.int16
            assert np.isfinite(volume.affine_lps).all()
        assert time.monotonic() - start < 31


# --- names and identities

HOSTILE_NAMES = [
    "../../escaped", "/etc/passwd", "..", ".", "CON", "nul.txt", "a\\b", "a" * 300,
    "x\u202egnp.exe", "~root", "$(touch x)", "`id`", "; rm -rf x", "a|b", "%2e%2e%2f", "aux",
    "-rf", "*", "?", "a:b",
    "\u212bngstr\u00f6m", "NaN", "1e5", "00123", "=1+1",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")  # writing such names makes pydicom complain
def test_no_name_in_a_header_leaves_the_store(tmp_path: Path) -> None:
    root = tmp_path / "in"
    hu = chest((60, 40, 40), 10.0)
    plan = Plan(60, 40, 40, 5.0, 10.0, 10.0)
    for number, name in enumerate(HOSTILE_NAMES):
        series = make_series(plan, hu)[::3]
        for ds in series:
            ds.SpecificCharacterSet = "ISO_IR 192"
            ds.PatientID = ds.AccessionNumber = name[:60]
            plain = name[:60].encode("ascii", "replace").decode()
            ds.SeriesInstanceUID = ds.StudyInstanceUID = plain + str(number)
        save(series, root / str(number))
    before = {path for path in tmp_path.rglob("*") if "in" not in path.parts}
    summary = prepare(root, out=tmp_path / "out" / "store", quiet=True, any_content=True, workers=1)
    assert summary.volumes == len(HOSTILE_NAMES)
    made = {path for path in tmp_path.rglob("*") if "in" not in path.parts} - before
    assert all(path.is_relative_to(tmp_path / "out") for path in made)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"store"}
    assert not any(name in str(path) for path in made for name in ("escaped", "passwd", "touch"))


TEXT_TAGS = [
    0x00080050, 0x00080080, 0x00080081, 0x00080090, 0x00081030, 0x0008103E, 0x00081048, 0x00081050,
    0x00081060, 0x00081070, 0x00081080, 0x00100010, 0x00100020, 0x00101000, 0x00101001, 0x00101005,
    0x00101060, 0x00102154, 0x00102180, 0x001021B0, 0x00104000, 0x00180015, 0x00180010, 0x00181000,
    0x00181030, 0x00181400, 0x00200010, 0x00204000, 0x00321032, 0x00321033, 0x00321060, 0x00324000,
    0x00380300, 0x00380400, 0x00380500, 0x00400006, 0x00400241, 0x00400242, 0x00400253, 0x00400254,
    0x00400275, 0x00401001, 0x00401002, 0x00401400, 0x00402001, 0x00402400, 0x00402008, 0x00402009,
    0x00402010, 0x00080070, 0x00081090, 0x00080092, 0x00080094, 0x00081010, 0x00181210, 0x0018105A,
    0x00102297, 0x00102298, 0x00102299, 0x00101090,
]  # fmt: skip
KEPT = {0x00181210}  # the kernel is in the manifest by design


def test_no_planted_identity_is_found_in_any_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hu = chest((60, 40, 40), 10.0)
    good = make_series(Plan(60, 40, 40, 5.0, 10.0, 10.0), hu)
    short = make_series(Plan())
    del short[7]
    odd = make_series(Plan())
    odd[3].add_new(0x00281053, "LO", "CANARY-slope")
    odd[4].add_new(0x00101010, "LO", "CANARY-age")
    canaries = {tag: f"CANARY-{number:02d}" for number, tag in enumerate(TEXT_TAGS)}
    for series in (good, short, odd):
        for ds in series:
            for tag, canary in canaries.items():
                ds.add_new(tag, "LO", canary)
    out = tmp_path / "store"
    for name, series in (("CANARY-folder", good), ("b", short), ("c", odd)):
        save(series, tmp_path / "in" / name)
    summary = prepare(tmp_path / "in", out=out, quiet=False)
    assert (summary.volumes, summary.rejected) == (1, 2)
    for name in ("b", "c"):
        with pytest.raises(InputError) as caught:
            read_volume(tmp_path / "in" / name)
        assert "CANARY" not in str(caught.value)
    assert "CANARY" not in repr(read_volume(tmp_path / "in" / "CANARY-folder"))
    captured = capfd.readouterr()
    assert "CANARY" not in captured.out + captured.err + caplog.text
    import pandas as pd

    kept = pd.read_parquet(out / "scans.parquet").drop(columns="kernel").to_json()
    assert "CANARY" not in kept + pd.read_parquet(out / "rejected.parquet").to_json()
    for path in out.rglob("*"):
        assert "CANARY" not in path.name
        if path.is_file() and path.suffix != ".parquet":
            assert b"CANARY" not in path.read_bytes()


def test_a_preamble_that_is_a_program_is_never_copied(tmp_path: Path) -> None:
    folder = save(make_series(Plan(slices=6)), tmp_path / "in")
    for path in folder.iterdir():
        path.write_bytes(b"MZ<script>alert(1)</script>".ljust(128, b"\0") + path.read_bytes()[128:])
    prepare(folder, out=tmp_path / "out", quiet=True, any_content=True)
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"<script>" not in path.read_bytes()
