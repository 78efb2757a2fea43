"""A score as a table for the terminal and as JSON."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pipelines.running.progress import results

if TYPE_CHECKING:
    from configs.contracts import Estimate
    from labeler.scoring import Comparison, Figures, Score
    from pipelines.score import Scored

_MACRO, _MICRO = "macro", "micro"
FEWEST = 10
"""With fewer positives no interval is given: one of one would be precise to the last digit."""


def show(scored: "Scored") -> None:
    """Print one row a label, then macro and micro."""
    table = Table(
        title=f"{scored.as_is.reports:,} reports; in brackets 95 % bootstrap intervals, where "
        f"there are {FEWEST} positives; n: present in gold, found: in the labels",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("label")
    headings = ["n", "found", "precision", "recall", "F1", "kappa"]
    if scored.minus_errata is not None:
        headings.append("F1 minus errata")
    if scored.against is not None:
        headings += ["F1 against", "difference"]
    for heading in headings:
        table.add_column(heading, justify="right")
    names = [*scored.as_is.by_label, _MACRO, _MICRO]
    for name in names:
        if name == _MACRO:
            table.add_section()
        table.add_row(name, *_cells(scored, name))
    results.print(table)


def _cells(scored: "Scored", name: str) -> list[str]:
    figures = _figures(scored.as_is, name)
    cells = [
        f"{figures.support:,}",
        f"{figures.predicted:,}",
        _with_interval(figures.precision, figures.predicted),
        _with_interval(figures.recall, figures.support),
        _with_interval(figures.f1, min(figures.support, figures.predicted)),
        _point(figures.kappa),
    ]
    if scored.minus_errata is not None:
        counted = _figures(scored.minus_errata, name)
        cells.append(_with_interval(counted.f1, min(counted.support, counted.predicted)))
    if scored.against is not None and scored.difference is not None:
        cells.append(_point(_figures(scored.against, name).f1))
        cells.append(_gain(_difference(scored.difference, name)))
    return cells


def _figures(score: "Score", name: str) -> "Figures":
    return {**score.by_label, _MACRO: score.macro, _MICRO: score.micro}[name]


def _difference(comparison: "Comparison", name: str) -> "Estimate":
    named = {_MACRO: comparison.macro, _MICRO: comparison.micro}
    return {**comparison.by_label, **named}[name]


def _point(estimate: "Estimate") -> str:
    return "-" if math.isnan(estimate.value) else f"{estimate.value:.3f}"


def _with_interval(estimate: "Estimate", positives: int) -> str:
    """A figure of so many positives; resamples of a few of them vary less than others would."""
    if math.isnan(estimate.value):
        return "-"
    if positives < FEWEST:
        return f"{estimate.value:.3f} (n = {positives})"
    bounds = f"({estimate.low:.2f}-{estimate.high:.2f})".replace("0.", ".")
    return f"{estimate.value:.3f} {bounds}"


def _gain(estimate: "Estimate") -> str:
    if math.isnan(estimate.value):
        return "-"
    bounds = f"({estimate.low:+.3f},{estimate.high:+.3f})".replace("0.", ".")
    return f"{estimate.value:+.3f} {bounds}"


def as_json(scored: "Scored") -> dict[str, Any]:
    """The whole score as plain values; an undefined figure is null.

    Intervals stand here for any count, beside `support` and `predicted`.
    """
    parts = {
        "as_is": scored.as_is,
        "minus_errata": scored.minus_errata,
        "against": scored.against,
        "f1_difference": scored.difference,
    }
    return {name: _defined(asdict(part)) for name, part in parts.items() if part is not None}


def _defined(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _defined(value) for name, value in content.items()}
    return None if isinstance(content, float) and math.isnan(content) else content
