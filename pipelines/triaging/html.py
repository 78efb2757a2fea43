"""A worklist as one self-contained page that sorts by keyboard and reaches nothing."""

from functools import cache
from importlib.metadata import version
from importlib.resources import files

import jinja2
from markupsafe import Markup

from pipelines.rendering.finding_wording import OUTSIDE
from pipelines.rendering.html import content_policy
from pipelines.rendering.markup import environment
from pipelines.triaging import wording
from pipelines.triaging.worklist import Worklist

_STALE_MINUTES = 5  # a watched list is written every few seconds


def render(worklist: Worklist, *, refresh_seconds: int | None = None) -> str:
    """The page; with `refresh_seconds` a browser loads it again so often (a folder that fills)."""
    style = _resource("plain.css", "pipelines.rendering.page") + _resource("worklist.css")
    script = _resource("worklist.js")
    page = _template().render(
        worklist=worklist,
        notices=wording.notices(worklist),
        summary=wording.summary(worklist),
        wording=wording,
        headings=wording.HEADINGS,
        outside=OUTSIDE,
        stale_minutes=_STALE_MINUTES,
        refresh_seconds=refresh_seconds,
        policy=content_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        version=version("chestct"),
    )
    return page.lstrip() + "\n"


def _resource(name: str, package: str = "pipelines.triaging.page") -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    return environment().from_string(_resource("worklist.html.j2"))
