"""What was drawn: the table that a synthetic archive is judged by, and by nothing else used."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from pipelines.synthetic.case import Case, DrawnCase

SCHEMA = pa.schema(
    [
        ("accession", pa.string()),
        ("finding", pa.string()),
        ("side", pa.string()),
        ("lobe", pa.string()),
        ("size_mm", pa.float32()),
        ("severity", pa.string()),
        ("texture", pa.string()),
        ("count", pa.int32()),
        ("course", pa.string()),
        ("visible", pa.bool_()),
        ("box_lps_mm", pa.list_(pa.float32())),  # x0, y0, z0, x1, y1, z1
    ]
)

# CT-RATE's columns, in its order, and the findings that make each true. By that convention a mass
# is not a nodule, and a consolidation alone is not an opacity.
CT_RATE_FINDINGS: dict[str, tuple[str, ...]] = {
    "Medical material": ("medical_device",),
    "Arterial wall calcification": ("arterial_calcification",),
    "Cardiomegaly": ("cardiomegaly",),
    "Pericardial effusion": ("pericardial_effusion",),
    "Coronary artery wall calcification": ("coronary_calcification",),
    "Hiatal hernia": ("hiatal_hernia",),
    "Lymphadenopathy": ("lymphadenopathy",),
    "Emphysema": ("emphysema",),
    "Atelectasis": ("atelectasis",),
    "Lung nodule": ("nodule",),
    "Lung opacity": ("ground_glass",),
    "Pulmonary fibrotic sequela": ("fibrotic_sequela",),
    "Pleural effusion": ("pleural_effusion",),
    "Mosaic attenuation pattern": ("mosaic_attenuation",),
    "Peribronchial thickening": ("peribronchial_thickening",),
    "Consolidation": ("consolidation",),
    "Bronchiectasis": ("bronchiectasis",),
    "Interlobular septal thickening": ("septal_thickening",),
}


def table(drawn_cases: Iterable[DrawnCase]) -> pa.Table:
    """A row for each finding that a study shows; resolved ones are not drawn and not listed."""
    rows = [
        {
            "accession": drawn.case.accession,
            "finding": place.planned.finding,
            "side": place.planned.side.value,
            "lobe": place.planned.lobe,
            "size_mm": place.planned.size_mm,
            "severity": place.planned.severity,
            "texture": place.planned.texture,
            "count": place.planned.count,
            "course": place.planned.course.value,
            "visible": place.planned.visible,
            "box_lps_mm": list(place.box_lps_mm),
        }
        for drawn in drawn_cases
        for place in drawn.drawn
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def ct_rate_labels(cases: Iterable[Case], *, visible_only: bool = False) -> pd.DataFrame:
    """CT-RATE's 18 columns (0 or 1) of what was drawn, and `report_id`: a row per study.

    `visible_only` leaves out what was drawn too faintly for a radiologist to report.
    """
    rows = []
    for case in cases:
        shown = {f.finding for f in case.present if f.visible or not visible_only}
        labels = {name: int(bool(shown & set(kinds))) for name, kinds in CT_RATE_FINDINGS.items()}
        rows.append({"report_id": case.accession, **labels})
    return pd.DataFrame(rows, columns=["report_id", *CT_RATE_FINDINGS])
