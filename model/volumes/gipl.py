"""GIPL files (Guys Image Processing Lab) as ITK reads and writes them: big-endian.

The fields of the header: ITK, Modules/IO/GIPL. It has no place for an orientation.
"""

import math
from pathlib import Path

import numpy as np

from model.volumes.content import is_gzip, open_stream, read_exactly
from model.volumes.volume import VolumeError, VolumeReason
from model.volumes.voxels import Voxels

_MAGIC = (719555000, 4026526128)
_TYPES = {7: "i1", 8: "u1", 15: "i2", 16: "u2", 31: "u4", 32: "i4", 64: "f4", 65: "f8"}
_HEADER = np.dtype(
    {
        "names": [
            "sizes",
            "type",
            "spacing",
            "note",
            "matrix",
            "origin",
            "offset",
            "scale",
            "magic",
        ],
        "formats": ["4>u2", ">u2", "4>f4", "S80", "20>f4", "4>f8", ">f4", ">f4", ">u4"],
        "offsets": [0, 8, 10, 26, 106, 204, 236, 240, 252],
        "itemsize": 256,
    }
)


def read(path: Path) -> Voxels:
    """Read .gipl, gzipped or not, on the axes that ITK gives it (LPS); raises VolumeError."""
    compressed = is_gzip(path)
    with path.open("rb") as raw, open_stream(raw, compressed=compressed) as stream:
        try:
            head = stream.read(_HEADER.itemsize)
        except (OSError, EOFError):
            raise VolumeError(VolumeReason.CHECKSUM, "the compressed data are damaged") from None
        if len(head) < _HEADER.itemsize:
            raise VolumeError(VolumeReason.UNREADABLE, "not a GIPL file")
        header = np.frombuffer(head, _HEADER)[0]
        shape, dtype = _layout(header)
        count = math.prod(shape) * dtype.itemsize
        data = read_exactly(path, stream, count, compressed=compressed)
    affine = np.diag([*header["spacing"][:3].astype(float), 1.0])
    affine[:3, 3] = header["origin"][:3]
    note = bytes(header["note"]).decode("latin-1")
    warning = "GIPL states no orientation; read as ITK does: left, posterior, head"
    return Voxels(np.frombuffer(data, dtype).reshape(shape), affine, (warning,), note)


def _layout(header: np.void) -> tuple[tuple[int, int, int], np.dtype[np.generic]]:
    if header["magic"] not in _MAGIC:
        raise VolumeError(VolumeReason.UNREADABLE, "not a GIPL file")
    i, j, k, volumes = (int(size) for size in header["sizes"])
    if volumes > 1 or not all(0 < size <= 1 << 15 for size in (i, j, k)):
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "three dimensions are expected")
    code = int(header["type"])
    if code not in _TYPES:
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "a real number a voxel is expected")
    if not (header["spacing"][:3] > 0).all():
        raise VolumeError(VolumeReason.SPACING, "the spacing is missing or not positive")
    # Some programs hide axes or a rescaling here, which ITK drops without a word.
    if np.nan_to_num(header["matrix"], nan=1.0).any():
        raise VolumeError(VolumeReason.ORIENTATION, "the header holds a matrix that readers ignore")
    if header["offset"] != 0 or header["scale"] not in (0, 1):
        raise VolumeError(VolumeReason.HU_UNKNOWN, "the header holds a scale that readers ignore")
    return (k, j, i), np.dtype(">" + _TYPES[code])
