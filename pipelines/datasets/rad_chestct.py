"""RAD-ChestCT (Draelos et al., 2021): 3,630 public chest CTs with 84 abnormalities by 52 locations.

`trn00001.npz` is one scan; a patient may have several, which only the metadata table tells. The
label tables hold a column `abnormality*location`; an abnormality is present where any location is.
Reports are not published.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from configs.contracts import InputError
from configs.convention import load_convention
from model.volumes import Volume
from pipelines.datasets.dataset import (
    Conflict,
    Record,
    ScanName,
    ScanRow,
    binary_values,
    by_scan,
    read_records,
)
from pipelines.reports_in.tables import open_table

_NAME = re.compile(r"((?:trn|val|tst)\d+)(?:\.npz)?", re.ASCII)
_SCAN = "NoteAcc_DEID"
_PATIENT = "MRN_DEID"
_EVEN = "zdiffs_all_equal"
_NOT_A_LABEL = {"other_path"}
"""The 84th abnormality: whatever has no name of its own, which nobody trains on."""


class RadChestCt:
    """RAD-ChestCT's names, tables and traps."""

    convention = "rad_chestct"

    def read_metadata(self, path: Path | None) -> dict[str, Record]:
        """`CT_Scan_Metadata_Complete_35747.csv` by scan; without it no scan has a patient."""
        if path is None:
            raise InputError(
                "RAD-ChestCT needs --metadata CT_Scan_Metadata_Complete_35747.csv: it alone says "
                "which scans are of one patient, who must not stand in two splits"
            )
        return {record[_SCAN]: record for record in read_records(path, [_SCAN, _PATIENT], [_EVEN])}

    def name_of(self, file_name: str, metadata: dict[str, Record]) -> ScanName:
        """Scan and patient of a file's name.

        >>> RadChestCt().name_of("trn00001.npz", {"trn00001": {"MRN_DEID": "m7"}})
        ScanName(volume='trn00001', scan='trn00001', patient='m7')
        """
        found = _NAME.fullmatch(file_name)
        if not found:
            raise InputError("a name is not of RAD-ChestCT (trn00001.npz, val…, tst…)")
        patient = metadata.get(found[1], {}).get(_PATIENT, "")
        if not patient:
            raise InputError(f"{found[1]}: not in the metadata table, so its patient is not known")
        return ScanName(found[1], found[1], patient)

    def describe(self, volume: Volume, record: Record | None) -> Volume:
        """Warn of scans whose uneven steps the publisher resampled as if they were even."""
        if record is None or record.get(_EVEN, "True").lower() != "false":
            return volume
        warning = "published as resampled from uneven steps: heights may be wrong"
        return replace(volume, warnings=(*volume.warnings, warning))

    def reports(self, path: Path) -> Iterator[ScanRow | Conflict]:
        """Raises InputError: there are none."""
        raise InputError(f"{path}: RAD-ChestCT publishes no reports; use its labels")

    def labels(self, path: Path) -> Iterator[ScanRow | Conflict]:
        """`imgtrain_Abnormality_and_Location_Labels.csv` and its like, 83 labels a scan."""
        names = tuple(load_convention(self.convention).labels)
        places = defaultdict(list)
        for column in open_table(path).columns:
            abnormality, star, _ = column.partition("*")
            if star:
                places[abnormality].append(column)
        found = set(places) - _NOT_A_LABEL
        if found != set(names):
            odd = sorted(found ^ set(names))
            raise InputError(
                f"{path}: the abnormalities are not the {len(names)} of RAD-ChestCT (first: "
                f"{odd[0]!r}); is it the published table?"
            )
        columns = [column for name in names for column in places[name]]
        return by_scan(self._rows(path, columns, places, names), "labels")

    def _rows(
        self, path: Path, columns: list[str], places: dict[str, list[str]], names: tuple[str, ...]
    ) -> Iterator[ScanRow]:
        for record in read_records(path, [_SCAN, *columns]):
            values = binary_values(record, path, columns)
            present = {name: max(values[column] for column in places[name]) for name in names}
            yield ScanRow(record[_SCAN], present)
