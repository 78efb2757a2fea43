"""NRRD and MetaImage, attached and detached: exact, or refused."""

from pathlib import Path

import pytest
import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from model.volumes import VolumeReason, find_volumes, read_volume
from tests.model.volumes.dicom_phantom import misplaced
from tests.model.volumes.small_phantom import AFFINE, HU, assert_exact, refused

R = VolumeReason


def itk_image() -> "sitk.Image":
    made = sitk.GetImageFromArray(HU)
    made.SetSpacing(AFFINE.diagonal()[:3].tolist())
    made.SetOrigin(AFFINE[:3, 3].tolist())
    return made


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd"])
def test_nrrd_and_metaimage(suffix: str, compressed: bool, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    sitk.WriteImage(itk_image(), str(path), useCompression=compressed)
    volume = read_volume(path)
    assert_exact(volume)
    found = [item for item in find_volumes(tmp_path) if item.series_uid == "x"]
    assert [item.fingerprint() for item in found] == [volume.source.sha256]


def test_a_turned_metaimage_and_nrrd(tmp_path: Path) -> None:
    turned = sitk.PermuteAxes(itk_image()[::-1, :, ::-1], (2, 0, 1))
    for suffix in ("mha", "nrrd"):
        path = tmp_path / f"x.{suffix}"
        sitk.WriteImage(turned, str(path))
        assert_exact(read_volume(path))


def test_an_nrrd_line_without_a_name_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    sitk.WriteImage(itk_image(), str(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\nkinds", b"\n:\nkinds", 1))
    assert_exact(read_volume(path))


def test_a_metaimage_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.mha"
    sitk.WriteImage(itk_image(), str(path))
    content = path.read_bytes()
    assert b"AnatomicalOrientation = RAI" in content
    path.write_bytes(content.replace(b"Orientation = RAI", b"Orientation = LAI"))
    assert refused(path) is R.ORIENTATION
    path.write_bytes(content.replace(b"Orientation = RAI", b"Orientation = ???"))
    assert_exact(read_volume(path))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"TransformMatrix = 1 ", b"TransformMatrix = 2 ", R.ORIENTATION),
        (b"ElementSpacing = ", b"ElementSpacing = -", R.SPACING),
        (b"ElementSpacing = ", b"ElementSpacing = 0 1 1\nComment = ", R.SPACING),
    ],
)
def test_a_metaimage_whose_axes_readers_read_apart_is_refused(
    old: bytes, new: bytes, reason: VolumeReason, tmp_path: Path
) -> None:
    path = tmp_path / "x.mha"
    sitk.WriteImage(itk_image(), str(path))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    assert refused(path) is reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("sizes: 11 9 7", "sizes: 11 9 \u00b2", R.PIXEL_FORMAT),
        ("space origin: (-30", "space origin: (-3_0", R.UNREADABLE),
    ],
)
def test_numbers_that_only_python_reads_are_refused(
    old: str, new: str, reason: VolumeReason, tmp_path: Path
) -> None:
    path = tmp_path / "x.nrrd"
    sitk.WriteImage(itk_image(), str(path))
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode("latin-1")))
    assert refused(path) is reason


def test_nrrd_in_ras_and_without_space(tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    sitk.WriteImage(itk_image(), str(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"left-posterior-superior", b"right-anterior-superior"))
    assert misplaced(read_volume(path)) > 0.5
    path.write_bytes(content.replace(b"space: left-posterior-superior\n", b""))
    assert refused(path) is R.ORIENTATION


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../x.raw", "http://example.org/x.raw", "sub/x.raw", "link.raw", ".."]
)
@pytest.mark.parametrize(
    ("suffix", "field"), [("mhd", b"ElementDataFile = "), ("nhdr", b"data file: ")]
)
def test_detached_data_stay_in_their_folder(
    suffix: str, field: bytes, target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / f"x.{suffix}"
    sitk.WriteImage(itk_image(), str(path))
    raw = next(folder.glob("x.*raw*"))
    (tmp_path / "x.raw").write_bytes(raw.read_bytes())
    (folder / "link.raw").symlink_to(tmp_path / "x.raw")
    content = path.read_bytes()
    start = content.index(field) + len(field)
    end = content.index(b"\n", start)
    path.write_bytes(content[:start] + target.encode() + content[end:])
    assert refused(path) is R.EXTERNAL_DATA


def test_a_cut_or_damaged_nrrd_and_metaimage(tmp_path: Path) -> None:
    for suffix in ("nrrd", "mha"):
        path = tmp_path / f"x.{suffix}"
        sitk.WriteImage(itk_image(), str(path), useCompression=True)
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        assert refused(path) in (R.TRUNCATED, R.CHECKSUM)
        spoilt = bytearray(whole)
        spoilt[-40] ^= 16
        path.write_bytes(spoilt)
        assert refused(path) in (R.TRUNCATED, R.CHECKSUM, R.SIZE)
