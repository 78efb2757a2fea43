"""From a DICOM file's pixel data to HU, whatever the transfer syntax."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.volumes.content import inflate_dicom
from model.volumes.decoder import decoder
from model.volumes.dicom_codecs import RLE, packed_frame
from model.volumes.dicom_header import BIG_ENDIAN, PixelFormat, Slice
from model.volumes.volume import PADDING_HU, HuArray, VolumeError, VolumeReason

_TISSUE_HU = (-950, 3071)
_DICOM_SYNTAXES = "1.2.840.10008.1.2"


class FileContent:
    """The bytes of one file, read once for its hash and for all of its frames."""

    def __init__(self, path: Path) -> None:
        packed = path.read_bytes()
        inflated = inflate_dicom(packed)
        self.path = path
        self.sha256 = sha256(packed).digest()
        self.data = packed if inflated is None else inflated

    def stored_values(self, pixels: PixelFormat, frame: int) -> NDArray[np.int32]:
        """The stored values (rows, columns) of a frame, garbage bits removed, sign applied.

        Raises VolumeError PIXEL_FORMAT, TRUNCATED or CODEC.
        """
        if pixels.samples != 1:
            raise VolumeError(VolumeReason.PIXEL_FORMAT, "colour images are not CT")
        if pixels.bits_allocated not in (8, 16, 32) or pixels.rows == 0 or pixels.columns == 0:
            raise VolumeError(
                VolumeReason.PIXEL_FORMAT, "Rows, Columns or BitsAllocated is missing or not usable"
            )
        if not pixels.sign_stated or not pixels.bits_stored:
            raise VolumeError(
                VolumeReason.PIXEL_FORMAT,
                "PixelRepresentation or BitsStored (0028,0101-0103) is missing",
            )
        if not pixels.encoded and not pixels.transfer_syntax.startswith(_DICOM_SYNTAXES):
            raise VolumeError(VolumeReason.CODEC, "the transfer syntax is not one of DICOM's")
        if not 0 < pixels.bits_stored <= pixels.high_bit + 1 <= pixels.bits_allocated:
            raise VolumeError(VolumeReason.PIXEL_FORMAT, "BitsStored and HighBit contradict")
        if pixels.encoded:
            values = decoder.decode(packed_frame(self.data, pixels, frame), pixels)
            _check_range(values, pixels)
        else:
            values = self._native(pixels, frame)
            _check_upper_bits(values, pixels)
        return _meaningful_bits(values, pixels)

    def _native(self, pixels: PixelFormat, frame: int) -> NDArray[np.unsignedinteger]:
        order = ">" if pixels.transfer_syntax == BIG_ENDIAN else "<"
        dtype = np.dtype(f"{order}u{pixels.bits_allocated // 8}")
        count = pixels.rows * pixels.columns
        if pixels.length < pixels.native_bytes:
            raise VolumeError(
                VolumeReason.TRUNCATED, "fewer pixels than Rows, Columns and frames promise"
            )
        if pixels.length > pixels.native_bytes + 1:  # one byte may make the length even
            raise VolumeError(
                VolumeReason.SIZE, "more pixels than Rows, Columns and frames promise"
            )
        start = pixels.offset + frame * count * dtype.itemsize
        flat = np.frombuffer(self.data, dtype, count, start)
        return flat.reshape(pixels.rows, pixels.columns)


def _check_range(values: np.ndarray, pixels: PixelFormat) -> None:
    """Refuse decoded values that BitsStored cannot hold: the stream and the header contradict.

    Run lengths are exempt: they carry native values, with whatever stands above the stored bits.
    """
    if values.dtype.itemsize == 1 and pixels.bits_stored > 8:
        raise VolumeError(
            VolumeReason.PIXEL_FORMAT, "8 bits were encoded where BitsStored (0028,0101) says more"
        )
    low, high = -(1 << (pixels.bits_stored - 1)), (1 << pixels.bits_stored) - 1
    if pixels.transfer_syntax != RLE and (values.min() < low or values.max() > high):
        raise VolumeError(
            VolumeReason.PIXEL_FORMAT, "decoded values do not fit BitsStored (0028,0101)"
        )


def _check_upper_bits(values: NDArray[np.unsignedinteger], pixels: PixelFormat) -> None:
    """Refuse values that BitsStored cannot hold.

    What stands above is no value where it is the same throughout, repeats the sign, or holds
    overlays: the oldest files do all of that.
    """
    if pixels.overlay_bits or pixels.high_bit + 1 >= pixels.bits_allocated:
        return
    above = values >> (pixels.high_bit + 1)
    if above.min() == above.max():
        return
    ones = (1 << (pixels.bits_allocated - pixels.high_bit - 1)) - 1
    sign = (values >> pixels.high_bit) & 1
    if pixels.signed and np.array_equal(above, sign * ones):
        return
    raise VolumeError(VolumeReason.PIXEL_FORMAT, "stored values do not fit BitsStored (0028,0101)")


def _meaningful_bits(values: np.ndarray, pixels: PixelFormat) -> NDArray[np.int32]:
    """Keep the stored bits alone, signed where the header says so (PS3.5 8.1.1)."""
    above = pixels.bits_allocated - 1 - pixels.high_bit
    unused = pixels.bits_allocated - pixels.bits_stored
    native = values.astype(f"u{pixels.bits_allocated // 8}", copy=False)
    if unused == 0 and not pixels.signed:
        return native.astype(np.int32)
    shifted = native << above if above else native
    if pixels.signed:
        shifted = shifted.view(f"i{pixels.bits_allocated // 8}")
    return (shifted >> unused if unused else shifted).astype(np.int32)


def is_padding(plane: Slice) -> bool:
    """Whether PixelPaddingValue can be believed: it must not name what tissue measures.

    Some files say 0 where 0 is water, or a range that holds all of lung.
    """
    if plane.padding is None or plane.slope is None or plane.intercept is None:
        return False
    low, high = (value * plane.slope + plane.intercept for value in plane.padding)
    return high <= _TISSUE_HU[0] or low >= _TISSUE_HU[1]


def to_hu(stored: NDArray[np.int32], plane: Slice) -> HuArray:
    """Stored values as HU (int16), with padding, and all below it, at -1024.

    Raises VolumeError HU_UNKNOWN when slope or intercept is missing, zero or not a number. The
    photometric interpretation does not matter: MONOCHROME1 changes the display, not the HU.
    """
    if plane.file.lookup_table:
        raise VolumeError(
            VolumeReason.HU_UNKNOWN, "a Modality LUT Sequence (0028,3000) is not supported"
        )
    if plane.slope is None or plane.intercept is None or plane.slope <= 0:
        raise VolumeError(
            VolumeReason.HU_UNKNOWN,
            "RescaleSlope or RescaleIntercept (0028,1052-1053) is missing, not above zero, or no "
            "number",
        )
    if plane.slope == 1 and plane.intercept == int(plane.intercept):
        hu = stored + np.int32(plane.intercept)
    else:
        hu = np.rint(stored * plane.slope + plane.intercept)
    np.clip(hu, PADDING_HU, 32767, out=hu)
    if plane.padding is not None and is_padding(plane):
        low, high = plane.padding
        hu[(stored >= low) & (stored <= high)] = PADDING_HU
    return hu.astype(np.int16)
