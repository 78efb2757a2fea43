"""The template environment that HTML and PDF share: all that comes from outside stays text."""

from typing import Any

import jinja2
from markupsafe import Markup

from pipelines.rendering import finding_wording
from pipelines.rendering.content import percent

_UNPRINTABLE = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
_UNPRINTABLE |= {0x7F: "\u2421"} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
_UNPRINTABLE |= dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd")


_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNPRINTED = dict.fromkeys(_BIDI, "\ufffd") | {0x2028: "\n", 0x2029: "\n"}
"""What a page isolates but WeasyPrint cannot: it would mirror what follows, or stop at it."""


def environment(*, for_print: bool = False) -> jinja2.Environment:
    """Escapes every value, refuses unknown names, and loads no other template."""
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.BaseLoader(),
        finalize=_printed if for_print else _finalized,
    )
    made.filters["percent"] = percent
    made.filters["chance"] = finding_wording.chance
    made.filters["cut"] = finding_wording.cut
    made.filters["flagged"] = finding_wording.flagged
    made.filters["place"] = finding_wording.place
    return made


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _printed(value: Any) -> Any:
    shown = _finalized(value)
    return shown if not isinstance(shown, str) else type(shown)(shown.translate(_UNPRINTED))


def visible(text: str) -> str:
    """The text with control characters as their pictures: markup cannot hold a NUL as it is.

    >>> visible("a" + chr(0)) == "a" + chr(0x2400)
    True
    """
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no character
    return text.replace("\r\n", "\n").translate(_UNPRINTABLE)
