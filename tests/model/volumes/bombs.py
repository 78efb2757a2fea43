"""Small files that would fill memory: by what a header claims, or by what inflates."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from tests.model.volumes.dicom_phantom import save
from tests.model.volumes.encoded import deflated, jpeg_2000, one, run_lengths


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
    import nibabel

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
