"""The scans of a store that `prepare` made: already on the grid, already under pseudonyms."""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from configs import files
from configs.contracts import InputError
from model.volumes.assess import NOTES
from model.volumes.store import Store
from pipelines.rendering.content import Remark, Scan, Status
from pipelines.rendering.display import load_display
from pipelines.rendering.ontology import meaning
from pipelines.triaging.record import Record, Score, not_read
from pipelines.triaging.worklist import Dealt

if TYPE_CHECKING:
    from model.bundle import Bundle


def read_store(store: Store, bundle: "Bundle") -> Iterator[Dealt]:
    """Read every volume of a store, and give those that `prepare` had set aside as not read.

    A store keeps no evidence and no time of arrival: the examination's date and time are taken.
    Raises InputError for a store of another profile.
    """
    if store.profile != bundle.profile:
        raise InputError(
            f"{store.path}: prepared for profile {store.profile.name!r}, the bundle wants "
            f"{bundle.profile.name!r}; prepare the scans again"
        )
    for row in store.manifest.to_dict("records"):
        yield _read(row, store, bundle)
    yield from _set_aside(store)


def _read(row: Mapping[Hashable, Any], store: Store, bundle: "Bundle") -> Dealt:
    scan = _scan(row)
    reasons = [code for code in row["quality"] if code not in NOTES]
    arrived = _arrived(store, row)
    if reasons:
        text = load_display().assessment[reasons[0]]
        return Dealt(scan, arrived, not_read(row["volume_id"], scan, reasons[0], text))
    try:
        logits_l = bundle.logits([store.read(row["volume_id"])])[0]
    except InputError:
        text = "its array is missing or was altered; prepare the scans again"
        return Dealt(scan, arrived, not_read(row["volume_id"], scan, "UNREADABLE", text))
    probabilities_l = bundle.probabilities(logits_l)
    scores = tuple(
        Score(
            label=label,
            name=load_display().of(label).name,
            probability=min(1.0, max(0.0, float(probability))),
            assessable=not (scan.contrast is False and _needs_contrast(label)),
        )
        for label, probability in zip(bundle.labels, probabilities_l, strict=True)
    )
    notes = [Remark(code=c, meaning=load_display().assessment[c]) for c in row["quality"]]
    record = Record(
        key=row["volume_id"],
        status=Status.READ,
        scan=scan,
        notes=tuple(notes),
        warnings=tuple(row["warnings"]),
        scores=scores,
    )
    return Dealt(scan, arrived, record)


def _scan(row: Mapping[Hashable, Any]) -> Scan:
    return Scan(
        identified=False,
        series=row["volume_id"],
        study=row["study_id"],
        contrast=None if pd.isna(row["contrast"]) else bool(row["contrast"]),
        contrast_by=None if pd.isna(row["contrast"]) else "header",
        synthetic=bool(row["synthetic"]),
        source_sha256=row["source_sha256"],
    )


def _needs_contrast(label: str) -> bool:
    known = meaning(label)
    return known is not None and known.needs_contrast


def _arrived(store: Store, row: Mapping[Hashable, Any]) -> float:
    day = _joined(row, "date")
    for text, form in ((_joined(row, "date", "time"), "%Y%m%d%H%M%S"), (day, "%Y%m%d")):
        with suppress(ValueError):  # none, or none that a calendar has
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    path = store.path / str(row["array"])
    return path.stat().st_mtime if path.exists() else 0.0


def _joined(row: Mapping[Hashable, Any], *columns: str) -> str:
    """The columns' texts in one; a missing one counts as empty."""
    return "".join(text for column in columns if isinstance(text := row[column], str))


def _set_aside(store: Store) -> Iterator[Dealt]:
    """What `prepare` refused: it is in no manifest, and must not vanish."""
    path = store.path / "rejected.parquet"
    if not path.exists():
        return
    for row in files.read_table(path).to_pylist():
        scan = Scan(identified=False, series=row["id"])
        record = not_read(row["id"], scan, row["reason"], row["detail"])
        yield Dealt(scan, path.stat().st_mtime, record)
