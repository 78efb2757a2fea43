"""CT-RATE (Hamamci et al., 2024): chest CT of 21,304 patients with translated reports.

A file `train_1_a_2.nii.gz` is reconstruction 2 of scan a of patient 1; the tables have a row a
reconstruction, so a report stands there as often as its scan was reconstructed. The volumes of
version 2 (`train_fixed`, `valid_fixed`) are HU with their true geometry. `RescaleSlope` and
`RescaleIntercept` of the metadata are those of the DICOM files before: they are never applied.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from configs.contracts import InputError
from configs.convention import load_convention
from model.volumes import Volume, VolumeError, VolumeReason
from pipelines.datasets.dataset import (
    Conflict,
    Record,
    ScanName,
    ScanRow,
    binary_values,
    by_scan,
    read_records,
)

_NAME = re.compile(r"((?:train|valid)_\d+)_([a-z]+)_(\d+)(?:\.nii(?:\.gz)?)?", re.ASCII)
_GEOMETRY = ("XYSpacing", "ZSpacing")
_DESCRIPTION = ("Manufacturer", "PatientSex", "PatientAge")
_SECTIONS = ("ClinicalInformation_EN", "Technique_EN", "Findings_EN", "Impressions_EN")
_SAME_SPACING = 0.01


class CtRate:
    """CT-RATE's names, tables and traps."""

    convention = "ct_rate"

    def read_metadata(self, path: Path | None) -> dict[str, Record]:
        """`train_metadata.csv` or `validation_metadata.csv` by volume; empty when not named."""
        if path is None:
            return {}
        records = read_records(path, ["VolumeName", *_GEOMETRY], _DESCRIPTION)
        return {self.name_of(record["VolumeName"], {}).volume: record for record in records}

    def name_of(self, file_name: str, metadata: dict[str, Record]) -> ScanName:  # noqa: ARG002 (the name says it all)
        """Patient, scan and reconstruction of a file's name.

        >>> CtRate().name_of("train_1_a_2.nii.gz", {})
        ScanName(volume='train_1_a_2', scan='train_1_a', patient='train_1')
        """
        found = _NAME.fullmatch(file_name)
        if not found:
            raise InputError(
                "a name is not of CT-RATE (train_1_a_1.nii.gz: patient, scan, reconstruction)"
            )
        patient, scan, reconstruction = found.groups()
        return ScanName(f"{patient}_{scan}_{reconstruction}", f"{patient}_{scan}", patient)

    def describe(self, volume: Volume, record: Record | None) -> Volume:
        """Check the header's spacing against the metadata; add sex, age and maker.

        The first upload's headers lack the true spacing: such a file is refused (SPACING).
        """
        if record is None:
            return volume
        stated = _spacing_mm(record)
        if not all(
            math.isclose(own, other, rel_tol=_SAME_SPACING)
            for own, other in zip(sorted(volume.spacing_mm_zyx), sorted(stated), strict=True)
        ):
            raise VolumeError(
                VolumeReason.SPACING,
                "the header's spacing is not that of the metadata; use the corrected files "
                "(train_fixed, valid_fixed)",
            )
        from model.volumes.dicom_elements import age_years_of, vendor_of

        sex = record.get("PatientSex", "")[:1].upper()
        source = replace(
            volume.source,
            sex=sex if sex in ("F", "M") else "",
            age_years=age_years_of(record.get("PatientAge", "")),
            vendor=vendor_of(record.get("Manufacturer", "")),
        )
        return replace(volume, source=source)

    def reports(self, path: Path) -> Iterator[ScanRow | Conflict]:
        """`train_reports.csv` or `validation_reports.csv`, once a scan."""
        records = read_records(path, ["VolumeName", "Findings_EN", "Impressions_EN"], _SECTIONS)
        rows = (self._row(record, _SECTIONS) for record in records)
        return by_scan(rows, "reports")

    def labels(self, path: Path) -> Iterator[ScanRow | Conflict]:
        """`train_predicted_labels.csv` or `valid_predicted_labels.csv`, once a scan."""
        names = tuple(load_convention(self.convention).labels)
        records = read_records(path, ["VolumeName", *names])
        rows = (self._row(record | binary_values(record, path, names), names) for record in records)
        return by_scan(rows, "labels")

    def _row(self, record: Record, names: tuple[str, ...]) -> ScanRow:
        scan = self.name_of(record["VolumeName"], {}).scan
        return ScanRow(scan, {name: record[name] for name in names if name in record})


def _spacing_mm(record: Record) -> tuple[float, float, float]:
    """Z, y and x of `ZSpacing` ("1.5") and `XYSpacing` ("[0.7, 0.7]")."""
    try:
        y, x = (float(part) for part in record["XYSpacing"].strip("[]() ").split(","))
        return float(record["ZSpacing"]), y, x
    except ValueError:
        raise VolumeError(
            VolumeReason.SPACING, "XYSpacing or ZSpacing of the metadata is no number"
        ) from None
