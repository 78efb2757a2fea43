"""Encapsulated pixel data, one frame at a time (PS3.5 A.4): sizes are checked before decoding."""

import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, RLELossless

from model.volumes.dicom_header import PixelFormat
from model.volumes.volume import VolumeError, VolumeReason

_MAX_PIXELS = 4096 * 4096
_RLE_MAX_RATIO = 64  # two bytes stand for at most 128
_BASE = "1.2.840.10008.1.2.4."
RLE = "1.2.840.10008.1.2.5"
_JPEG_2000 = {_BASE + suffix for suffix in ("90", "91", "201", "202", "203")}
_JPEG_LS = {_BASE + suffix for suffix in ("80", "81")}
_JPEG = {_BASE + suffix for suffix in ("50", "51", "53", "55", "57", "70")}


def packed_frame(data: bytes, pixels: PixelFormat, frame: int) -> bytes:
    """The encoded bytes of one frame of a file; raises VolumeError TOO_LARGE or CODEC."""
    if pixels.rows * pixels.columns > _MAX_PIXELS:
        raise VolumeError(VolumeReason.TOO_LARGE, "a frame of more than 4096 x 4096 pixels")
    stream = BytesIO(data)
    stream.seek(pixels.offset)
    try:
        return get_frame(stream, frame, number_of_frames=pixels.frames)
    except Exception:
        raise _cannot(pixels) from None  # the library's text may quote the file


def decode_packed(packed: bytes, pixels: PixelFormat) -> np.ndarray:
    """The stored values (rows, columns) of one encoded frame; raises VolumeError."""
    try:
        values = _decode(packed, pixels)
    except VolumeError:
        raise
    except Exception:
        raise _cannot(pixels) from None  # the decoder's text may quote the file
    if values.shape != (pixels.rows, pixels.columns):
        raise _cannot(pixels)
    return values


def _cannot(pixels: PixelFormat) -> VolumeError:
    return VolumeError(
        VolumeReason.CODEC,
        f"pixel data of transfer syntax {pixels.transfer_syntax} cannot be decoded",
    )


def _decode(packed: bytes, pixels: PixelFormat) -> np.ndarray:
    syntax = pixels.transfer_syntax
    if syntax == RLE:
        return _decode_rle(packed, pixels)
    if syntax in _JPEG_2000:
        from openjpeg.utils import decode, get_parameters

        size = get_parameters(packed)
        _expect(pixels, size["rows"], size["columns"], size["samples_per_pixel"])
        if pixels.signed and not size["is_signed"] and int(size["precision"]) < pixels.bits_stored:
            raise VolumeError(VolumeReason.CODEC, "the encoded image says nothing of its signs")
        return np.asarray(decode(packed))
    if syntax in _JPEG_LS:
        import jpeg_ls  # type: ignore[import-untyped]  # has no type information

        _expect(pixels, *_jpeg_size(packed))
        return np.asarray(jpeg_ls.decode(np.frombuffer(packed, np.uint8)))
    if syntax in _JPEG:
        _expect(pixels, *_jpeg_size(packed))
        return _decode_jpeg(packed, pixels)
    raise _cannot(pixels)


def _expect(pixels: PixelFormat, rows: object, columns: object, samples: object) -> None:
    if (rows, columns, samples) != (pixels.rows, pixels.columns, 1):
        raise VolumeError(VolumeReason.CODEC, "the encoded image is not Rows x Columns")


def _jpeg_size(packed: bytes) -> tuple[int, int, int]:
    """Rows, columns and components that a JPEG or JPEG-LS stream's frame header states."""
    place = 2
    while packed[place : place + 1] == b"\xff":
        marker = packed[place + 1]
        length = int.from_bytes(packed[place + 2 : place + 4], "big")
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows = int.from_bytes(packed[place + 5 : place + 7], "big")
            columns = int.from_bytes(packed[place + 7 : place + 9], "big")
            return rows, columns, packed[place + 9]
        place += 2 + length
    raise ValueError("no frame header")


def _decode_rle(packed: bytes, pixels: PixelFormat) -> np.ndarray:
    size = pixels.rows * pixels.columns * pixels.bits_allocated // 8
    if size > _RLE_MAX_RATIO * len(packed):
        raise VolumeError(VolumeReason.TOO_LARGE, "fewer bytes than the image could come from")
    options: dict[str, Any] = {
        "rows": pixels.rows,
        "columns": pixels.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": pixels.bits_allocated,
        "bits_stored": pixels.bits_stored,
        "pixel_representation": int(pixels.signed),
        "pixel_keyword": "PixelData",
    }
    decoder = get_decoder(RLELossless)
    array, _ = decoder.as_array(encapsulate([packed], has_bot=False), raw=True, **options)
    return np.asarray(array)


def _decode_jpeg(packed: bytes, pixels: PixelFormat) -> np.ndarray:
    """Decode the JPEG family with SimpleITK, from a file that holds nothing but the frame."""
    import SimpleITK as sitk  # noqa: N813 (the field's usual name)

    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "2.25.1"
    image.Modality = "OT"
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns = pixels.rows, pixels.columns
    image.BitsAllocated, image.BitsStored = pixels.bits_allocated, pixels.bits_stored
    image.HighBit, image.PixelRepresentation = pixels.high_bit, int(pixels.signed)
    image.PixelData = encapsulate([packed], has_bot=False)
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = UID(pixels.transfer_syntax)
    with tempfile.TemporaryDirectory(prefix="chestct-") as folder:
        path = Path(folder) / "frame.dcm"
        image.save_as(path, enforce_file_format=True)
        values: np.ndarray = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    return values[0] if values.ndim == 3 else values
