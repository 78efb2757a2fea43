"""Small position-coded files that no library at hand writes: RAD-ChestCT's .npz, and .vti."""

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from tests.model.volumes.phantom import affine_of, position_coded

SHAPE = (7, 9, 11)
AFFINE = affine_of()
HU = position_coded(SHAPE, AFFINE)


def placed(hu_zyx: np.ndarray) -> sitk.Image:
    """An image with a spacing and an origin, as a scanner's has."""
    image = sitk.GetImageFromArray(hu_zyx)
    image.SetSpacing(AFFINE.diagonal()[:3].tolist())
    image.SetOrigin(AFFINE[:3, 3].tolist())
    return image


def rad_array(width: int = 250) -> np.ndarray:
    """HU by position, as RAD-ChestCT lays it out: the first slice is the highest."""
    affine = np.diag([0.8, 0.8, 0.8, 1.0])
    affine[2, 3] = -2 * 0.8
    return position_coded((3, width, width), affine)[::-1]


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(folder / "trn00001.npz", **arrays)
    return folder / "trn00001.npz"


def vti(
    folder: Path,
    *,
    mode: str = "appended",
    encoding: str = "raw",
    compressed: bool = False,
    word: str = "UInt32",
    change: tuple[str, str] = ("", ""),
) -> Path:
    """As vtkXMLImageDataWriter writes it (checked against VTK 9.7 in all these variants)."""
    k, j, i = SHAPE
    extent = f"0 {i - 1} 0 {j - 1} 0 {k - 1}"
    spacing = " ".join(map(str, AFFINE.diagonal()[:3]))
    origin = " ".join(map(str, AFFINE[:3, 3]))
    integer = "<" + {"UInt32": "I", "UInt64": "Q"}[word]
    raw = HU.astype("<i2").tobytes()
    if compressed:
        blocks = [zlib.compress(raw[:1000]), zlib.compress(raw[1000:])]
        numbers = [2, 1000, len(raw) - 1000, *map(len, blocks)]
        runs = [b"".join(struct.pack(integer, number) for number in numbers), b"".join(blocks)]
    else:
        runs = [struct.pack(integer, len(raw)) + raw]
    coded = b"".join(runs if encoding == "raw" else map(base64.b64encode, runs))
    inline = mode == "binary"
    head = (
        f'<?xml version="1.0"?>\n<VTKFile type="ImageData" version="0.1" '
        f'byte_order="LittleEndian" header_type="{word}"'
        + (' compressor="vtkZLibDataCompressor"' if compressed else "")
        + f'><ImageData WholeExtent="{extent}" Origin="{origin}" Spacing="{spacing}" '
        f'Direction="1 0 0 0 1 0 0 0 1"><Piece Extent="{extent}"><PointData Scalars="HU">'
        f'<DataArray type="Int16" Name="HU" format="{mode}" offset="0">'
        + (coded.decode() if inline else "")
        + "</DataArray></PointData><CellData></CellData></Piece></ImageData>"
    )
    tail = b"" if inline else f'<AppendedData encoding="{encoding}">_'.encode() + coded
    tail += b"" if inline else b"</AppendedData>"
    assert change[0] in head
    path = folder / "x.vti"
    path.write_bytes(head.replace(*change, 1).encode() + tail + b"</VTKFile>")
    return path
