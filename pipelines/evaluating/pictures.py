"""Curves as SVG that takes the page's own text colour, so that it is read on light and dark."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from model.calibration import reliability_bins
from pipelines.evaluating.abstention import mean_risk
from pipelines.evaluating.judged import Judged

_TEXT = "#0a0b0c"  # stands for the page's text colour
_BLUE, _ORANGE, _GREY = "#3f86c9", "#d8802c", "#8a8f96"
_LABEL_INCHES, _SMALL_INCHES = (10.2, 3.1), (5.4, 3.1)
_MOST_POINTS = 300
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _TEXT
    ),
}


def label_curves(judged: Judged, label: int) -> str | None:
    """ROC, precision-recall and reliability of one label; None where it has one value only.

    Marks stand at the operating points; bars on the reliability curve are 95 % intervals.
    """
    positive, logits, probability = judged.case(label)
    if positive.all() or not positive.any():
        return None
    calibration = judged.calibrations[label]
    named = {"balanced": calibration.balanced, "sensitive": calibration.sensitive}
    marks = {name: point.threshold for name, point in named.items() if point}
    with _drawn(_LABEL_INCHES, f"label {label}") as (figure, written):
        roc, pr, reliability = figure.subplots(1, 3)
        fpr, tpr, _ = roc_curve(positive, logits)
        roc.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
        roc.plot(*_thinned(fpr, tpr), color=_BLUE)
        precision, recall, _ = precision_recall_curve(positive, logits)
        pr.axhline(positive.mean(), color=_GREY, linewidth=0.8, linestyle=":")
        pr.plot(*_thinned(recall, precision), color=_BLUE)
        for (name, threshold), shape in zip(marks.items(), "os", strict=False):
            called = probability >= threshold
            found = called[positive].mean()
            roc.plot(called[~positive].mean(), found, shape, color=_ORANGE, label=name)
            if called.any():
                pr.plot(found, positive[called].mean(), shape, color=_ORANGE)
        _reliability(reliability, probability, positive)
        _dress(roc, "ROC", "1 - specificity", "sensitivity")
        _dress(pr, "precision-recall", "sensitivity (recall)", "PPV (precision)")
        _dress(reliability, "reliability", "probability", "share of reports that say so")
        if marks:
            roc.legend(loc="lower right", fontsize=8)
    return written[0]


def _reliability(axes: Any, probability: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle=":")
    order = np.argsort(probability, kind="stable")
    at = 0
    for found in reliability_bins(probability, positive):
        inside = probability[order[at : at + found.scans]]
        at += found.scans
        low, high = _wilson(found.positives, found.scans)
        share = found.positives / found.scans
        axes.plot([inside.mean()] * 2, [low, high], color=_BLUE, linewidth=1)
        axes.plot(inside.mean(), share, "o", color=_BLUE, markersize=4)


def _wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z = 1.96
    centre = (hits + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * np.sqrt(hits * (count - hits) / count + z * z / 4)
    return centre - half, centre + half


def risk_coverage(judged: Judged) -> str | None:
    """Mean share of wrong decisions over the share of scans that are decided."""
    shares = np.linspace(0.2, 1, 81)
    risk = mean_risk(judged, shares)
    if not len(risk):
        return None
    with _drawn(_SMALL_INCHES, "risk") as (figure, written):
        axes = figure.subplots()
        axes.plot(shares, risk, color=_BLUE)
        axes.set(xlabel="share of scans decided, surest first", ylabel="wrong decisions, mean")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
    return written[0]


def learning_curves(history: Path) -> str | None:
    """Loss and validation macro AUROC by epoch, a line a seed; None without a history."""
    if not history.is_file():
        return None
    frame = pd.read_csv(history)
    if not {"epoch", "loss", "macro_auroc"} <= set(frame.columns):
        return None
    seeds = frame["seed"] if "seed" in frame.columns else pd.Series(0, index=frame.index)
    with _drawn(_LABEL_INCHES, "learning") as (figure, written):
        for axes, name in zip(figure.subplots(1, 2), ("loss", "macro_auroc"), strict=True):
            for seed in seeds.unique():
                own = frame[(seeds == seed) & frame[name].notna()]
                axes.plot(own["epoch"], own[name], marker=".", label=f"seed {seed}")
            axes.set(xlabel="epoch (0: the start)")
            axes.grid(alpha=0.25)
            axes.set_title("training loss" if name == "loss" else "validation macro AUROC")
        if len(seeds.unique()) > 1:
            axes.legend(fontsize=8)
    return written[0]


@contextmanager
def _drawn(inches: tuple[float, float], salt: str) -> Iterator[tuple[Figure, list[str]]]:
    """A figure to draw on, and a list that holds its SVG afterwards."""
    written: list[str] = []
    with mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=inches)  # its constrained layout would take half of the time
        left, right = 0.6 / inches[0], 1 - 0.15 / inches[0]
        figure.subplots_adjust(left, 0.17, right, 0.91, wspace=0.28)
        yield figure, written
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    written.append(svg[svg.index("<svg") :].replace(_TEXT, "currentColor"))


def _dress(axes: Any, title: str, across: str, up: str) -> None:
    axes.set(title=title, xlabel=across, ylabel=up, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_box_aspect(1)
    axes.grid(alpha=0.25)


def _thinned(*curves: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
    """Every so many points of long curves, with both ends."""
    keep = np.unique(np.linspace(0, len(curves[0]) - 1, _MOST_POINTS).astype(int))
    return [curve[keep] for curve in curves]
