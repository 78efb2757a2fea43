"""NRRD files, attached or with their data beside them.

The format: http://teem.sourceforge.net/nrrd/format.html
"""

import math
import re
from pathlib import Path

import numpy as np

from model.volumes.content import open_stream, read_exactly, sibling
from model.volumes.textheader import numbers, set_once, sizes
from model.volumes.volume import Affine, VolumeError, VolumeReason
from model.volumes.voxels import Voxels

_MAX_HEADER = 1 << 16
_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1",
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4",
    "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "int64": "i8", "int64_t": "i8", "float": "f4", "double": "f8",
}  # fmt: skip
_MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}
_TO_LPS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}


def read(path: Path) -> Voxels:
    """Read .nrrd, or .nhdr with a plain data file in the same folder; raises VolumeError."""
    with path.open("rb") as handle:
        fields, offset = _fields(handle.read(_MAX_HEADER))
        shape, dtype = _layout(fields)
        compressed = fields.get("encoding", "").lower() in ("gzip", "gz")
        if not compressed and fields.get("encoding", "").lower() != "raw":
            raise VolumeError(VolumeReason.CODEC, "encoding: raw or gzip is expected")
        if any(fields.get(name, "0") != "0" for name in ("line skip", "byte skip")):
            raise VolumeError(VolumeReason.UNREADABLE, "skipped lines or bytes are not supported")
        name = fields.get("data file") or fields.get("datafile")
        data_path = sibling(path, name) if name else path
        count = math.prod(shape) * dtype.itemsize
        stream = handle if data_path == path else data_path.open("rb")
        with stream:
            stream.seek(0 if name else offset)
            data = read_exactly(
                data_path, open_stream(stream, compressed=compressed), count, compressed=compressed
            )
    values = np.frombuffer(data, dtype).reshape(shape)
    return Voxels(values, _affine(fields), (), "", data_path if name else None)


def _fields(head: bytes) -> tuple[dict[str, str], int]:
    """The header's fields by lower-case name, and where attached data start."""
    if not head.startswith(b"NRRD000"):
        raise VolumeError(VolumeReason.UNREADABLE, "not an NRRD file")
    end = re.search(rb"\r?\n\r?\n", head)
    lines = head[: end.start() if end else None].decode("latin-1").splitlines()[1:]
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith("#") or ":=" in line:
            continue
        name, _, value = line.partition(":")
        set_once(fields, name.strip().lower(), value.strip())
    return fields, end.end() if end else len(head)


def _layout(fields: dict[str, str]) -> tuple[tuple[int, int, int], np.dtype[np.generic]]:
    i, j, k = sizes(fields.get("sizes", ""), "sizes")
    kinds = set(fields.get("kinds", "domain").lower().split())
    if fields.get("dimension", "3") != "3" or not kinds <= {"domain", "space", "???", "none"}:
        raise VolumeError(
            VolumeReason.PIXEL_FORMAT, "kinds: three dimensions of space are expected"
        )
    if any(name in fields for name in ("old min", "oldmin", "old max", "oldmax")):
        raise VolumeError(VolumeReason.HU_UNKNOWN, "old min and old max: the values are quantised")
    if _words(fields, "sample units") - {"hu", "hounsfield", "hounsfield units"}:
        raise VolumeError(VolumeReason.NOT_HU, "sample units: HU are expected")
    name = fields.get("type", "").lower()
    if name not in _TYPES:
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "type: a real number is expected")
    order = {"big": ">", "little": "<"}.get(fields.get("endian", "little").lower(), "")
    dtype = np.dtype(order + _TYPES[name])
    if dtype.itemsize > 1 and not (order and "endian" in fields):
        raise VolumeError(VolumeReason.UNREADABLE, "endian: big or little is expected")
    return (k, j, i), dtype


def _words(fields: dict[str, str], name: str) -> set[str]:
    """A field's values, in quotes as they should be or not."""
    text = fields.get(name, "").lower()
    return {word.strip() for word in re.findall(r'"([^"]*)"', text) or text.split()} - {""}


def _affine(fields: dict[str, str]) -> Affine:
    signs = _TO_LPS.get(fields.get("space", "").lower())
    if signs is None or "space directions" not in fields or "space origin" not in fields:
        raise VolumeError(
            VolumeReason.ORIENTATION, "space, space directions or space origin is not stated"
        )
    if (_words(fields, "space units") | _words(fields, "units")) - _MILLIMETRES:
        raise VolumeError(VolumeReason.SPACING, "space units: millimetres are expected")
    vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
    if len(vectors) != 3:
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "space directions: three are expected")
    affine = np.eye(4)
    for axis, vector in enumerate(vectors):
        affine[:3, axis] = numbers(vector, 3, "space directions")
    affine[:3, 3] = numbers(fields["space origin"].strip("()"), 3, "space origin")
    return np.diag([*signs, 1.0]) @ affine
