"""The evidence of findings above their threshold as segmentations on the source's own slices.

A segment is one focus: the cells of the evidence map that stand behind it, seen at the pixels of
the slices. It outlines where the network drew from, not the finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.sr.codedict import codes as dicom

from pipelines.rendering.content import Decision, Finding, Focus, ScanReport
from pipelines.rendering.dicom import codes
from pipelines.rendering.dicom.equipment import Series, common
from pipelines.rendering.dicom.source import SourceSeries
from pipelines.rendering.dicom.uids import Uids
from pipelines.rendering.foci import region_of

_LONGEST_LABEL = 64
_PARALLEL_CELLS = 1e-6  # a plane that leaves a layer of cells by less from edge to edge lies in it
_COLOURS = ("#ff6e00", "#00a5ff", "#d2c800", "#c850ff", "#00c878", "#ff5078")


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """A finding's segmentation, and which segment each of its foci became."""

    finding: Finding
    object: Segmentation
    numbers: tuple[int | None, ...]
    """By focus: its segment's number, None where no pixel's centre lies in it."""


def tracking_id(finding: Finding, focus: int) -> str:
    """What a focus (counted from 0) is called in every object."""
    return f"{finding.label}, evidence {focus + 1}"


def segmentations(
    report: ScanReport,
    source: SourceSeries,
    maps: dict[str, NDArray[np.float32]],
    map_affine_lps: NDArray[np.float64],
    uids: Uids,
) -> Iterator[Segmented]:
    """One segmentation for every finding that is present and has a focus on the slices.

    maps: by label, zyx; map_affine_lps: 4x4, (column, row, slice) of a cell to LPS mm.
    """
    number = 0
    for finding in report.having(Decision.PRESENT):
        if not finding.foci:
            continue
        planes, labels_nyx = _labels(finding.foci, source, maps[finding.label], map_affine_lps)
        held = [focus for focus in range(1, len(finding.foci) + 1) if (labels_nyx == focus).any()]
        if not held:
            continue
        number += 1
        renumbered = np.zeros(len(finding.foci) + 1, np.uint8)
        renumbered[held] = np.arange(1, len(held) + 1)
        yield Segmented(
            finding,
            _segmentation(
                report, source, finding, held, planes, renumbered[labels_nyx], number, uids
            ),
            tuple(int(renumbered[focus]) or None for focus in range(1, len(finding.foci) + 1)),
        )


def _labels(
    foci: tuple[Focus, ...],
    source: SourceSeries,
    map_zyx: NDArray[np.float32],
    map_affine_lps: NDArray[np.float64],
) -> tuple[list[int], NDArray[np.uint8]]:
    """The planes that meet a focus, and the focus (from 1) at each of their pixels."""
    cells = np.zeros(map_zyx.shape, np.uint8)
    for number, focus in enumerate(foci, start=1):
        cells[region_of(map_zyx, map_affine_lps, focus)] = number
    to_cell = np.linalg.inv(map_affine_lps)
    found: dict[int, NDArray[np.uint8]] = {}
    alike: dict[bytes, NDArray[np.uint8]] = {}  # many slices pass through the same cells
    for plane in range(len(source.planes)):
        indices = _cells_of_pixels(to_cell @ source.affine_lps(plane), source.shape_yx, cells.shape)
        key = b"".join(index.tobytes() for index in indices)
        if key not in alike:
            alike[key] = np.pad(cells, 1)[indices]
        if alike[key].any():
            found[plane] = alike[key]
    empty = np.zeros((0, *source.shape_yx), np.uint8)
    return list(found), np.stack(list(found.values())) if found else empty


def _cells_of_pixels(
    to_cell: NDArray[np.float64], shape_yx: tuple[int, int], cells_zyx: tuple[int, ...]
) -> tuple[NDArray[np.int16], ...]:
    """The slice, row and column of the cell that holds each pixel of a plane, counted from 1.

    to_cell: 4x4, (column, row, 0) of a pixel to (column, row, slice) of a cell. Each index is an
    array as small as it can be (one row, one column, one number) to which the others broadcast.
    What lies outside gets the index of a border that is one cell wide.
    """
    row, column = np.ogrid[: shape_yx[0], : shape_yx[1]]
    indices = []
    for axis, count in zip((2, 1, 0), cells_zyx, strict=True):
        per_column, per_row, _, first = to_cell[axis]
        place = np.full((1, 1), first)
        if abs(per_column) * shape_yx[1] > _PARALLEL_CELLS:
            place = place + per_column * column
        if abs(per_row) * shape_yx[0] > _PARALLEL_CELLS:
            place = place + per_row * row
        indices.append(np.clip(np.floor(place + 1.5), 0, count + 1).astype(np.int16))
    return tuple(indices)


def _segmentation(
    report: ScanReport,
    source: SourceSeries,
    finding: Finding,
    held: list[int],
    planes: list[int],
    labels_nyx: NDArray[np.uint8],
    number: int,
    uids: Uids,
) -> Segmentation:
    made = Segmentation(
        source_images=source.instances(planes),
        pixel_array=labels_nyx,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(report, finding, focus, segment, number, uids)
            for segment, focus in enumerate(held, start=1)
        ],
        plane_positions=[
            PlanePositionSequence("PATIENT", source.affine_lps(plane)[:3, 3].tolist())
            for plane in planes
        ]
        if source.multiframe
        else None,
        content_label=f"EVIDENCE_{number}",
        content_description=f"Evidence for {finding.name}, no outline of it"[:_LONGEST_LABEL],
        instance_number=number,
        sop_instance_uid=uids.of_role(f"segmentation {finding.label}"),
        **common(report, uids, Series.SEGMENTATIONS),
    )
    organisation = uids.of_role(f"dimensions {finding.label}")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    return made


def _description(
    report: ScanReport, finding: Finding, focus: int, segment: int, number: int, uids: Uids
) -> SegmentDescription:
    share = finding.foci[focus - 1].share
    described = SegmentDescription(
        segment_number=segment,
        segment_label=f"{finding.name[:40]}: evidence {focus} ({share:.0%})",
        segmented_property_category=codes.SPATIAL_CONCEPT,
        segmented_property_type=codes.EVIDENCE,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=f"chestct {report.model.network}",
            family=dicom.cid7162.ArtificialIntelligence,
            version=report.model.id,
            source="chestct",
        ),
        tracking_uid=uids.of_role(tracking_id(finding, focus - 1)),
        tracking_id=tracking_id(finding, focus - 1)[:_LONGEST_LABEL],
        display_color=CIELabColor.from_string(_COLOURS[(number - 1) % len(_COLOURS)]),
    )
    described.SegmentDescription = (
        "Where the network drew evidence from; not a segmentation of a finding."
    )
    return described
