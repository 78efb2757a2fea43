"""Formats that state less than they should: .npz of RAD-ChestCT, GIPL and VTI; each says so."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from model.volumes import VolumeError, VolumeReason, read_volume
from tests.model.volumes.dicom_phantom import misplaced
from tests.model.volumes.phantom import hu_at
from tests.model.volumes.plain_files import AFFINE, HU, SHAPE, npz, rad_array, vti

R = VolumeReason


def refused(path: Path) -> VolumeReason:
    with pytest.raises(VolumeError) as caught:
        read_volume(path)
    return caught.value.reason


def assert_exact(path: Path, warning: str) -> None:
    volume = read_volume(path)
    assert volume.hu_zyx.shape == SHAPE
    assert misplaced(volume) == 0
    assert np.allclose(volume.affine_lps, AFFINE, atol=1e-3)
    assert any(warning in text for text in volume.warnings)


# --- npz


def test_an_npz_of_rad_chestct_is_read_head_first_at_0_8_mm(tmp_path: Path) -> None:
    volume = read_volume(npz(tmp_path, ct=rad_array()))
    assert np.allclose(volume.spacing_mm_zyx, 0.8)
    assert misplaced(volume) == 0
    assert any("0.8 mm" in text and "assumed" in text for text in volume.warnings)
    assert volume.source.accession == "trn00001"


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"ct": rad_array(), "more": np.zeros(3)}, R.PIXEL_FORMAT),
        ({"arr_0": rad_array()}, R.PIXEL_FORMAT),
        ({"ct": rad_array().astype("f4") / 1000}, R.PIXEL_FORMAT),
        ({"ct": rad_array().astype("u2")}, R.PIXEL_FORMAT),
        ({"ct": np.asfortranarray(rad_array())}, R.PIXEL_FORMAT),
        ({"ct": rad_array()[0]}, R.PIXEL_FORMAT),
        ({"ct": rad_array()[:0]}, R.PIXEL_FORMAT),
        ({"ct": rad_array(224)}, R.SPACING),
        ({"ct": rad_array()[:, :, :240]}, R.SPACING),
    ],
    ids=["two arrays", "other name", "float", "unsigned", "by column", "2D", "empty", "resized",
         "not square"],
)  # fmt: skip
def test_any_other_npz_is_refused(
    arrays: dict[str, np.ndarray], reason: VolumeReason, tmp_path: Path
) -> None:
    assert refused(npz(tmp_path, **arrays)) is reason


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_a_pickled_npz_runs_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    array = np.array([[[Payload(canary)]]], object)
    assert refused(npz(tmp_path, ct=array)) is R.PIXEL_FORMAT
    assert not canary.exists()


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path, ct=rad_array())
    whole = path.read_bytes()
    for place in range(200, len(whole) - 200, len(whole) // 20):
        spoilt = bytearray(whole)
        spoilt[place] ^= 4
        path.write_bytes(spoilt)
        assert refused(path) in (R.CHECKSUM, R.TRUNCATED, R.SIZE, R.UNREADABLE)
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(path) is R.CHECKSUM


def test_an_npz_that_promises_another_size_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<i2', 'fortran_order': False, 'shape': (%d, 300, 300), }"
    for slices, reason in ((2, R.SIZE), (9, R.TRUNCATED), (9999, R.TOO_LARGE)):
        text = (header % slices).ljust(117) + b"\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(540_000)
        with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ct.npy", content)
        assert refused(tmp_path / "x.npz") is reason


def test_an_npz_with_a_header_that_does_not_end_is_refused(tmp_path: Path) -> None:
    for text in (b"{'shape': (1, 300, 300L", b"{'shape': (1, \0", b"[" * 100):
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("ct.npy", content)
        assert refused(tmp_path / "x.npz") is R.UNREADABLE


# --- GIPL


def gipl(folder: Path, name: str = "x.gipl") -> Path:
    image = sitk.GetImageFromArray(HU)
    image.SetSpacing(AFFINE.diagonal()[:3].tolist())
    image.SetOrigin(AFFINE[:3, 3].tolist())
    sitk.WriteImage(image, str(folder / name))
    return folder / name


@pytest.mark.parametrize("name", ["x.gipl", "x.gipl.gz"])
def test_gipl(name: str, tmp_path: Path) -> None:
    assert_exact(gipl(tmp_path, name), "GIPL states no orientation")


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (252, b"\0\0\0\0", R.UNREADABLE),
        (6, b"\0\2", R.PIXEL_FORMAT),
        (0, b"\0\0", R.PIXEL_FORMAT),
        (8, b"\0\xc0", R.PIXEL_FORMAT),
        (10, b"\0\0\0\0", R.SPACING),
        (10, b"\x7f\xc0\0\0", R.SPACING),
        (106, b"\x3f\x80\0\0", R.ORIENTATION),
        (236, b"\xc4\x80\0\0", R.HU_UNKNOWN),
        (240, b"\x40\0\0\0", R.HU_UNKNOWN),
        (4, b"\0\6", R.SIZE),
        (4, b"\0\x10", R.TRUNCATED),
    ],
)
def test_a_gipl_header_that_readers_would_guess_at(
    offset: int, value: bytes, reason: VolumeReason, tmp_path: Path
) -> None:
    path = gipl(tmp_path)
    content = bytearray(path.read_bytes())
    content[offset : offset + len(value)] = value
    path.write_bytes(content)
    assert refused(path) is reason


# --- VTI


@pytest.mark.parametrize("word", ["UInt32", "UInt64"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("mode", "encoding"), [("appended", "raw"), ("appended", "base64"), ("binary", "base64")]
)
def test_vti(mode: str, encoding: str, compressed: bool, word: str, tmp_path: Path) -> None:
    path = vti(tmp_path, mode=mode, encoding=encoding, compressed=compressed, word=word)
    assert_exact(path, "VTK states no patient axes")


def test_a_vti_on_turned_axes_and_with_an_extent_that_starts_elsewhere(tmp_path: Path) -> None:
    turned = read_volume(
        vti(tmp_path, change=("1 0 0 0 1 0 0 0 1", "-1 0 0 0 -1 0 0 0 1"))
    )  # the values stay, so each voxel lies mirrored in x and y
    assert np.allclose(turned.hu_zyx[:, ::-1, ::-1], HU)
    part = vti(tmp_path)
    content = part.read_bytes().replace(b'"0 10 0 8 0 6"', b'"5 15 3 11 2 8"')
    part.write_bytes(content)
    moved = read_volume(part).affine_lps[:3, 3]
    assert np.allclose(moved, AFFINE[:3, 3] + np.array([5, 3, 2]) * AFFINE.diagonal()[:3])
    assert hu_at(moved) != hu_at(AFFINE[:3, 3])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('type="ImageData"', 'type="PolyData"'), R.UNREADABLE),
        (('<?xml version="1.0"?>', '<!DOCTYPE x [<!ENTITY a "b">]>'), R.UNREADABLE),
        (("LittleEndian", "Middle"), R.UNREADABLE),
        (('header_type="UInt32"', 'header_type="UInt32" compressor="vtkLZ4"'), R.CODEC),
        (('format="appended"', 'format="ascii"'), R.CODEC),
        (('Name="HU"', 'Name="HU" NumberOfComponents="3"'), R.PIXEL_FORMAT),
        (('type="Int16"', 'type="String"'), R.PIXEL_FORMAT),
        (('<Piece Extent="0 10', '<Piece Extent="0 9'), R.PIXEL_FORMAT),
        (("</ImageData>", "<Piece/></ImageData>"), R.PIXEL_FORMAT),
        (("</PointData>", "<DataArray/></PointData>"), R.PIXEL_FORMAT),
        (('type="Int16"', 'type="Int8"'), R.SIZE),
        (('type="Int16"', 'type="Int64"'), R.TRUNCATED),
        (('offset="0"', 'offset="99999"'), R.TRUNCATED),
        (('offset="0"', 'offset="x"'), R.CODEC),
        (('Direction="1 0 0', 'Direction="1 0.3 0'), R.ORIENTATION),
        (('Direction="1 0 0', 'Direction="2 0 0'), R.ORIENTATION),
        (('Spacing="', 'Spacing="0 '), R.UNREADABLE),
    ],
)
def test_a_vti_that_is_no_plain_volume(
    change: tuple[str, str], reason: VolumeReason, tmp_path: Path
) -> None:
    assert refused(vti(tmp_path, change=change)) is reason


def test_a_cut_or_damaged_vti_is_refused(tmp_path: Path) -> None:
    path = vti(tmp_path, compressed=True)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        assert refused(path) in (R.UNREADABLE, R.TRUNCATED)
    start = whole.index(b">_") + 30
    for place in range(start, len(whole) - 40, 37):
        spoilt = bytearray(whole)
        spoilt[place] ^= 32
        path.write_bytes(spoilt)
        assert refused(path) in (R.CHECKSUM, R.TRUNCATED, R.SIZE)


def test_a_vti_bomb_is_refused_before_it_inflates(tmp_path: Path) -> None:
    path = vti(tmp_path, compressed=True, change=("0 6", "0 32000"))
    content = path.read_bytes().replace(b"0 10 0 8 0 6", b"0 10 0 8 0 32000")
    path.write_bytes(content)
    assert refused(path) is R.TRUNCATED
    path.write_bytes(content.replace(b"0 10 0 8", b"0 9999 0 8"))
    assert refused(path) is R.TOO_LARGE
