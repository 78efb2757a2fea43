"""From the planes of a DICOM series to volumes: what belongs together, in which order, in HU."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from model.volumes.blank import check_slices, clear_corners
from model.volumes.dicom_grouping import group_planes
from model.volumes.dicom_header import Slice
from model.volumes.dicom_pixels import FileContent, is_padding, to_hu
from model.volumes.geometry import Stack, canonicalise, stack_slices, straighten
from model.volumes.neighbours import check_neighbours
from model.volumes.scope import LeftOut, is_reformat, scope_of
from model.volumes.uneven import slices_at
from model.volumes.volume import (
    PADDING_HU,
    Affine,
    HuArray,
    Source,
    Volume,
    VolumeError,
    VolumeReason,
    plausible,
    spacing_of,
)

MAX_VOXELS = 1 << 31
_LEAST_SPAN_HU = 1000
_MAX_OVERLAP = 4.0
_MAX_FIELD_ERROR = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Planes of one series that make one volume, in rising order along their normal."""

    planes: tuple[Slice, ...] = field(repr=False)
    stack: Stack = field(repr=False)
    warnings: tuple[str, ...]


def parts_of(planes: list[Slice]) -> tuple[list[Part], list[VolumeError], Counter[LeftOut]]:
    """The volumes that one series holds, the refusals, and what was left out."""
    left_out: Counter[LeftOut] = Counter()
    usable: list[Slice] = []
    derived: list[Slice] = []
    for plane in planes:
        scope = scope_of(plane)
        if isinstance(scope, LeftOut):
            left_out[scope] += 1
        elif scope is VolumeReason.DERIVED:
            derived.append(plane)
        elif scope is not None:
            return [], [VolumeError(scope, _SCOPE_MESSAGES[scope])], left_out
        else:
            usable.append(plane)
    if derived and len(usable) <= len(derived):
        reason = VolumeReason.DERIVED
        return [], [VolumeError(reason, _SCOPE_MESSAGES[reason])], left_out
    if derived:
        left_out[LeftOut.DERIVED] += len(derived)
    originals = [plane for plane in usable if not is_reformat(plane)]
    if originals and len(originals) < len(usable):
        left_out[LeftOut.REFORMAT] += len(usable) - len(originals)
        usable = originals
    if not usable:
        return [], [], left_out
    try:
        _check_identity(usable)
        groups, warnings = group_planes(usable)
    except VolumeError as error:
        return [], [error], left_out
    parts, refused = [], []
    for group in groups:
        try:
            parts.append(_part(group, warnings))
        except VolumeError as error:
            refused.append(error)
    return parts, refused, left_out


_SCOPE_MESSAGES = {
    VolumeReason.MODALITY: "the series is not computed tomography",
    VolumeReason.DERIVED: "a projection, map, virtual or colour image, not the scan itself",
    VolumeReason.NOT_HU: "RescaleType (0028,1054) says that values are not HU",
}


def _check_identity(planes: list[Slice]) -> None:
    if len({plane.file.identity for plane in planes}) > 1:
        raise VolumeError(
            VolumeReason.IDENTITY, "images of several patients or studies under one series UID"
        )
    if len({plane.file.frame_of_reference for plane in planes} - {""}) > 1:
        raise VolumeError(
            VolumeReason.FRAME_OF_REFERENCE, "several frames of reference under one series UID"
        )
    if missing := sum(plane.position is None for plane in planes):
        raise VolumeError(
            VolumeReason.POSITION,
            f"ImagePositionPatient (0020,0032) is missing or no number in {missing} of "
            f"{len(planes)} images",
        )
    if missing := sum(plane.orientation is None for plane in planes):
        raise VolumeError(
            VolumeReason.ORIENTATION,
            f"ImageOrientationPatient (0020,0037) is missing or no number in {missing} of "
            f"{len(planes)} images",
        )


def _part(planes: list[Slice], warnings: tuple[str, ...]) -> Part:
    first = planes[0]
    pixels = first.file.pixels
    if len({(plane.file.pixels.rows, plane.file.pixels.columns) for plane in planes}) > 1:
        raise VolumeError(VolumeReason.MATRIX, "rows or columns differ between slices")
    if any(plane.file.pixels.length < plane.file.pixels.native_bytes for plane in planes):
        raise VolumeError(
            VolumeReason.TRUNCATED, "fewer pixels than Rows, Columns and frames promise"
        )
    if any(0 < span < _LEAST_SPAN_HU for span in map(_span_hu, planes)):
        raise VolumeError(
            VolumeReason.NOT_HU, "slope and BitsStored span fewer than 1,000 HU: a windowed copy?"
        )
    spacings = {plane.pixel_spacing for plane in planes}
    spacing = first.pixel_spacing
    if spacing is None or None in spacings or not plausible(spacing):
        raise VolumeError(
            VolumeReason.SPACING, "PixelSpacing (0028,0030) is missing or no plausible number of mm"
        )
    if any(not np.allclose(spacing, other, rtol=1e-3) for other in spacings if other):
        raise VolumeError(VolumeReason.SPACING, "PixelSpacing (0028,0030) differs between slices")
    assert first.orientation is not None
    orientations = np.array([plane.orientation for plane in planes])
    reach_mm = max(pixels.rows * spacing[0], pixels.columns * spacing[1])
    if np.ptp(orientations, axis=0).max() * reach_mm > 1.0:
        raise VolumeError(
            VolumeReason.ORIENTATION, "the orientation of slices differs by more than 1 mm"
        )
    stack = stack_slices(
        np.array([plane.position for plane in planes]),
        first.orientation,
        (spacing[0], spacing[1]),
        first.stated_step or first.thickness,
    )
    if stack.slices * pixels.rows * pixels.columns > MAX_VOXELS:
        raise VolumeError(VolumeReason.TOO_LARGE, "the series holds more than 2 billion voxels")
    if not plausible(spacing_of(stack.affine_lps)):
        raise VolumeError(VolumeReason.SPACING, "the step between slices is no plausible one")
    warnings += _doubts(first, spacing_of(stack.affine_lps)[0])
    if any(plane.padding and not is_padding(plane) for plane in planes):
        warnings += ("PixelPaddingValue names what tissue measures; not taken for padding",)
    ordered = tuple(planes[index] for index in stack.order)
    return Part(ordered, stack, warnings + stack.warnings)


