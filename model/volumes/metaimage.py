"""MetaImage files: .mha, and .mhd with its raw data beside it (https://itk.org/Wiki/MetaIO)."""

import re
from pathlib import Path

import numpy as np

from model.volumes.content import open_stream, read_exactly, sibling
from model.volumes.textheader import directions, numbers, set_once, sizes
from model.volumes.volume import Affine, VolumeError, VolumeReason
from model.volumes.voxels import Voxels

_MAX_HEADER_LINES = 200
_MODALITIES = {"", "CT", "OTHER", "UNKNOWN"}
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2",
    "MET_INT": "i4", "MET_UINT": "u4", "MET_LONG_LONG": "i8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip


def read(path: Path) -> Voxels:
    """Read .mha, or .mhd with a plain data file in the same folder; raises VolumeError."""
    with path.open("rb") as handle:
        fields: dict[str, str] = {}
        for _ in range(_MAX_HEADER_LINES):
            name, _, value = handle.readline(4096).decode("latin-1").partition("=")
            set_once(fields, name.strip().lower(), value.strip())
            if name.strip().lower() == "elementdatafile":
                break
        else:
            raise VolumeError(VolumeReason.UNREADABLE, "not a MetaImage header")
        (i, j, k), dtype = _layout(fields)
        compressed = _is_true(fields.get("compresseddata", ""))
        local = fields["elementdatafile"].upper() == "LOCAL"
        data_path = path if local else sibling(path, fields["elementdatafile"])
        stream = handle if local else data_path.open("rb")
        with stream:
            data = read_exactly(
                data_path,
                open_stream(stream, compressed=compressed),
                i * j * k * dtype.itemsize,
                compressed=compressed,
            )
    values = np.frombuffer(data, dtype).reshape(k, j, i)
    return Voxels(
        values, _affine(fields), (), fields.get("comment", ""), None if local else data_path
    )


def _layout(fields: dict[str, str]) -> tuple[tuple[int, int, int], np.dtype[np.generic]]:
    if fields.get("elementnumberofchannels", "1") != "1" or fields.get("ndims") != "3":
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "three dimensions of one number are expected")
    if fields.get("elementtype") not in _TYPES:
        raise VolumeError(VolumeReason.PIXEL_FORMAT, "ElementType: a real number is expected")
    if fields.get("headersize", "0") != "0" or not _is_true(fields.get("binarydata", "True")):
        raise VolumeError(VolumeReason.UNREADABLE, "HeaderSize and ASCII data are not supported")
    scale = [fields.get(f"elementtointensityfunction{name}") for name in ("slope", "offset")]
    if any(
        text and numbers(text, 1, "scale") != usual
        for text, usual in zip(scale, (1, 0), strict=True)
    ):
        raise VolumeError(VolumeReason.HU_UNKNOWN, "ElementToIntensityFunction is not supported")
    if fields.get("objecttype", "Image").lower() != "image":
        raise VolumeError(VolumeReason.UNREADABLE, "ObjectType: an image is expected")
    if fields.get("modality", "").upper().removeprefix("MET_MOD_") not in _MODALITIES:
        raise VolumeError(VolumeReason.MODALITY, "Modality: not computed tomography")
    if fields.get("distanceunits", "mm") not in ("mm", "?"):
        raise VolumeError(VolumeReason.SPACING, "DistanceUnits: mm is expected")
    orders = {
        _is_true(fields[name])
        for name in ("binarydatabyteordermsb", "elementbyteordermsb")
        if name in fields
    }
    if len(orders) > 1:
        raise VolumeError(VolumeReason.UNREADABLE, "two byte orders are stated")
    big = True in orders
    return sizes(fields.get("dimsize", ""), "DimSize"), np.dtype(
        (">" if big else "<") + _TYPES[fields["elementtype"]]
    )


def _affine(fields: dict[str, str]) -> Affine:
    """LPS, as ITK writes it; each row of TransformMatrix is the direction of one axis."""
    matrix = fields.get("transformmatrix", fields.get("rotation", fields.get("orientation")))
    origin = fields.get("offset", fields.get("position", fields.get("origin")))
    if matrix is None or origin is None:
        raise VolumeError(VolumeReason.ORIENTATION, "TransformMatrix or Offset is not stated")
    spacing = numbers(fields.get("elementspacing", ""), 3, "ElementSpacing")
    if not (spacing > 0).all():
        raise VolumeError(VolumeReason.SPACING, "ElementSpacing is zero or negative")
    axes = directions(matrix, "TransformMatrix").T
    stated = fields.get("anatomicalorientation", "").upper()
    if re.fullmatch("[RLAPIS]{3}", stated) and stated != _orientation_code(axes):
        raise VolumeError(
            VolumeReason.ORIENTATION, "AnatomicalOrientation contradicts TransformMatrix"
        )
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = numbers(origin, 3, "Offset")
    return affine


def _orientation_code(axes: np.ndarray) -> str:
    """Where each axis comes from, as ITK writes it: "RAI" runs to the left, back and head."""
    world = np.abs(axes).argmax(axis=0)
    return "".join(
        ("RL", "AP", "IS")[row][int(axes[row, column] < 0)] for column, row in enumerate(world)
    )


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "t")
