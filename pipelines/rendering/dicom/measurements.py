"""The measurement report (TID 1500): every finding with its numbers and where its evidence lies."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    CoordinatesForMeasurement3D,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    GraphicTypeValues3D,
    ImageContentItem,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForMeasurement,
    SourceImageForMeasurementGroup,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    UIDRefContentItem,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes as dicom
from pydicom.sr.coding import Code

from pipelines.rendering import wording
from pipelines.rendering.content import Decision, Finding, Focus, ScanReport
from pipelines.rendering.dicom import codes
from pipelines.rendering.dicom.equipment import Series, common
from pipelines.rendering.dicom.segments import Segmented, tracking_id
from pipelines.rendering.dicom.source import SourceSeries
from pipelines.rendering.dicom.uids import Uids

_QUALITATIVE = CodedConcept("C0034375", "UMLS", "Qualitative Evaluations")
_SOURCE = Code("260753009", "SCT", "Source")
_CONTAINS = RelationshipTypeValues.CONTAINS


def measurement_report(
    report: ScanReport, source: SourceSeries, segmented: Sequence[Segmented], uids: Uids
) -> Comprehensive3DSR:
    """The report as a Comprehensive 3D SR: partial, preliminary and unverified."""
    findings = (_finding(report, finding, source, uids) for finding in report.findings)
    segments = (group for one in segmented for group in _segments(one, source, uids))
    content = MeasurementReport(
        observation_context=_observer(report),
        procedure_reported=dicom.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[*findings, *segments],
        title=dicom.DCM.ImagingMeasurementReport,
    )
    # By hand: highdicom's library wants every slice described and knows no multi-frame source,
    # and it has no qualitative evaluations (rows 5 and 12 of the template).
    children = content[0].ContentSequence
    place = [item.name for item in children].index(dicom.DCM.ImagingMeasurements)
    children.insert(place, _image_library(source))
    children.append(_statements(report))
    made = Comprehensive3DSR(
        evidence=[*source.instances(), *(one.object for one in segmented)],
        content=content,
        sop_instance_uid=uids.of_role("report"),
        instance_number=1,
        is_complete=False,
        is_final=False,
        is_verified=False,
        **common(report, uids, Series.REPORT),
    )
    made.CompletionFlagDescription = "Read by a program alone, not by a physician"
    return made


def _observer(report: ScanReport) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=Uids(report.model.id).of_role("device"),
        name="chestct",
        manufacturer_name="chestct",
        model_name=f"{report.model.network} {report.model.profile}",
        serial_number=report.model.id,
    )
    return ObservationContext(observer_device_context=ObserverContext(dicom.DCM.Device, device))


def _algorithm(report: ScanReport) -> AlgorithmIdentification:
    model = report.model
    return AlgorithmIdentification(
        name=f"chestct {model.network}",
        version=version("chestct"),
        parameters=[
            f"model {model.id}",
            f"profile {model.profile}",
            f"training data: {model.training_data.value}",
            f"labels: {model.label_source}",
        ],
    )


def _finding(
    report: ScanReport, finding: Finding, source: SourceSeries, uids: Uids
) -> MeasurementsAndQualitativeEvaluations:
    """One label: its numbers, and the places that spoke for it unless it is absent (TID 1501)."""
    foci = () if finding.decision is Decision.ABSENT else finding.foci
    slices = dict.fromkeys(source.nearest(focus.peak_xyz_mm) for focus in foci)
    numbers = {
        codes.PROBABILITY: finding.probability,
        codes.THRESHOLD: finding.threshold,
        codes.LOGIT: finding.logit,
    }
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uids.of_role(finding.label), finding.label),
        finding_type=codes.finding_code(finding),
        algorithm_id=_algorithm(report),
        measurements=[
            *(Measurement(name, value, codes.NO_UNITS) for name, value in numbers.items()),
            *(_share(finding, number, focus, source) for number, focus in enumerate(foci)),
        ],
        qualitative_evaluations=[
            QualitativeEvaluation(codes.DECISION, codes.DECISIONS[finding.decision]),
            QualitativeEvaluation(codes.CALIBRATION, codes.CALIBRATIONS[finding.calibration]),
            *(
                QualitativeEvaluation(codes.STRONGEST, codes.IN_BODY[focus.in_body])
                for focus in finding.foci[:1]
            ),
        ],
        source_images=[
            SourceImageForMeasurementGroup(*_reference(source, plane)) for plane in slices
        ]
        or None,
    )


def _share(finding: Finding, number: int, focus: Focus, source: SourceSeries) -> Measurement:
    """A focus: its part of the evidence, inferred from the place and the slice of its peak."""
    return Measurement(
        codes.SHARE,
        focus.share,
        codes.NO_UNITS,
        tracking_identifier=TrackingIdentifier(identifier=tracking_id(finding, number)),
        finding_sites=_site(focus),
        referenced_images=[
            SourceImageForMeasurement(*_reference(source, source.nearest(focus.peak_xyz_mm)))
        ],
        referenced_coordinates=[
            CoordinatesForMeasurement3D(
                GraphicTypeValues3D.POINT,
                np.array([focus.peak_xyz_mm]),
                source.frame_of_reference,
            )
        ],
    )


def _segments(
    segmented: Segmented, source: SourceSeries, uids: Uids
) -> Iterator[VolumetricROIMeasurementsAndQualitativeEvaluations]:
    """Each segment of a finding's segmentation as a region of interest (TID 1411)."""
    finding = segmented.finding
    for number, (focus, segment) in enumerate(zip(finding.foci, segmented.numbers, strict=True)):
        if segment is None:
            continue
        name = tracking_id(finding, number)
        yield VolumetricROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uids.of_role(name), name),
            referenced_segment=ReferencedSegment(
                segmented.object.SOPClassUID,
                segmented.object.SOPInstanceUID,
                segment,
                source_series=SourceSeriesForSegmentation(source.series_uid),
            ),
            finding_type=codes.EVIDENCE,  # never the finding itself: it is no outline of it
            finding_category=codes.SPATIAL_CONCEPT,
            finding_sites=_site(focus),
            measurements=[Measurement(codes.SHARE, focus.share, codes.NO_UNITS)],
            qualitative_evaluations=[
                QualitativeEvaluation(codes.EVIDENCE_FOR, codes.finding_code(finding)),
                QualitativeEvaluation(codes.PLACE, codes.IN_BODY[focus.in_body]),
                *(
                    [QualitativeEvaluation(codes.ZONE, codes.ZONES[focus.zone])]
                    if focus.zone
                    else []
                ),
            ],
        )


