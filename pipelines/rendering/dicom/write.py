"""A read scan's report as DICOM files: segmentations, the structured report, key objects."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset

from configs import files
from configs.contracts import InputError
from pipelines.rendering.dicom.key_objects import key_objects
from pipelines.rendering.dicom.measurements import measurement_report
from pipelines.rendering.dicom.segments import segmentations
from pipelines.rendering.dicom.source import source_series
from pipelines.rendering.dicom.uids import Uids
from pipelines.rendering.reading import Reading

_LIBRARIES = ("highdicom", "pydicom")


def write_dicom(reading: Reading, scan: Path, folder: Path) -> tuple[Path, ...]:
    """Write the objects of a report into `folder`, in the order in which they refer to each other.

    A refused scan has none. Raises InputError for a report that is not identified, and for a
    source that no object can refer to; no message holds a value of its header.
    """
    if reading.refused or reading.volume is None or reading.prediction is None:
        return ()
    report, prediction = reading.content, reading.prediction
    if not report.scan.identified:
        raise InputError("DICOM objects carry the patient's and the study's identity: --identified")
    with _without_values_in_messages():
        source = source_series(scan, reading.volume)
        uids = Uids.of(report)
        segmented = []
        if prediction.maps_lzyx is not None and prediction.map_affine_lps is not None:
            maps = dict(zip(prediction.labels, prediction.maps_lzyx, strict=True))
            segmented = list(segmentations(report, source, maps, prediction.map_affine_lps, uids))
        objects: dict[str, Dataset] = {
            f"seg-{number:02d}": one.object for number, one in enumerate(segmented, start=1)
        }
        objects["sr"] = measurement_report(report, source, segmented, uids)
        if (selection := key_objects(report, source, uids)) is not None:
            objects["kos"] = selection
        paths = []
        for name, made in objects.items():
            path = folder / f"{name}.dcm"
            with files.atomic_path(path) as temporary:
                made.save_as(temporary, enforce_file_format=True)
            paths.append(path)
    return tuple(paths)


@contextmanager
def _without_values_in_messages() -> Iterator[None]:
    """The libraries' warnings and log lines quote the values that they complain of: names."""
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in _LIBRARIES}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
