"""A sheet: what people are asked to judge, as data, and as one self-contained page."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.resources import files

import jinja2
from markupsafe import Markup

SHEET_FORMAT = 1
SENTENCES, ADJUDICATION = "sentences", "adjudication"
READERS = ("reader-1", "reader-2")
"""The names of sheets: one of sentences; two of an audit, and the one that settles them."""


class Kind(StrEnum):
    """What a sheet's items are."""

    SENTENCES = "sentences"
    """Sentences with what the rules read in them, to confirm or correct."""
    AUDIT = "audit"
    """Whole reports without any label."""
    ADJUDICATION = "adjudication"
    """Reports on whose labels two readers differ."""


_ABOUT = {
    Kind.SENTENCES: (
        "Which labels do these words state, read alone? What the rules read is filled in: correct "
        "it, then accept. Leave out what cannot be decided from the words."
    ),
    Kind.AUDIT: (
        "Which labels does this report state? Mark those that are present, or uncertain; all "
        "others may stay as they are. The archive's labels are not shown; do not look them up."
    ),
    Kind.ADJUDICATION: (
        "Two readers differ on the labels below. Decide each of them from the report's words."
    ),
}


@dataclass(frozen=True, slots=True)
class Item:
    """A sentence or report to judge."""

    id: str
    """Names it in decisions; never a report's own identifier."""
    pieces: Sequence[tuple[str, str | None]]
    """The text in pieces, each with the existence of the fact that it states, or None."""
    asked: Sequence[str]
    """Labels shown; all others can be added."""
    proposal: Mapping[str, int] = field(default_factory=dict)
    before: str = ""
    """The sentence before it in one of the reports."""
    after: str = ""
    reports: int = 1
    why: Sequence[str] = ()
    """Why it is asked, one sentence a reason."""
    readers: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    """What the readers said who differ."""

    @property
    def text(self) -> str:
        """Its words."""
        return "".join(words for words, _ in self.pieces)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Items for one person."""

    kind: Kind
    name: str
    """`sentences`, `reader-1`, `reader-2` or `adjudication`."""
    worksheet: str
    """A hash that all sheets of one folder share, and their decisions name."""
    labels: Sequence[str]
    items: Sequence[Item]

    def page(self) -> str:
        """One HTML file; nothing in it can reach out, and no string from a report is markup."""
        style, script = _resource("sheet.css"), _resource("sheet.js")
        content = {"format": SHEET_FORMAT, "about": _ABOUT[self.kind], **asdict(self)}
        # ASCII alone, and no "<": nothing inside can end the element that holds it.
        data = json.dumps(content, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
        template = jinja2.Environment(autoescape=True).from_string(_resource("sheet.html.j2"))
        return template.render(
            policy=_policy(style, script),
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            data=Markup(data),  # noqa: S704 - escaped above
        )


def worksheet_hash(labels: Sequence[str], items: Sequence[Item]) -> str:
    """A name for what is asked: the same labels and items give the same."""
    asked = json.dumps([list(labels), [[item.id, item.text] for item in items]])
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _policy(style: str, script: str) -> str:
    def source(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return files("pipelines.reviewing.page").joinpath(name).read_text(encoding="utf-8")
