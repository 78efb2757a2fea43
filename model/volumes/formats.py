"""Volume files that are not DICOM: which they are, and the rules that hold for all of them."""

from pathlib import Path

import numpy as np

from configs.contracts import SYNTHETIC_NOTICE
from model.volumes import gipl, metaimage, nifti, npz, nrrd, vti
from model.volumes.blank import check_slices, clear_corners
from model.volumes.content import digest_of
from model.volumes.geometry import canonicalise
from model.volumes.neighbours import check_neighbours
from model.volumes.volume import (
    PADDING_HU,
    HuArray,
    Source,
    Volume,
    VolumeError,
    VolumeReason,
    plausible,
    spacing_of,
)
from model.volumes.voxels import Voxels

_READERS = {
    ".nii": nifti.read,
    ".nii.gz": nifti.read,
    ".nrrd": nrrd.read,
    ".nhdr": nrrd.read,
    ".mha": metaimage.read,
    ".mhd": metaimage.read,
    ".gipl": gipl.read,
    ".gipl.gz": gipl.read,
    ".vti": vti.read,
    ".npz": npz.read,
}
_DETACHED = {".nhdr", ".mhd"}


def is_volume_file(path: Path) -> bool:
    """True for a file whose name says that it is one of these formats."""
    return _suffix(path) is not None


def name_of(path: Path) -> str:
    """The file's name without its extension: the only identifier such a file has.

    >>> name_of(Path("scans/train_1_a_1.nii.gz"))
    'train_1_a_1'
    """
    return path.name[: -len(_suffix(path) or path.suffix)]


def _suffix(path: Path) -> str | None:
    name = path.name.lower()
    return max((suffix for suffix in _READERS if name.endswith(suffix)), key=len, default=None)


def fingerprint(path: Path) -> str:
    """The `source.sha256` of the volume in this file, without reading it as one."""
    return digest_of(*filter(None, (path, _data_file(path))))


def _data_file(path: Path) -> Path | None:
    return _READERS[_suffix(path) or ""](path).data_file if _suffix(path) in _DETACHED else None


def read_file(path: Path) -> Volume:
    """Read one volume file; raises VolumeError."""
    suffix = _suffix(path)
    assert suffix is not None
    voxels = _READERS[suffix](path)
    _check_affine(voxels)
    hu_kji, warnings = _to_hu(voxels)
    notes = check_slices(hu_kji) + check_neighbours(hu_kji)
    hu_zyx, affine, slice_axis = canonicalise(hu_kji, voxels.affine_lps)
    notes += clear_corners(hu_zyx)
    name = name_of(path)
    source = Source(
        format=suffix.lstrip(".").removesuffix(".gz"),
        shape=hu_kji.shape,
        affine_lps=voxels.affine_lps,
        sha256=digest_of(*filter(None, (path, voxels.data_file))),
        patient_id=name,
        accession=name,
        study_uid=name,
        instance_axis=slice_axis,
        synthetic=SYNTHETIC_NOTICE in voxels.note,
    )
    return Volume(hu_zyx, affine, name, source, voxels.warnings + warnings + notes)


def _check_affine(voxels: Voxels) -> None:
    """Refuse an affine that is no finite, orthogonal one with a spacing that a scanner makes."""
    axes = voxels.affine_lps[:3, :3]
    if not np.isfinite(voxels.affine_lps).all() or np.abs(voxels.affine_lps).max() > 1e5:
        raise VolumeError(VolumeReason.ORIENTATION, "the affine holds no usable numbers")
    if np.array_equal(np.abs(voxels.affine_lps), np.eye(4)):
        raise VolumeError(
            VolumeReason.ORIENTATION,
            "voxels of 1 mm at the origin of the axes are a default, no geometry; look for a "
            "corrected release of the files",
        )
    spacing = spacing_of(voxels.affine_lps)
    if not plausible(spacing):
        raise VolumeError(
            VolumeReason.SPACING, f"voxels of {spacing} mm (z, y, x); is the unit millimetres?"
        )
    unit = axes / np.linalg.norm(axes, axis=0)
    extent_mm = max(n * s for n, s in zip(voxels.values_kji.shape, spacing, strict=True))
    if np.abs(unit.T @ unit - np.eye(3)).max() * extent_mm > 1.0:
        raise VolumeError(VolumeReason.ORIENTATION, "the axes are sheared by more than 1 mm")


def _to_hu(voxels: Voxels) -> tuple[HuArray, tuple[str, ...]]:
    """Round to int16; what is no number, or below -1024, becomes padding."""
    values = voxels.values_kji
    warnings: tuple[str, ...] = ()
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        if count := int(bad.sum()):
            values = np.where(bad, PADDING_HU, values)
            warnings += (f"{count} voxels are no numbers; read as padding",)
        values = np.rint(values)
    if beyond := int((values > 32767).sum()):
        warnings += (f"{beyond} voxels above 32767 clipped",)
    return np.clip(values, PADDING_HU, 32767).astype(np.int16), warnings
