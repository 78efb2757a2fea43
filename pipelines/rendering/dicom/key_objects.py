"""The slices that the evidence lies on, as a Key Object Selection: shown where segments are not."""

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.sr.codedict import codes as dicom

from pipelines.rendering.content import Decision, ScanReport
from pipelines.rendering.dicom.equipment import SERIES_DESCRIPTION, Series, common
from pipelines.rendering.dicom.source import SourceSeries
from pipelines.rendering.dicom.uids import Uids


def key_objects(
    report: ScanReport, source: SourceSeries, uids: Uids
) -> KeyObjectSelectionDocument | None:
    """A reference to the best slice of every focus above threshold; None where there is none."""
    findings = report.having(Decision.PRESENT)
    planes = sorted({source.nearest(f.peak_xyz_mm) for finding in findings for f in finding.foci})
    if not planes:
        return None
    instances = source.instances(planes)
    names = ", ".join(finding.name for finding in findings if finding.foci)
    content = KeyObjectSelection(
        dicom.DCM.OfInterest,
        instances,
        description=f"{SERIES_DESCRIPTION}. {report.intended_use} Evidence for: {names}.",
    )
    if source.multiframe:
        reference = content[0].ContentSequence[-1].ReferencedSOPSequence[0]
        reference.ReferencedFrameNumber = [source.planes[plane].frame + 1 for plane in planes]
    return KeyObjectSelectionDocument(
        evidence=instances,
        content=content,
        sop_instance_uid=uids.of_role("key objects"),
        instance_number=1,
        **common(report, uids, Series.KEY_OBJECTS),
    )
