"""NumPy archives in the layout of RAD-ChestCT, the one .npz whose geometry is known.

RAD-ChestCT (Draelos et al., Medical Image Analysis 2021) keeps one int16 array `ct` of HU with axes
(head to feet, front to back, right to left), resampled to 0.8 mm. The file says none of that, so
anything that is not laid out so is refused.
"""

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np

from model.volumes.content import check_claim, read_exactly
from model.volumes.volume import Affine, VolumeError, VolumeReason
from model.volumes.voxels import Voxels

_MEMBER = "ct.npy"
_SPACING_MM = 0.8
_FIELD_OF_VIEW_MM = (200.0, 800.0)
_MAX_HEADER = 4096


def read(path: Path) -> Voxels:
    """Read a RAD-ChestCT volume; nothing in it is ever unpickled. Raises VolumeError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.namelist() != [_MEMBER]:
                raise VolumeError(
                    VolumeReason.PIXEL_FORMAT,
                    "an .npz must hold RAD-ChestCT's one array 'ct'; no other has a known spacing",
                )
            check_claim(path, archive.getinfo(_MEMBER).file_size, compressed=True)
            with archive.open(_MEMBER) as stream:
                values = _read_array(path, stream)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError):
        raise VolumeError(
            VolumeReason.CHECKSUM, "the archive is damaged or no .npz; fetch the file again"
        ) from None
    except (NotImplementedError, RuntimeError):  # another compression; a password
        raise VolumeError(VolumeReason.CODEC, "the archive's compression is not known") from None
    warning = "spacing 0.8 mm and slices from head to feet assumed, as in RAD-ChestCT"
    return Voxels(values, _affine(), (warning,))


def _read_array(path: Path, stream: IO[bytes]) -> np.ndarray:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, by_column, dtype = read_header(stream, max_header_size=_MAX_HEADER)
    except (zipfile.BadZipFile, zlib.error):
        raise
    except Exception:  # whatever NumPy's header parser meets in a damaged file
        raise VolumeError(VolumeReason.UNREADABLE, "the array's header cannot be read") from None
    if dtype.kind != "i" or dtype.itemsize != 2 or by_column or len(shape) != 3:
        raise VolumeError(
            VolumeReason.PIXEL_FORMAT, "three dimensions of int16 in row order are expected"
        )
    if not all(0 < size <= 1 << 15 for size in shape):
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "sizes outside 1 to 32768")
    low, high = _FIELD_OF_VIEW_MM
    if shape[1] != shape[2] or not low <= shape[1] * _SPACING_MM <= high:
        raise VolumeError(
            VolumeReason.SPACING,
            "slices must be square and 20 to 80 cm wide at 0.8 mm; was the volume resized?",
        )
    count = math.prod(shape) * dtype.itemsize
    data = read_exactly(path, cast("BinaryIO", stream), count, compressed=True)
    return np.frombuffer(data, dtype).reshape(shape)


def _affine() -> Affine:
    return np.diag([_SPACING_MM, _SPACING_MM, -_SPACING_MM, 1.0])
