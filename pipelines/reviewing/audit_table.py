"""An audit as a table for people and as JSON."""

import math
from dataclasses import asdict
from typing import Any

from rich.table import Table

from configs.contracts import Estimate
from pipelines.reviewing.audit import Audit, LabelAudit


def as_table(found: Audit) -> Table:
    """Each label's figures, with 95 % intervals."""
    title = f"{found.judged:,} reports judged, for {found.reports:,}"
    table = Table(title=title, title_justify="left")
    table.add_column("label", no_wrap=True)
    for heading in ("archive", "judged", "precision", "recall", "F1", "prevalence %", "kappa"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, one in found.by_label.items():
        table.add_row(name, *_cells(one))
    table.add_section()
    table.add_row("mean", *_cells(found.macro))
    return table


def as_json(found: Audit) -> dict[str, Any]:
    """The figures, with null where one is not defined."""
    return _plain(asdict(found))  # type: ignore[no-any-return]  # a dictionary stays one


def _cells(one: LabelAudit) -> tuple[str, ...]:
    percent = Estimate(*(100 * bound for bound in _bounds(one.prevalence)))
    return (
        f"{one.archive:,}",
        f"{one.drawn:,}",
        *(_told(figure, 2) for figure in (one.precision, one.recall, one.f1)),
        _told(percent, 1),
        _told(one.kappa, 2) if one.kappa else "",
    )


def _bounds(figure: Estimate) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _told(figure: Estimate, digits: int) -> str:
    value, low, high = ("-" if math.isnan(x) else f"{x:.{digits}f}" for x in _bounds(figure))
    return value if value == low == "-" else f"{value} ({low}-{high})"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
