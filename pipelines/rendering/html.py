"""A `ScanReport` and its pictures as one self-contained HTML page.

Nothing in the page can reach out: its content security policy allows data images and exactly the
style and script written here, by their hashes, so that a string that slipped through escaping would
still be inert.
"""

import base64
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from pipelines.rendering import finding_wording, wording
from pipelines.rendering.content import Finding, Focus, ScanReport, Status, percent
from pipelines.rendering.display import WINDOWS_HU, load_display
from pipelines.rendering.lists import lists
from pipelines.rendering.markup import environment
from pipelines.rendering.pictures import KeyImage, Pictures, draw
from pipelines.rendering.slices import CURVE_HU, CURVE_LEVEL

if TYPE_CHECKING:
    from pipelines.rendering.reading import Reading

_SCRIPTS = ("volume.js", "planes.js", "hands.js")  # one scope, in this order


def page(reading: "Reading") -> str:
    """The page of a scan that was read or refused, its pictures drawn."""
    if reading.volume is None or reading.prediction is None:
        return render(reading.content)
    return render(reading.content, draw(reading.content, reading.volume, reading.prediction))


def render(report: ScanReport, pictures: Pictures | None = None) -> str:
    """The page; a refused scan's page has reasons and no pictures."""
    style, script = _resource("report.css"), _script()
    page = _template().render(
        report=report,
        refused=report.status is Status.REFUSED,
        policy=content_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        **wording.worded(report),
        lists=lists(report),
        compared=finding_wording.compared(report),
        windows=[window.value for window in WINDOWS_HU],
        viewer=_viewer(report, pictures) if pictures else None,
        key_images=[_key(key) for key in pictures.key_images] if pictures else [],
        version=version("chestct"),
    )
    return page.lstrip() + "\n"


def content_policy(style: str, script: str) -> str:
    """The content security policy of a page with this one style and script, and data images."""

    def source(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    return (
        f"default-src 'none'; img-src data:; style-src {source(style)}; "
        f"script-src {source(script)}; base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return files("pipelines.rendering.page").joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    parts = "\n".join(_resource(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


@cache
def _template() -> jinja2.Template:
    return environment().from_string(_resource("report.html.j2"))


def _key(key: KeyImage) -> dict[str, Any]:
    return {
        "name": key.finding.name,
        "percent": finding_wording.chance(key.finding),
        "place": finding_wording.place(key.focus),
        "slice": key.focus.best_slice,
        "window": key.window.value,
        "base64": base64.b64encode(key.jpeg).decode(),
    }


def _viewer(report: ScanReport, pictures: Pictures) -> dict[str, Any]:
    """What the page's script needs: pictures, geometry, and each finding in display words."""
    slices = pictures.slices
    z, y, x = np.linalg.norm(slices.affine_lps[:3, :3], axis=0)[::-1].tolist()
    assert report.geometry is not None
    depth = report.geometry.shape_zyx[0]
    numbers = depth - slices.indices  # counted from the head
    found = lists(report)
    groups = (*found.present.groups, *found.indeterminate.groups)
    listed = [entry.finding for group in groups for entry in group.entries]
    some_map = next(iter(pictures.maps.values()), None)
    identity = np.eye(4)
    to_map = np.linalg.inv(some_map.affine_lps) @ slices.affine_lps if some_map else identity
    return {
        "shape_zyx": slices.shape_zyx,
        "spacing_mm_zyx": (z, y, x),
        "affine_lps": slices.affine_lps.round(5).tolist(),
        "slice_numbers": numbers.tolist(),
        "slice_count": depth,
        "curve": {"hu": CURVE_HU, "level": CURVE_LEVEL},
        "windows": {window.value: hu for window, hu in WINDOWS_HU.items()},
        "map_shape_zyx": some_map.cells_zyx.shape if some_map else None,
        "view_to_map": to_map.round(8).tolist(),
        "first": listed[0].label if listed else None,
        "findings": [_viewed(finding, pictures, numbers) for finding in report.findings],
        "jpegs": [base64.b64encode(jpeg).decode() for jpeg in slices.jpegs],
    }


def _viewed(finding: Finding, pictures: Pictures, numbers: NDArray[np.int_]) -> dict[str, Any]:
    evidence = pictures.maps.get(finding.label)
    profile = pictures.profiles.get(finding.label, np.zeros(0))
    to_view = np.linalg.inv(pictures.slices.affine_lps)
    last = np.asarray(pictures.slices.shape_zyx[::-1]) - 1

    def nearest(focus: Focus) -> list[int]:
        index = np.clip(to_view[:3, :3] @ focus.peak_xyz_mm + to_view[:3, 3], 0, last)
        column, row, _ = index.round().astype(int).tolist()
        # Not by rounding: a peak half-way between two slices must open the one that is named.
        return [column, row, int(np.abs(numbers - focus.best_slice).argmin())]

    return {
        "label": finding.label,
        "name": finding.name,
        "percent": finding_wording.chance(finding),
        "decision": finding_wording.decision(finding),
        "spread": finding_wording.spread(finding),
        "frequency": finding_wording.frequency(finding),
        "cautions": [caution.meaning for caution in finding.cautions],
        "window": load_display().of(finding.label).window.value,
        "map": base64.b64encode(evidence.cells_zyx.tobytes()).decode() if evidence else None,
        "profile": [round(float(value), 3) for value in profile],
        "foci": [
            {
                "at": nearest(focus),
                "place": finding_wording.place(focus),
                "slices": finding_wording.slices(focus),
                "size": finding_wording.size(focus),
                "share": percent(focus.share),
            }
            for focus in finding.foci
        ],
    }