def _span_hu(plane: Slice) -> float:
    """How many HU the stored bits can tell apart at most; 0 where the header does not say."""
    bits = plane.file.pixels.bits_stored
    return (plane.slope or 0.0) * 2.0 ** min(bits, 32) if bits else 0.0  # bits may claim anything


def _doubts(plane: Slice, step_mm: float) -> tuple[str, ...]:
    """What the header says beside the positions, where it does not fit them."""
    doubts: tuple[str, ...] = ()
    stated, thickness = plane.stated_step, plane.thickness
    if stated and stated > 0 and abs(stated - step_mm) > max(0.1, 0.1 * step_mm):
        doubts += ("SpacingBetweenSlices (0018,0088) is not the step of the positions",)
    if thickness and thickness > _MAX_OVERLAP * step_mm:
        doubts += (f"slices are {thickness / step_mm:.0f} times as thick as their step",)
    widest_mm = max(
        plane.file.pixels.rows * (plane.pixel_spacing or (0.0, 0.0))[0],
        plane.file.pixels.columns * (plane.pixel_spacing or (0.0, 0.0))[1],
    )
    if plane.field_mm and abs(widest_mm / plane.field_mm - 1) > _MAX_FIELD_ERROR:
        doubts += (
            "PixelSpacing does not make ReconstructionDiameter (0018,1100): resized, or cut?",
        )
    return doubts


def read_part(part: Part) -> Volume:
    """Decode a part's planes and bring them to canonical axes; raises VolumeError."""
    first = part.planes[0]
    pixels = first.file.pixels
    hu = np.empty((len(part.planes), pixels.rows, pixels.columns), np.int16)
    digests = []
    content: FileContent | None = None
    for index, plane in enumerate(part.planes):
        if content is None or content.path != plane.file.path:
            content = FileContent(plane.file.path)
            digests.append(content.sha256)
        try:
            hu[index] = to_hu(content.stored_values(plane.file.pixels, plane.frame), plane)
        except VolumeError as error:
            raise _with_place(error, index, len(part.planes)) from None
    notes = check_slices(hu) + check_neighbours(hu) + clear_corners(hu)
    shape = (part.stack.slices, pixels.rows, pixels.columns)
    if part.stack.at is not None:
        hu = slices_at(hu, part.stack.at)
    digest = sha256(b"".join(sorted(digests))).hexdigest()
    return _volume(part, hu, shape, digest, notes)


def fingerprint(part: Part) -> str:
    """The `source.sha256` that `read_part` would give, without decoding."""
    paths = sorted({plane.file.path for plane in part.planes})
    digests = sorted(sha256(path.read_bytes()).digest() for path in paths)
    return sha256(b"".join(digests)).hexdigest()


def _with_place(error: VolumeError, index: int, count: int) -> VolumeError:
    message = str(error).removeprefix(f"{error.reason}: ")
    return VolumeError(error.reason, f"slice {index + 1} of {count} from below: {message}")


def _volume(
    part: Part, hu_kji: HuArray, shape: tuple[int, int, int], digest: str, notes: tuple[str, ...]
) -> Volume:
    header = part.planes[0].file
    source_affine: Affine = part.stack.affine_lps.copy()
    pixel_mm = np.linalg.norm(source_affine[:3, :2], axis=0)
    source_affine[:3, 2] += source_affine[:3, :2] @ (part.stack.shear_mm_rc / pixel_mm)
    straight, affine = straighten(hu_kji, part.stack, PADDING_HU)
    hu_zyx, affine, slice_axis = canonicalise(straight, affine)
    rising = bool(affine[:3, 2 - slice_axis] @ part.stack.affine_lps[:3, 2] > 0)
    at = range(len(part.planes)) if part.stack.at is None else np.rint(part.stack.at).astype(int)
    uids = tuple(part.planes[number].file.instance_uid for number in at)
    source = Source(
        format="dicom",
        shape=shape,
        affine_lps=source_affine,
        sha256=digest,
        patient_id=header.patient_id,
        accession=header.accession,
        study_uid=header.study_uid,
        instance_uids=uids if rising else uids[::-1],
        instance_axis=slice_axis,
        date=header.date,
        time=header.time,
        sex=header.sex,
        age_years=header.age_years,
        vendor=header.vendor,
        kernel=part.planes[0].kernel,
        contrast=header.contrast,
        synthetic=header.synthetic,
    )
    return Volume(hu_zyx, affine, header.series_uid, source, part.warnings + notes)
