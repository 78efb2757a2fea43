"""Published test sets: who may be measured on them, and a figure of ours beside published ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

from configs.contracts import Estimate, InputError, Split
from configs.yaml_file import load_yaml
from model.bundle import Bundle
from model.data import Part
from model.metrics import Metrics
from pipelines.evaluating.judged import Judged, Unit


class Protocol(StrEnum):
    """A published test set."""

    CT_RATE_VALID = "ct_rate_valid"
    RAD_PUBLIC = "rad_public"


class Comparable(StrEnum):
    """Whether a row may be set beside ours."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Published(_Closed):
    """A system's figure as published."""

    system: str
    macro_auroc: float
    labels: int
    test_set: str
    label_source: str
    comparable: Comparable
    n: str = "not stated"
    note: str = ""


class Terms(_Closed):
    """A protocol as `protocols.yaml` has it."""

    title: str
    note: str
    test_set: str
    convention: str
    reports: str
    """What the test set's report ids look like, the whole of them."""
    volumes: int
    labels: int
    mapping: dict[str, tuple[str, ...]] | None = None
    rows: tuple[Published, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    system: str
    macro_auroc: Estimate
    n: str
    labels: int
    test_set: str
    label_source: str
    comparable: Comparable
    note: str
    own: bool

    @property
    def shown(self) -> str:
        """The figure, with its interval where it has one."""
        area = self.macro_auroc
        interval = f" ({area.low:.3f} to {area.high:.3f})" if math.isfinite(area.low) else ""
        return f"{area.value:.3f}{interval}"


@dataclass(frozen=True, slots=True)
class Table:
    """Our figures under one source of labels, above the published ones."""

    title: str
    note: str
    reference: str
    source: str
    rows: tuple[Row, ...]


@cache
def load_protocol(name: Protocol) -> Terms:
    """The terms of a protocol."""
    path = Path(str(files("pipelines.evaluating").joinpath("protocols.yaml")))
    return load_yaml(path, dict[Protocol, Terms])[name]


def check_terms(
    name: Protocol, cohort: Path, frame: pd.DataFrame, learnt: pd.DataFrame | None
) -> None:
    """Refuse a figure that would not be of the published test set, or not of held-out scans.

    `frame` is the cohort's table, `learnt` the rows that the bundle learnt from or was chosen and
    calibrated on. On CT-RATE these must be known and hold none of the published test set; no
    network of ours has seen RAD-ChestCT unless its labels say so.
    """
    terms = load_protocol(name)
    tested = frame[frame["split"] == Split.TEST]
    other = ~tested["report_id"].astype(str).str.fullmatch(terms.reports)
    if other.any():
        raise InputError(
            f"{cohort}: {int(other.sum())} volumes of the test split are not of "
            f"{terms.test_set}; --protocol {name} measures on that set alone"
        )
    if name is Protocol.RAD_PUBLIC:
        return
    if learnt is None:
        raise InputError(
            f"--protocol {name}: cannot tell what the bundle learnt from, so neither whether "
            f"{terms.test_set} was held out of training, early stopping and calibration; name the "
            "cohort that train used with --trained-on"
        )
    seen = learnt["report_id"].astype(str).str.fullmatch(terms.reports)
    if seen.any():
        raise InputError(
            f"--protocol {name}: the bundle learnt from, or was chosen or calibrated on, "
            f"{int(seen.sum())} volumes of {terms.test_set}; hold the published test set out of "
            "train and validation, and train again"
        )


def table_of(
    name: Protocol, bundle: Bundle, measured: Sequence[tuple[Unit, Judged, Metrics]], part: Part
) -> Table:
    """The table of one reference from its figures by scan and by volume."""
    terms = load_protocol(name)
    first = measured[0][1]
    note = "; ".join(_reservations(terms, bundle, first, measured[0][2], part))
    own = tuple(
        Row(
            f"this bundle, per {unit.value}",
            metrics.macro["auroc"],
            f"{metrics.scans} {unit.value}s",
            len(metrics.labels) - len(metrics.undefined),
            terms.test_set,
            judged.source,
            Comparable.NO if note else Comparable.YES,
            note,
            own=True,
        )
        for unit, judged, metrics in measured
    )
    nothing = float("nan")
    published = tuple(
        Row(
            row.system,
            Estimate(row.macro_auroc, nothing, nothing),
            row.n,
            row.labels,
            row.test_set,
            row.label_source,
            row.comparable,
            row.note,
            own=False,
        )
        for row in terms.rows
    )
    return Table(terms.title, terms.note, first.reference, first.source, own + published)


def _reservations(
    terms: Terms, bundle: Bundle, judged: Judged, metrics: Metrics, part: Part
) -> list[str]:
    """Why a figure of ours is not of the published set as published; empty where it is."""
    found = []
    if bundle.card.training_data != "patients":
        found.append("the network learnt from synthetic chests")
    if len(part) != terms.volumes:
        found.append(f"{len(part)} of {terms.volumes} volumes")
    if any(label.startswith("rad_chestct:") for label in bundle.labels) and terms.mapping:
        found.append("the network learnt RAD-ChestCT's labels: not a transfer")
    defined = len(metrics.labels) - len(metrics.undefined)
    if defined != terms.labels:
        found.append(f"{defined} of {terms.labels} labels")
    if judged.source != "as published with the data set":
        found.append("labels are not the published ones")
    if terms.mapping:
        found.append("labels mapped by our own table")
    return found
