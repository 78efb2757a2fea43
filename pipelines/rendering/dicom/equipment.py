"""What all objects of one report have alike: their series, and the software that made them."""

from enum import Enum
from importlib.metadata import version
from typing import Any

from pipelines.rendering.content import ScanReport
from pipelines.rendering.dicom import codes
from pipelines.rendering.dicom.uids import Uids

SERIES_DESCRIPTION = "RESEARCH - NOT FOR DIAGNOSIS"


class Series(Enum):
    """The series of a report's objects, with their numbers: far behind a scanner's own."""

    REPORT = 9801
    SEGMENTATIONS = 9802
    KEY_OBJECTS = 9803


def common(report: ScanReport, uids: Uids, series: Series) -> dict[str, Any]:
    """What highdicom's objects take about series, equipment and coding schemes."""
    return {
        "series_instance_uid": uids.of_role(f"series {series.name}"),
        "series_number": series.value,
        "series_description": SERIES_DESCRIPTION,
        "manufacturer": "chestct",
        "manufacturer_model_name": f"chestct {report.model.network} {report.model.profile}"[:64],
        "software_versions": version("chestct"),
        "device_serial_number": report.model.id,
        "coding_schemes": codes.coding_schemes(),
        "content_qualification": "RESEARCH",
    }
