"""NIfTI-1 and NIfTI-2 files, read strictly: where common readers guess or disagree, it is refused.

The format: https://nifti.nimh.nih.gov/nifti-1 (fields named as there).
"""

import math
import zlib
from pathlib import Path

import numpy as np

from model.volumes.content import is_gzip, open_stream, read_exactly
from model.volumes.volume import Affine, VolumeError, VolumeReason
from model.volumes.voxels import Voxels

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
    256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_CORNER_MM = 1.0
_PLAIN_INTENTS = (0, 1001, 1011)  # none, estimate, dimensionless
_HEADER_1 = np.dtype(
    {
        "names": ["dim", "intent", "datatype", "bitpix", "pixdim", "vox_offset", "scl_slope",
                  "scl_inter", "xyzt_units", "descrip", "qform_code", "sform_code", "quatern",
                  "qoffset", "srow", "magic"],
        "formats": ["8i2", "i2", "i2", "i2", "8f4", "f4", "f4", "f4",
                    "u1", "S80", "i2", "i2", "3f4", "3f4",
                    "(3,4)f4", "S4"],
        "offsets": [40, 68, 70, 72, 76, 108, 112, 116, 123, 148, 252, 254, 256, 268, 280, 344],
        "itemsize": 348,
    }
)  # fmt: skip
_HEADER_2 = np.dtype(
    {
        "names": ["magic", "datatype", "bitpix", "dim", "pixdim", "vox_offset", "scl_slope",
                  "scl_inter", "descrip", "qform_code", "sform_code", "quatern", "qoffset",
                  "srow", "xyzt_units", "intent"],
        "formats": ["S4", "i2", "i2", "8i8", "8f8", "i8", "f8",
                    "f8", "S80", "i4", "i4", "3f8", "3f8",
                    "(3,4)f8", "i4", "i4"],
        "offsets": [4, 12, 14, 16, 104, 168, 176, 184, 240, 344, 348, 352, 376, 400, 500, 504],
        "itemsize": 540,
    }
)  # fmt: skip


def read(path: Path) -> Voxels:
    """Read a NIfTI file, gzipped or not (by content, not by name); raises VolumeError."""
    compressed = is_gzip(path)
    twin = path.with_name(path.name[:-3]) if path.name.lower().endswith(".nii.gz") else None
    warnings = ("a file of the same name without .gz lies beside it, unread",) * bool(
        twin and twin.exists()
    )
    with path.open("rb") as raw, open_stream(raw, compressed=compressed) as stream:
        try:
            head = stream.read(348)
            head += (
                stream.read(540 - 348) if head[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else b""
            )
        except (OSError, EOFError, zlib.error):
            raise VolumeError(VolumeReason.CHECKSUM, "the compressed data are damaged") from None
        header = _parse(head)
        shape, dtype = _layout(header)
        skip = _skip(float(header["vox_offset"]), len(head))
        count = math.prod(shape) * dtype.itemsize
        data = read_exactly(path, stream, skip + count, compressed=compressed)
    values = np.frombuffer(data, dtype, offset=skip).reshape(shape)
    affine, notes = _affine(header, shape)
    values = _scaled(values, float(header["scl_slope"]), float(header["scl_inter"]))
    note = bytes(header["descrip"]).decode("latin-1")
    return Voxels(values, _RAS_TO_LPS @ affine, warnings + notes, note)


def _skip(offset: float, read: int) -> int:
    """How many bytes lie between the header and the voxels."""
    if not (offset.is_integer() and read <= offset <= read + (1 << 20)):  # NaN is no integer
        raise VolumeError(VolumeReason.UNREADABLE, "vox_offset is no place behind the header")
    return int(offset) - read


def _parse(head: bytes) -> np.void:
    for layout in (_HEADER_1, _HEADER_2):
        for stored in (layout.newbyteorder("<"), layout.newbyteorder(">")):
            order = stored["dim"].base.byteorder.replace("=", "<")
            size = np.frombuffer(head, f"{order}i4", 1)[0] if len(head) >= 4 else 0
            if size == layout.itemsize == len(head):
                header: np.void = np.frombuffer(head, stored, 1)[0]
                if header["magic"] in (b"n+1", b"n+2"):
                    return header
    raise VolumeError(VolumeReason.UNREADABLE, "not a single-file NIfTI (magic n+1 or n+2)")


def _layout(header: np.void) -> tuple[tuple[int, int, int], np.dtype[np.generic]]:
    dim = [int(size) for size in header["dim"]]
    if not 3 <= dim[0] <= 7 or any(size > 1 for size in dim[4 : dim[0] + 1]):
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "dim: three dimensions are expected")
    if not all(0 < size <= 1 << 15 for size in dim[1:4]):
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "dim: sizes outside 1 to 32768")
    if header["intent"] not in _PLAIN_INTENTS:
        raise VolumeError(VolumeReason.DERIVED, "intent_code: labels, vectors or statistics")
    code = int(header["datatype"])
    if code not in _TYPES:
        raise VolumeError(
            VolumeReason.PIXEL_FORMAT, f"datatype {code} is not a real number a voxel"
        )
    dtype = np.dtype(_TYPES[code]).newbyteorder(header.dtype["dim"].base.byteorder)
    if int(header["bitpix"]) != dtype.itemsize * 8:
        raise VolumeError(VolumeReason.UNREADABLE, "bitpix contradicts datatype")
    return (dim[3], dim[2], dim[1]), dtype


