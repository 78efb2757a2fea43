"""Hostile and damaged input: the process lives, nothing is allocated on a header's word, no name
leaves its folder, and no identity reaches an output."""

import gzip
import logging
import os
import random
import resource
import time
import zlib
from pathlib import Path

import pytest

from configs.contracts import InputError
from model.volumes import VolumeError, VolumeReason, read_volume
from model.volumes.content import inflate_dicom
from pipelines.prepare import prepare
from tests.model.volumes.bombs import BOMBS, bomb_deflate
from tests.model.volumes.damage import KINDS, is_sound, mutant, target
from tests.model.volumes.dicom_phantom import Plan, make_series, save
from tests.model.volumes.identities import (
    PLANTED,
    hostile_archive,
    hostile_names,
    planted_archive,
    planted_in,
)

MUTANTS = int(os.environ.get("CHESTCT_FUZZ_MUTANTS", "12"))


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


def test_a_caller_may_bound_what_inflates(tmp_path: Path) -> None:
    bomb_deflate(tmp_path)
    with pytest.raises(VolumeError, match="past 1 MiB") as caught:
        inflate_dicom((tmp_path / "im0000").read_bytes(), max_bytes=1 << 20)
    assert caught.value.reason is VolumeReason.TOO_LARGE


@pytest.mark.parametrize("noise", [0, 40_000, 90_000])
@pytest.mark.parametrize("blank", [0, (1 << 16) - 1, 1 << 16, (1 << 20) + 1])
def test_what_inflates_is_whole(noise: int, blank: int) -> None:
    content = random.Random(noise).randbytes(noise) + bytes(blank)
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(content) + packer.flush()
    syntax = b"1.2.840.10008.1.2.1.99"
    head = b"\0" * 128 + b"DICM" + b"\0" * 8 + len(syntax).to_bytes(4, "little") + syntax
    assert inflate_dicom(head + packed) == content
    with pytest.raises(VolumeError, match="TRUNCATED"):
        inflate_dicom(head + packed[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_gives_a_sound_volume_or_a_reason(kind: str, tmp_path: Path) -> None:
    damaged = target(kind, tmp_path)
    whole = damaged.file.read_bytes()
    dice = random.Random(kind)
    for number in range(MUTANTS):
        content = mutant(whole, dice)
        damaged.file.write_bytes(content)
        start = time.monotonic()
        try:
            volume = read_volume(damaged.read)
            assert is_sound(kind, volume)
        except VolumeError:
            pass
        except Exception as error:
            error.add_note(f"{kind} mutant {number}: {gzip.compress(content).hex()[:4000]}")
            raise
        assert time.monotonic() - start < 31


@pytest.mark.filterwarnings("ignore::UserWarning")  # writing such names makes pydicom complain
def test_no_name_in_a_header_leaves_the_store(tmp_path: Path) -> None:
    names = hostile_names()[::10]
    root = hostile_archive(tmp_path / "in", names)
    before = {path for path in tmp_path.rglob("*") if "in" not in path.parts}
    summary = prepare(root, out=tmp_path / "out" / "store", quiet=True, any_content=True, workers=1)
    assert summary.volumes == len(names)
    made = {path for path in tmp_path.rglob("*") if "in" not in path.parts} - before
    assert all(path.is_relative_to(tmp_path / "out") for path in made)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"store"}
    assert not any(name in str(path) for path in made for name in ("escaped", "passwd", "touch"))


def test_no_planted_identity_is_found_in_any_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    root = planted_archive(tmp_path / "in")
    summary = prepare(root, out=tmp_path / "store", quiet=False)
    assert (summary.volumes, summary.rejected) == (1, 2)
    for name in ("short", "odd"):
        with pytest.raises(InputError) as caught:
            read_volume(root / name)
        assert PLANTED not in str(caught.value)
    assert PLANTED not in repr(read_volume(root / f"{PLANTED}-folder"))
    captured = capfd.readouterr()
    assert PLANTED not in captured.out + captured.err + caplog.text
    assert planted_in(tmp_path / "store") == []


def test_a_preamble_that_is_a_program_is_never_copied(tmp_path: Path) -> None:
    folder = save(make_series(Plan(slices=6)), tmp_path / "in")
    for path in folder.iterdir():
        path.write_bytes(b"MZ<script>alert(1)</script>".ljust(128, b"\0") + path.read_bytes()[128:])
    prepare(folder, out=tmp_path / "out", quiet=True, any_content=True)
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"<script>" not in path.read_bytes()
