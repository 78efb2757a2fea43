"""The bytes of a volume file, whole and bounded: nothing is inflated on a header's word alone."""

import gzip
import zipfile
import zlib
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from model.volumes.volume import VolumeError, VolumeReason

_UNSUSPICIOUS_BYTES = 64 << 20
_MAX_BYTES = 8 << 30
_MAX_INFLATED = 256 << 20
_PIECE_BYTES = 1 << 16
_MAX_RATIO = 100  # chest CT compresses to a half or a fifth

DEFLATED = b"1.2.840.10008.1.2.1.99"


def read_exactly(path: Path, stream: BinaryIO, count: int, *, compressed: bool) -> bytes:
    """The next `count` bytes, which must be the last of the stream.

    A gzip stream is drained to its end, so that its CRC-32 and length are checked (RFC 1952).
    Raises VolumeError TOO_LARGE before reading, TRUNCATED, SIZE or CHECKSUM.
    """
    check_claim(path, count, compressed=compressed)
    try:
        data = stream.read(count)
        rest = stream.read(1)
    except EOFError:
        raise VolumeError(VolumeReason.TRUNCATED, "the compressed data end too early") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error):
        raise VolumeError(
            VolumeReason.CHECKSUM, "the compressed data are damaged; fetch the file again"
        ) from None
    if len(data) < count:
        raise VolumeError(
            VolumeReason.TRUNCATED, f"{len(data)} bytes of voxels where {count} are promised"
        )
    if rest:
        raise VolumeError(VolumeReason.SIZE, "more bytes of voxels than the header promises")
    return data


def check_claim(path: Path, count: int, *, compressed: bool) -> None:
    """Refuse a header that promises more than its file can hold."""
    size = path.stat().st_size
    bound = max(_UNSUSPICIOUS_BYTES, _MAX_RATIO * size) if compressed else size
    if compressed and count > min(bound, _MAX_BYTES):
        raise VolumeError(
            VolumeReason.TOO_LARGE, f"{size} bytes of file cannot hold {count} bytes of scan"
        )
    if not compressed and count > bound:
        raise VolumeError(
            VolumeReason.TRUNCATED,
            f"{size} bytes of file where {count} bytes of voxels are promised",
        )


def open_stream(raw: BinaryIO, *, compressed: bool) -> BinaryIO:
    """The bytes from where `raw` stands, inflated on the way where they are gzip (or zlib)."""
    if not compressed:
        return raw
    start = raw.read(2)
    raw.seek(-len(start), 1)
    if start == b"\x1f\x8b":
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw, mode="rb"))
    return cast("BinaryIO", _ZlibStream(raw))


class _ZlibStream:
    """A zlib stream (RFC 1950), as MetaImage writes it; its Adler-32 is checked at the end."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._inflate = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        parts: list[bytes] = []
        wanted = count
        while wanted > 0 and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._raw.read(1 << 20)
            if not packed:
                raise EOFError
            parts.append(self._inflate.decompress(packed, wanted))
            wanted -= len(parts[-1])
        return b"".join(parts)


def is_gzip(path: Path) -> bool:
    """True when the file starts as gzip does, whatever its name."""
    with path.open("rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def digest_of(*paths: Path) -> str:
    """The SHA-256 of files' contents together, whatever their order."""
    digests = sorted(sha256(path.read_bytes()).digest() for path in paths)
    return sha256(b"".join(digests)).hexdigest()


def sibling(header: Path, name: str) -> Path:
    """The data file that a header names, only if it is a plain file in the same folder.

    Raises VolumeError EXTERNAL_DATA for a path, a link or an address, TRUNCATED when it is absent.
    """
    path = header.parent / name
    plain = name == path.name and name not in (".", "..") and "\0" not in name
    if not plain or path.is_symlink():
        raise VolumeError(
            VolumeReason.EXTERNAL_DATA, "the voxels must lie in a plain file beside the header"
        )
    if not path.is_file():
        raise VolumeError(
            VolumeReason.TRUNCATED, "the file with the voxels is not beside the header"
        )
    return path


def inflate_dicom(packed: bytes, max_bytes: int = _MAX_INFLATED) -> bytes | None:
    """The data set of a file in the deflated transfer syntax (PS3.5 A.5); None for another file.

    Raises VolumeError TOO_LARGE past `max_bytes`, or past 64 MiB and a hundredfold; TRUNCATED where
    the stream does not end.
    """
    if DEFLATED not in packed[:1024] or packed[128:132] != b"DICM":
        return None
    # (0002,0000) tells how long the meta header is that stays uncompressed.
    start = 144 + int.from_bytes(packed[140:144], "little")
    bound = min(max_bytes, max(_UNSUSPICIOUS_BYTES, _MAX_RATIO * len(packed)))
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    content = BytesIO()  # grows in place: one bytes object at the end would be a second copy
    for place in range(start, len(packed), _PIECE_BYTES):
        piece = packed[place : place + _PIECE_BYTES]
        while piece and not stream.eof:
            content.write(stream.decompress(piece, _PIECE_BYTES))
            piece = stream.unconsumed_tail
            if content.tell() > bound:
                raise VolumeError(
                    VolumeReason.TOO_LARGE, f"a deflated DICOM file inflates past {bound >> 20} MiB"
                )
    content.write(stream.flush())  # what the last piece's limit held back
    if not stream.eof:
        raise VolumeError(VolumeReason.TRUNCATED, "a deflated DICOM file ends too early")
    return content.getvalue()
