"""Figures and comparisons in words, as terminal and page both show them."""

import math

from pipelines.evaluating.comparison import Comparison


def figure(value: float, digits: int = 2) -> str:
    """A figure, or a dash where it is not defined."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def chance(p: float) -> str:
    """A p-value; a small one is no zero.

    >>> chance(0.0312), chance(0.00004), chance(float("nan"))
    ('0.031', '< 0.001', '-')
    """
    return "< 0.001" if p < 0.001 else figure(p, 3)


def said(comparison: Comparison) -> str:
    """The comparison with another run in one sentence."""
    macro = comparison.macro
    left_out = f"; {comparison.missing} scans that it lacks are left out"
    return (
        f"Against the other run, {comparison.scans} scans: macro AUROC {macro.value:+.3f} "
        f"({macro.low:+.3f} to {macro.high:+.3f}, paired){left_out if comparison.missing else ''}"
    )
