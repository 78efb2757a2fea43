"""One small DICOM file in each encoding that has a decoder of its own."""

from collections.abc import Callable

import numpy as np
import openjpeg
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.model.volumes.dicom_phantom import Plan, make_series, stored_of


def one(change: Callable[[Dataset], object] | None = None) -> Dataset:
    ds = make_series(Plan(slices=1))[0]
    if change:
        change(ds)
    return ds


def jpeg_2000(ds: Dataset) -> None:
    packed = openjpeg.encode(stored_of(ds).astype(np.uint16), codec_format=0)
    ds.PixelData = encapsulate([packed])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless


def jpeg_ls(ds: Dataset) -> None:
    ds.compress(JPEGLSLossless, generate_instance_uid=False)


def run_lengths(ds: Dataset) -> None:
    ds.compress(RLELossless, generate_instance_uid=False)


def deflated(ds: Dataset) -> None:
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
