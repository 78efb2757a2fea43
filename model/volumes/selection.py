"""Which of several reconstructions reads a chest best: a written rule, told with every choice."""

from collections.abc import Iterable

import numpy as np

from model.volumes.dicom_series import Part
from model.volumes.scope import is_reformat, is_sharp
from model.volumes.volume import spacing_of

_ENOUGH_OF_LONGEST = 0.8
_THINNEST_MM = 0.5


def rank(part: Part, among: Iterable[Part]) -> tuple[float, ...]:
    """The lowest is best, in this order.

    An original before a reformat; axial; nearly the longest coverage; a step of at least 0.5 mm,
    the thinner the better to the millimetre; a soft kernel; more coverage.
    """
    longest = max(map(coverage_mm, among))
    step = _step_mm(part)
    return (
        is_reformat(part.planes[0]),
        not is_axial(part),
        coverage_mm(part) < _ENOUGH_OF_LONGEST * longest,
        round(step) if step >= _THINNEST_MM else 99,
        is_sharp(part.planes[0].kernel),
        -round(coverage_mm(part)),
    )


def traits(part: Part) -> list[str]:
    """What spoke for a reconstruction, for people."""
    return [
        "reformat" if is_reformat(part.planes[0]) else "original",
        "axial" if is_axial(part) else "not axial",
        f"step {_step_mm(part):.2f} mm",
        "sharp kernel" if is_sharp(part.planes[0].kernel) else "soft kernel",
        f"{coverage_mm(part):.0f} mm long",
    ]


def coverage_mm(part: Part) -> float:
    """Slices times step."""
    return part.stack.slices * _step_mm(part)


def is_axial(part: Part) -> bool:
    """Whether slices are stacked towards the head, give or take 37 degrees."""
    normal = part.stack.affine_lps[:3, 2]
    return bool(abs(normal[2]) > 0.8 * np.linalg.norm(normal))


def _step_mm(part: Part) -> float:
    return spacing_of(part.stack.affine_lps)[0]
