"""From a DICOM file's pixel data to HU, whatever the transfer syntax."""

import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array

from model.volumes.dicom_header import BIG_ENDIAN, PixelFormat, Slice, inflate
from model.volumes.volume import PADDING_HU, HuArray, VolumeError, VolumeReason

_JPEG = "1.2.840.10008.1.2.4."
_JPEG_BY_SIMPLEITK = {_JPEG + suffix for suffix in ("50", "51", "53", "55", "57", "70")}


class FileContent:
    """The bytes of one file, read once for its hash and for all of its frames."""

    def __init__(self, path: Path) -> None:
        packed = path.read_bytes()
        inflated = inflate(packed)
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
        if not 0 < pixels.bits_stored <= pixels.high_bit + 1 <= pixels.bits_allocated:
            raise VolumeError(VolumeReason.PIXEL_FORMAT, "BitsStored and HighBit contradict")
        if pixels.offset > 0:
            return _meaningful_bits(self._native(pixels, frame), pixels)
        values = self._decoded(pixels, frame)
        if values.shape != (pixels.rows, pixels.columns):
            raise VolumeError(VolumeReason.CODEC, "decoded pixels are not Rows x Columns")
        return (
            _meaningful_bits(values, pixels)
            if values.dtype.kind == "u"
            else values.astype(np.int32)
        )

    def _native(self, pixels: PixelFormat, frame: int) -> NDArray[np.unsignedinteger]:
        order = ">" if pixels.transfer_syntax == BIG_ENDIAN else "<"
        dtype = np.dtype(f"{order}u{pixels.bits_allocated // 8}")
        count = pixels.rows * pixels.columns
        if pixels.length < pixels.frames * count * dtype.itemsize:
            raise VolumeError(
                VolumeReason.TRUNCATED, "fewer pixels than Rows, Columns and frames promise"
            )
        start = pixels.offset + frame * count * dtype.itemsize
        flat = np.frombuffer(self.data, dtype, count, start)
        return flat.reshape(pixels.rows, pixels.columns)

    def _decoded(self, pixels: PixelFormat, frame: int) -> np.ndarray:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they quote values
                if pixels.transfer_syntax in _JPEG_BY_SIMPLEITK:
                    return _decode_jpeg(self.path, frame)
                return pixel_array(self.path, index=frame, raw=True)
        except VolumeError:
            raise
        except Exception:
            # A decoder's error text may quote the file; the reason is all that is told.
            raise VolumeError(
                VolumeReason.CODEC,
                f"pixel data of transfer syntax {pixels.transfer_syntax} cannot be decoded",
            ) from None


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


def _decode_jpeg(path: Path, frame: int) -> np.ndarray:
    """Decode the JPEG family with SimpleITK, from a copy that holds nothing but the pixels.

    The copy has slope 1 and intercept 0, since SimpleITK would apply them itself.
    """
    import SimpleITK as sitk  # noqa: N813 (the field's usual name; slow to import)

    source = pydicom.dcmread(path)
    bare = pydicom.Dataset()
    for element in source.group_dataset(0x0028):
        if element.tag not in (0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281054):
            bare.add(element)
    bare.PixelData = source.PixelData
    bare["PixelData"].VR = "OB"
    bare["PixelData"].is_undefined_length = True
    bare.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    bare.SOPInstanceUID = "2.25.1"
    bare.Modality = "OT"
    bare.file_meta = pydicom.dataset.FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID
    with tempfile.TemporaryDirectory(prefix="chestct-") as folder:
        copy = Path(folder) / "pixels.dcm"
        bare.save_as(copy, enforce_file_format=True)
        values: np.ndarray = sitk.GetArrayFromImage(sitk.ReadImage(str(copy)))
    return values[frame] if values.ndim == 3 else values


def to_hu(stored: NDArray[np.int32], plane: Slice) -> HuArray:
    """Stored values as HU (int16), with padding, and all below it, at -1024.

    Raises VolumeError HU_UNKNOWN when slope or intercept is missing, zero or not a number. The
    photometric interpretation does not matter: MONOCHROME1 changes the display, not the HU.
    """
    if plane.slope is None or plane.intercept is None or plane.slope == 0:
        raise VolumeError(
            VolumeReason.HU_UNKNOWN,
            "RescaleSlope or RescaleIntercept (0028,1052-1053) is missing, zero, or no number",
        )
    if plane.slope == 1 and plane.intercept == int(plane.intercept):
        hu = stored + np.int32(plane.intercept)
    else:
        hu = np.rint(stored * plane.slope + plane.intercept)
    np.clip(hu, PADDING_HU, 32767, out=hu)
    if plane.padding is not None:
        low, high = plane.padding
        hu[(stored >= low) & (stored <= high)] = PADDING_HU
    return hu.astype(np.int16)
