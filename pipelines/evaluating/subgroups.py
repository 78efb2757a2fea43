"""The same measures for parts of the scans: by person, by machine, by how the scan was made."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from configs import files
from configs.contracts import Estimate
from model.data import Part
from model.metrics import LabelMetrics
from model.volumes.store import Store
from pipelines.evaluating.judged import Judged

MIN_POSITIVES = 50
"""Fewer positives in a group tell its figure from chance too badly to print one."""
UNKNOWN, SEVERAL = "not recorded", "several"
_THICKNESS_MM = ((1.25, "up to 1.25 mm"), (2.5, "to 2.5 mm"), (5.0, "to 5 mm"))
_THICKER = "above 5 mm"
_ORDERS: dict[str, tuple[str, ...]] = {
    "age": (),  # bands sort as text
    "slice thickness": (*(name for _, name in _THICKNESS_MM), _THICKER),
}


@dataclass(frozen=True, slots=True)
class Group:
    """One group's scans and, for labels with enough positives, its measures."""

    attribute: str
    value: str
    scans: int
    patients: int
    positives: dict[str, int]
    """By label, also of those with too few."""
    labels: tuple[LabelMetrics, ...]
    """Of the labels with at least `MIN_POSITIVES` positives, and a negative."""
    macro_auroc: Estimate | None
    """Over these labels; None where there is none."""


def groups(
    judged: Judged, attributes: pd.DataFrame, resamples: int, seed: int
) -> tuple[Group, ...]:
    """Every group of every attribute (`scan_attributes`), attribute by attribute."""
    found = []
    for attribute in attributes.columns:
        values = attributes.loc[judged.ids, attribute].to_numpy()
        for name in _in_order(str(attribute), values.tolist()):
            part = judged.rows(np.flatnonzero(values == name))
            found.append(_group(str(attribute), str(name), part, resamples, seed))
    return tuple(found)


def _in_order(attribute: str, values: list[str]) -> list[str]:
    """The groups by age and by thickness from low to high, others from the largest on."""
    names, counts = np.unique(values, return_counts=True)
    if (order := _ORDERS.get(attribute)) is None:
        return [str(name) for name in names[np.argsort(-counts, kind="stable")]]
    return sorted(
        map(str, names), key=lambda name: (order.index(name) if name in order else len(order), name)
    )


def _group(attribute: str, value: str, part: Judged, resamples: int, seed: int) -> Group:
    positives_l = (part.values_nl == 1).sum(axis=0)
    negatives_l = (part.values_nl == 0).sum(axis=0)
    enough = np.flatnonzero((positives_l >= MIN_POSITIVES) & (negatives_l > 0)).tolist()
    measured = part.of_labels(enough).measure(resamples, seed) if enough else None
    return Group(
        attribute,
        value,
        len(part),
        len(set(part.patients)),
        dict(zip(part.labels, positives_l.tolist(), strict=True)),
        measured.labels if measured else (),
        measured.macro["auroc"] if measured else None,
    )


def scan_attributes(store: Store, part: Part, cohort: Path) -> pd.DataFrame:
    """By case, as words: sex, age, vendor, kernel, slice thickness, contrast, and site if known.

    A case whose reconstructions differ in one is `several` there.
    """
    manifest = store.manifest.set_index("volume_id").loc[part.volume_ids]
    of_volume = pd.DataFrame(
        {
            "sex": manifest["sex"],
            "age": manifest["age_band"],
            "vendor": manifest["vendor"],
            "kernel": manifest["kernel"],
            "slice thickness": [_thickness(s) for s in manifest["source_spacing_mm"]],
            "contrast": [_contrast(c) for c in manifest["contrast"]],
        }
    )
    sites = _sites(cohort)
    if sites is not None:
        of_volume["site"] = sites.loc[part.volume_ids]
    of_volume = of_volume.astype("object").where(of_volume.notna() & (of_volume != ""), UNKNOWN)
    return of_volume.groupby(np.asarray(part.cases)).agg(_common)


def _sites(cohort: Path) -> "pd.Series[str] | None":
    """By volume; None for a cohort that does not tell."""
    table = files.read_table(files.finished_table(cohort, "cohort.parquet"))
    if "site" not in table.column_names:
        return None
    frame = table.select(["volume_id", "site"]).to_pandas()
    sites: pd.Series[str] = frame.set_index("volume_id")["site"]
    return sites


def _common(values: "pd.Series[str]") -> str:
    first = str(values.iloc[0])
    return first if (values == first).all() else SEVERAL


def _thickness(spacing_zyx_mm: object) -> str:
    if spacing_zyx_mm is None or len(spacing_zyx_mm) != 3:  # type: ignore[arg-type]  # a list column
        return UNKNOWN
    step = float(spacing_zyx_mm[0])  # type: ignore[index]  # a list column
    return next((name for most, name in _THICKNESS_MM if step <= most + 0.01), _THICKER)


def _contrast(value: object) -> str:
    if value is None or value != value:  # None or NaN: the source cannot say
        return UNKNOWN
    return "with contrast" if value else "without contrast"
