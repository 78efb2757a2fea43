"""Whole files of every kind that is read, and ways to damage them."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from model.volumes import Volume, VolumeError, read_volume
from tests.model.volumes.dicom_phantom import make_series, misplaced, save
from tests.model.volumes.encoded import deflated, jpeg_2000, jpeg_ls, one, run_lengths
from tests.model.volumes.phantom import affine_of, position_coded
from tests.model.volumes.plain_files import npz, placed, rad_array, vti

KINDS = (
    "series", "native", "deflated", "RLE", "JPEG 2000", "JPEG-LS",
    "nii.gz", "nii", "nrrd", "mha", "gipl", "npz", "vti",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A file to damage, and what is read: the file, or the series that it is a slice of."""

    file: Path
    read: Path


def target(kind: str, folder: Path) -> Target:
    """A whole file of a kind, in a folder of its own."""
    if kind == "series":
        read = save(make_series(), folder / "series")
        return Target(read / "im0007", read)
    file = _whole_file(kind, folder)
    return Target(file, file)


def _whole_file(kind: str, folder: Path) -> Path:
    encoders = {
        "native": None, "deflated": deflated, "RLE": run_lengths,
        "JPEG 2000": jpeg_2000, "JPEG-LS": jpeg_ls,
    }  # fmt: skip
    if kind in encoders:
        return save([one(encoders[kind])], folder / "dicom") / "im0000"
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "npz":
        return npz(folder, ct=rad_array()[:1])
    if kind == "vti":
        return vti(folder, mode="binary", encoding="base64", compressed=True)
    path = folder / f"x.{kind}"
    image = placed(position_coded((3, 8, 9), affine_of()))
    sitk.WriteImage(image, str(path), useCompression=kind != "nii")
    return path


def is_sound(kind: str, volume: Volume) -> bool:
    """What one damaged file may give: numbers that cannot be told from others, never a place.

    Within a series the other slices lie where they belong, by the phantom's HU.
    """
    affine = volume.affine_lps
    if volume.hu_zyx.dtype != np.int16 or not np.isfinite(affine).all():
        return False
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3 or np.linalg.det(axes) < 0:
        return False
    slices = len(volume.hu_zyx)
    return kind != "series" or misplaced(volume, 3.75) <= 1 / slices + 1e-9


def mutant(whole: bytes, dice: random.Random) -> bytes:
    content = bytearray(whole)
    for _ in range(dice.choice((1, 1, 2, 8))):
        place = dice.randrange(max(1, len(content) - 1))
        kind = dice.randrange(5) if len(content) > 1 else 3
        if kind == 0:
            content[place] ^= 1 << dice.randrange(8)
        elif kind == 1:
            content[place] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del content[place : place + dice.randrange(1, 32)]
        elif kind == 3:
            content[place:place] = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 16)))
        else:
            content = content[: max(1, place)]
    return bytes(content)


def flipped(whole: bytes, dice: random.Random) -> bytes:
    """One bit turned."""
    content = bytearray(whole)
    place = dice.randrange(len(whole) * 8)
    content[place // 8] ^= 1 << place % 8
    return bytes(content)


def is_caught(path: Path, right: Volume) -> bool:
    """A damaged file is refused, or reads as the whole one: a name or a time carry no data."""
    try:
        volume = read_volume(path)
    except VolumeError:
        return True
    same = volume.hu_zyx.tobytes() == right.hu_zyx.tobytes()
    return same and bool((volume.affine_lps == right.affine_lps).all())
