"""What lies beside a series, or in its place: told by name where it is left out, never guessed."""

import gzip
import zipfile
from pathlib import Path

import pytest

from model.volumes import VolumeError, VolumeReason, read_volume
from model.volumes.find import header_of
from tests.model.volumes.dicom_phantom import Plan, make_series, save
from tests.model.volumes.dicom_variants import assert_exact
from tests.model.volumes.small_phantom import refused

R = VolumeReason


def slice_file(tmp_path: Path, number: int) -> Path:
    return sorted(save(make_series(Plan()), tmp_path / "series").iterdir())[number]


@pytest.mark.parametrize("size", [0, 4000])
@pytest.mark.parametrize("number", [0, 7, 15])
def test_an_empty_file_named_like_a_slice_is_one_that_broke_off(
    size: int, number: int, tmp_path: Path
) -> None:
    path = slice_file(tmp_path, number)
    path.write_bytes(bytes(size))
    assert refused(path.parent) is R.TRUNCATED


def test_a_marker_without_content_is_harmless(tmp_path: Path) -> None:
    path = slice_file(tmp_path, 0)
    (path.parent / "_SUCCESS").touch()
    volume = read_volume(path.parent)
    assert_exact(volume)
    assert "left out: empty file (1)" in volume.warnings


def test_packed_scans_are_not_opened_and_the_message_says_so(tmp_path: Path) -> None:
    path = slice_file(tmp_path, 0)
    (tmp_path / "packed").mkdir()
    with zipfile.ZipFile(tmp_path / "packed" / "scan.zip", "w") as archive:
        archive.write(path, path.name)
    (tmp_path / "packed" / "im1.dcm.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(VolumeError, match=r"unpack it\) \(2\)") as caught:
        read_volume(tmp_path / "packed")
    assert caught.value.reason is R.NO_IMAGES


def test_half_a_pair_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "x.hdr").write_bytes(b"\x5c\1\0\0" + b"x" * 344)
    with pytest.raises(VolumeError, match="Analyze or NIfTI pair"):
        read_volume(tmp_path)


def test_linked_folders_are_named_not_entered(tmp_path: Path) -> None:
    folder = slice_file(tmp_path, 0).parent
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "scan").symlink_to(folder)
    with pytest.raises(VolumeError, match=r"linked folder, not followed \(1\)"):
        read_volume(tmp_path / "in")
    assert_exact(read_volume(tmp_path / "in" / "scan"))
    (folder / "loop").symlink_to(folder)
    assert_exact(read_volume(folder))


def test_what_cannot_be_opened_is_refused_as_such(tmp_path: Path) -> None:
    header = header_of(tmp_path / "gone")[1]
    assert getattr(header, "reason", None) is R.UNREADABLE


def test_a_slice_that_vanishes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = slice_file(tmp_path, 7)
    is_file = Path.is_file
    monkeypatch.setattr(
        Path, "is_file", lambda self: is_file(self) and (self != path or not path.unlink())
    )
    assert refused(path.parent) is R.UNREADABLE


def test_a_meta_header_that_states_the_other_encoding(tmp_path: Path) -> None:
    for path in save(make_series(Plan()), tmp_path).iterdir():
        content = path.read_bytes()
        # Explicit as written, implicit as stated: the same length, padded with zeros.
        path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1))
    assert_exact(read_volume(tmp_path))


def test_a_private_transfer_syntax_is_refused(tmp_path: Path) -> None:
    folder = save(make_series(Plan()), tmp_path)
    for path in folder.iterdir():
        content = path.read_bytes()
        other = b"1.2.840.113619.5.2\0\0"  # its pixels are big-endian in a little-endian file
        path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", other, 1))
    assert refused(folder) is R.CODEC


def test_a_stray_cut_file_does_not_hide_that_several_patients_are_there(tmp_path: Path) -> None:
    other = make_series(Plan())
    for dataset in other:
        dataset.PatientID, dataset.StudyInstanceUID = "P2", "1.2.3.4"
        dataset.SeriesInstanceUID = "1.2.3.4.5"
    save(other, tmp_path / "two")
    cut = slice_file(tmp_path, 0).read_bytes()[:300]
    (tmp_path / "DICOMDIR").write_bytes(cut)
    assert refused(tmp_path) is R.AMBIGUOUS
    (tmp_path / "series" / "stray").write_bytes(cut)
    assert refused(tmp_path / "series") is R.TRUNCATED