def _scaled(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Apply scl_slope and scl_inter; 0 and NaN slopes mean "unscaled" only without an intercept."""
    if math.isnan(slope) or slope == 0:
        if math.isnan(intercept) or intercept == 0:
            return values
        raise VolumeError(
            VolumeReason.HU_UNKNOWN,
            "scl_slope says unscaled but scl_inter is set: readers disagree",
        )
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise VolumeError(VolumeReason.HU_UNKNOWN, "scl_slope or scl_inter is no finite number")
    if slope < 0:
        raise VolumeError(VolumeReason.HU_UNKNOWN, "scl_slope is negative: it would turn HU over")
    if (slope, intercept) == (1.0, 0.0):
        return values
    return values * np.float64(slope) + intercept


def _affine(header: np.void, shape: tuple[int, int, int]) -> tuple[Affine, tuple[str, ...]]:
    """The RAS affine in mm that sform and qform agree on."""
    unit = int(header["xyzt_units"]) & 7
    if unit not in _UNIT_MM:
        raise VolumeError(VolumeReason.SPACING, "xyzt_units names no unit of length")
    stated = header["sform_code"] > 0 and header["srow"].any()  # all 0 is no matrix
    sform = _sform(header) if stated else None
    qform = _qform(header) if header["qform_code"] > 0 else None
    if sform is None and qform is None:
        raise VolumeError(
            VolumeReason.ORIENTATION, "qform_code and sform_code are 0: no orientation is stated"
        )
    if sform is not None and qform is not None:
        corners = np.array(
            [[i, j, k, 1] for i in (0, shape[2]) for j in (0, shape[1]) for k in (0, shape[0])]
        )
        with np.errstate(invalid="ignore", over="ignore"):  # no numbers are not near either
            apart = np.linalg.norm(corners @ (sform - qform).T, axis=1).max() * _UNIT_MM[unit]
        if not apart <= _CORNER_MM:
            raise VolumeError(
                VolumeReason.ORIENTATION, "qform and sform place a corner more than 1 mm apart"
            )
    affine = sform if sform is not None else qform
    assert affine is not None
    affine = np.diag([_UNIT_MM[unit]] * 3 + [1.0]) @ affine
    pixdim = np.array(header["pixdim"][1:4], float) * _UNIT_MM[unit]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if qform is None and not np.allclose(np.abs(pixdim), spacing, rtol=0.01):
        if pixdim.any():
            raise VolumeError(VolumeReason.SPACING, "pixdim contradicts sform")
        return affine, ("pixdim is 0; the spacing is that of sform",)
    return affine, ()


def _sform(header: np.void) -> Affine:
    affine = np.eye(4)
    affine[:3] = header["srow"]
    return affine


def _qform(header: np.void) -> Affine:
    """Method 2 of the NIfTI standard: a unit quaternion, the pixdims, and qfac."""
    b, c, d = (float(part) for part in header["quatern"])
    length = b * b + c * c + d * d
    if not length <= 1.001:
        raise VolumeError(VolumeReason.ORIENTATION, "the quaternion of qform is longer than 1")
    a = math.sqrt(max(0.0, 1.0 - length))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    pixdim = np.array(header["pixdim"], float)
    if not (pixdim[1:4] > 0).all():
        raise VolumeError(VolumeReason.SPACING, "qform is set but pixdim is zero or negative")
    affine = np.eye(4)
    affine[:3, :3] = rotation * pixdim[1:4]
    if pixdim[0] < 0:
        affine[:3, 2] *= -1
    affine[:3, 3] = header["qoffset"]
    return affine
