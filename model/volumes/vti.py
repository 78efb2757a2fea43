"""VTK's XML image files (.vti), one piece with one scalar a point.

The format: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html. VTK names no
patient axes: they are taken as LPS, as the readers built on ITK do, and a warning says so.
"""

import base64
import binascii
import math
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from model.volumes.content import check_claim
from model.volumes.textheader import directions, numbers
from model.volumes.volume import Affine, VolumeError, VolumeReason
from model.volumes.voxels import Voxels

_TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4",
    "Int64": "i8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip
_UNCOMPRESSED = ""
_ZLIB = "vtkZLibDataCompressor"
_MAX_BLOCKS = 1 << 20
_IDENTITY = "1 0 0 0 1 0 0 0 1"


def read(path: Path) -> Voxels:
    """Read .vti, its data inline or appended, as base64 or raw; raises VolumeError."""
    content = path.read_bytes()
    head, mark, appended = content.partition(b"<AppendedData")
    root = _parse(head + (b"</VTKFile>" if mark else b""))
    image, array = _image(root)
    shape, start = _extent(image)
    order = {"LittleEndian": "<", "BigEndian": ">"}.get(root.get("byte_order", ""))
    words = {"UInt32": "u4", "UInt64": "u8"}.get(root.get("header_type", "UInt32"))
    if order is None or words is None:
        raise VolumeError(VolumeReason.UNREADABLE, "byte_order or header_type is not known")
    dtype = np.dtype(order + _TYPES[array.get("type", "")])
    count = math.prod(shape) * dtype.itemsize
    check_claim(path, count, compressed=True)
    compressor = root.get("compressor", _UNCOMPRESSED)
    if compressor not in (_UNCOMPRESSED, _ZLIB):
        raise VolumeError(VolumeReason.CODEC, "compressor: none or zlib is expected")
    encoded = _Encoded(*_packed(array, appended), np.dtype(order + words))
    data = encoded.inflated(count) if compressor else encoded.plain()
    if len(data) != count:
        reason = VolumeReason.TRUNCATED if len(data) < count else VolumeReason.SIZE
        raise VolumeError(reason, f"{len(data)} bytes of voxels where {count} are promised")
    warning = "VTK states no patient axes; read as left, posterior, head"
    values = np.frombuffer(data, dtype).reshape(shape)
    return Voxels(values, _affine(image, start), (warning,))


def _parse(text: bytes) -> ET.Element:
    if b"<!" in text.replace(b"<!--", b""):
        raise VolumeError(VolumeReason.UNREADABLE, "an image file declares no XML entities")
    try:
        root = ET.fromstring(text)  # noqa: S314 (entities are refused above)
    except ET.ParseError:
        raise VolumeError(VolumeReason.UNREADABLE, "not an XML image file, or cut short") from None
    if root.tag != "VTKFile" or root.get("type") != "ImageData":
        raise VolumeError(VolumeReason.UNREADABLE, "not a VTK file of type ImageData")
    return root


def _image(root: ET.Element) -> tuple[ET.Element, ET.Element]:
    """The image and its one array of one number a point."""
    image = root.find("ImageData")
    pieces = [] if image is None else image.findall("Piece")
    arrays = pieces[0].findall("PointData/DataArray") if len(pieces) == 1 else []
    if image is None or len(arrays) != 1 or pieces[0].get("Extent") != image.get("WholeExtent"):
        raise VolumeError(
            VolumeReason.PIXEL_FORMAT, "one piece with one array of points is expected"
        )
    if arrays[0].get("NumberOfComponents", "1") != "1" or arrays[0].get("type") not in _TYPES:
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "one real number a point is expected")
    return image, arrays[0]


def _extent(image: ET.Element) -> tuple[tuple[int, int, int], np.ndarray]:
    """The sizes along k, j, i and the index (i, j, k) of the first point."""
    bounds = numbers(image.get("WholeExtent", ""), 6, "WholeExtent")
    start, sizes = bounds[::2], bounds[1::2] - bounds[::2] + 1
    if (bounds != np.rint(bounds)).any() or not ((sizes > 0) & (sizes <= 1 << 15)).all():
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "WholeExtent: sizes outside 1 to 32768")
    i, j, k = sizes.astype(int).tolist()
    return (k, j, i), start


def _packed(array: ET.Element, appended: bytes) -> tuple[bytes, bool]:
    """The bytes that start with the array's length, and whether they are base64."""
    where = array.get("format")
    if where == "binary":
        return "".join((array.text or "").split()).encode("ascii", "replace"), True
    offset = array.get("offset", "")
    tag, _, data = appended.partition(b">")
    _, underscore, data = data.partition(b"_")
    if where != "appended" or not underscore or not (offset.isascii() and offset.isdigit()):
        raise VolumeError(VolumeReason.CODEC, "format: binary or appended data are expected")
    return data[int(offset) :], b"base64" in tag


class _Encoded:
    """An array's bytes behind their lengths, which are `word`s (of the format's header_type)."""

    def __init__(self, packed: bytes, is_base64: bool, word: np.dtype[np.unsignedinteger]) -> None:
        self._packed, self._is_base64, self._word = packed, is_base64, word
        self._place = 0

    def plain(self) -> bytes:
        """The one length and the bytes after it, which are encoded together."""
        size = self._word.itemsize
        length = int(np.frombuffer(self._peek(size), self._word)[0])
        return self._take(size + length)[size:]

    def inflated(self, count: int) -> bytes:
        """Blocks: how many, their size, the last one's size, then each one's packed length."""
        size = self._word.itemsize
        blocks = int(np.frombuffer(self._peek(size), self._word)[0])
        if not 0 < blocks <= _MAX_BLOCKS:
            raise VolumeError(VolumeReason.UNREADABLE, "the number of blocks cannot be")
        lengths = np.frombuffer(self._take((3 + blocks) * size), self._word)[3:]
        packed = memoryview(self._take(int(lengths.sum(dtype=np.float64))))
        data, place = bytearray(), 0
        for length in lengths.tolist():
            stream = zlib.decompressobj()
            try:
                data += stream.decompress(packed[place : place + length], count + 1 - len(data))
            except (zlib.error, ValueError):
                raise VolumeError(VolumeReason.CHECKSUM, "a compressed block is damaged") from None
            if not stream.eof:
                reason = VolumeReason.SIZE if len(data) > count else VolumeReason.TRUNCATED
                raise VolumeError(reason, "a compressed block is not as long as the image")
            place += length
        return bytes(data)

    def _peek(self, count: int) -> bytes:
        place = self._place
        data = self._take(count)
        self._place = place
        return data

    def _take(self, count: int) -> bytes:
        """The next bytes; in base64 each run is encoded for itself."""
        coded = 4 * math.ceil(count / 3) if self._is_base64 else count
        part = self._packed[self._place : self._place + coded]
        if len(part) < coded:
            raise VolumeError(VolumeReason.TRUNCATED, "the data end too early")
        self._place += coded
        if not self._is_base64:
            return part
        try:
            return base64.b64decode(part, validate=True)[:count]
        except binascii.Error:
            raise VolumeError(VolumeReason.UNREADABLE, "the data are not base64") from None


def _affine(image: ET.Element, start: np.ndarray) -> Affine:
    spacing = numbers(image.get("Spacing", ""), 3, "Spacing")
    axes = directions(image.get("Direction", _IDENTITY), "Direction")
    if not (spacing > 0).all():
        raise VolumeError(VolumeReason.SPACING, "Spacing is zero or negative")
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = numbers(image.get("Origin", ""), 3, "Origin") + affine[:3, :3] @ start
    return affine