def _site(focus: Focus) -> list[FindingSite] | None:
    if not focus.in_body:
        return None
    return [FindingSite(codes.THORAX, laterality=codes.SIDES.get(focus.side))]


def _reference(source: SourceSeries, plane: int) -> tuple[str, str, list[int] | None]:
    file = source.planes[plane].file
    return file.sop_class, file.instance_uid, source.frame_number(plane)


def _image_library(source: SourceSeries) -> ContainerContentItem:
    """The instances that were read (TID 1600), with what they have alike."""
    library = ContainerContentItem(dicom.DCM.ImageLibrary, relationship_type=_CONTAINS)
    group = ContainerContentItem(dicom.DCM.ImageLibraryGroup, relationship_type=_CONTAINS)
    context = RelationshipTypeValues.HAS_ACQ_CONTEXT
    group.ContentSequence = ContentSequence(
        [
            CodeContentItem(dicom.DCM.Modality, dicom.cid29.ComputedTomography, context),
            UIDRefContentItem(dicom.DCM.FrameOfReferenceUID, source.frame_of_reference, context),
            *(
                ImageContentItem(
                    _SOURCE,
                    instance.SOPClassUID,
                    instance.SOPInstanceUID,
                    relationship_type=_CONTAINS,
                )
                for instance in source.instances()
            ),
        ]
    )
    library.ContentSequence = ContentSequence([group])
    return library


def _statements(report: ScanReport) -> ContainerContentItem:
    """What must be read with the numbers, in words."""
    said = [
        (codes.INTENDED_USE, report.intended_use),
        (codes.MEANING, report.probability_meaning),
        *((codes.CAUTION, caution) for caution in wording.cautions(report)),
        *((codes.CAUTION, note.meaning) for note in report.quality.notes),
    ]
    if report.not_covered:
        names = "; ".join(entry.name for entry in report.not_covered)
        said.append((codes.NOT_COVERED, names))
    container = ContainerContentItem(_QUALITATIVE, relationship_type=_CONTAINS)
    container.ContentSequence = ContentSequence(
        [TextContentItem(name, text, _CONTAINS) for name, text in said]
    )
    return container
