"""The template environment that HTML and PDF share: all that comes from outside stays text."""

from typing import Any

import jinja2
from markupsafe import Markup

from pipelines.rendering import wording
from pipelines.rendering.content import percent

_UNPRINTABLE = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_UNPRINTABLE |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
_UNPRINTABLE |= dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd")


def environment() -> jinja2.Environment:
    """Escapes every value, refuses unknown names, and loads no other template."""
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.BaseLoader(),
        finalize=_finalized,
    )
    made.filters["percent"] = percent
    made.filters["place"] = wording.place
    return made


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def visible(text: str) -> str:
    """The text with control characters as their pictures: markup cannot hold a NUL as it is.

    >>> visible("a" + chr(0)) == "a" + chr(0x2400)
    True
    """
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no character
    return text.replace("\r\n", "\n").translate(_UNPRINTABLE)
