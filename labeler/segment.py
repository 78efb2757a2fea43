"""A report's sections and sentences, with exact offsets, in one walk from left to right."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from configs.cue import CuePack

FINDINGS, IMPRESSION = "findings", "impression"
_EVIDENCE = frozenset({FINDINGS, IMPRESSION})
_LONGEST_SENTENCE = 1500
_BOUNDARY = re.compile(
    r"""[.!]+(?=[\s"•*)\]]|$|(?=[A-Z][a-z]))   # a full stop, also where the space was forgotten
      | \?(?=\s+[A-Z"•]|\s*$)
      | ;(?=\s)
      | \s*\n\s*
      | \s*["“”•]+\s*
      | (?<=\s)-(?=\s?[A-Z])
      | :(?=\s|$)
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"\b(?:dr|mr|mrs|ms|prof|approx|vs|fig|e\.g|i\.e|st)$",
    re.IGNORECASE,
)


class Sentence(NamedTuple):
    """A stretch of a report, without the white space around it."""

    start: int
    end: int
    section: str
    topic: str
    """The lower-cased header it stands under within the section ("pleura"), or an empty string."""


class Segmenter:
    """Splits reports; knows the section headers of its cue packs."""

    def __init__(self, packs: tuple[CuePack, ...]) -> None:
        self._sections = {
            header: section
            for pack in packs
            for section, headers in pack.sections.items()
            for header in headers
        }
        evidence = sorted(h for h, section in self._sections.items() if section in _EVIDENCE)
        self._evidence_header = re.compile(
            r"\b(?:" + "|".join(map(re.escape, evidence)) + r")\s?:", re.IGNORECASE
        )

    def sentences(self, text: str) -> Iterator[Sentence]:
        """The report's sentences in order.

        Without any header a report begins in `findings`; a lone quote mark or bullet opens its
        `impression`, as translated reports write it.
        """
        section, topic, start, headed = FINDINGS, "", 0, False
        passing: str | None = None  # the section to return to after a lone "Comparison: ..."
        for boundary in _BOUNDARY.finditer(text):
            at, end = boundary.span()
            if at < start:
                continue
            mark = text[at:end]
            stripped = mark.strip()
            if stripped == ":":
                header = self._header(text, start, at)
                if header is None:
                    continue
                known = self._sections.get(header)
                if known is not None:
                    passing = None if known in _EVIDENCE else section
                    if passing is not None and self._evidence_header.search(text, end):
                        passing = None
                    section, topic, headed = known, "", passing is None
                else:
                    topic = header
                start = end
                continue
            if not stripped:
                if not _is_line_end(text, start, at, end):
                    continue
                stop = at
            elif mark[0] in ".!?;":
                if mark == "." and _is_inner_stop(text, start, at):
                    continue
                stop = end
            else:
                stop = at
            yield from _cut(text, start, stop, section, topic)
            start = end
            if passing is not None:
                section, passing = passing, None
            if stripped[:1] in _QUOTES and not headed and stripped:
                section, topic = IMPRESSION, ""
            if topic and "\n" in mark:
                topic = ""
        yield from _cut(text, start, len(text), section, topic)

    def _header(self, text: str, start: int, end: int) -> str | None:
        """The header that ends at a colon, lower-cased, or None where the colon is just a colon."""
        if end - start > 48:
            return None
        header = text[start:end].strip(" \t\n*#-.0123456789)(")
        if not header or not header[0].isalpha() or header.count(" ") > 4:
            return None
        lowered = header.lower()
        if (
            lowered in self._sections
            or header.isupper()
            or (header[0].isupper() and " " not in header)
        ):
            return lowered
        before = text[:start].rstrip(" \t")
        return lowered if header[0].isupper() and (not before or before[-1] == "\n") else None


_QUOTES = ('"', "“", "”", "•")


def _is_inner_stop(text: str, start: int, at: int) -> bool:
    """Whether a full stop belongs to an abbreviation or to a list's item number."""
    return bool(_ABBREVIATION.search(text, max(start, at - 8), at)) or (
        at - start < 6 and text[start:at].strip().isdigit()
    )


def _is_line_end(text: str, start: int, at: int, end: int) -> bool:
    """Whether a line break ends a sentence: after a blank line, or between short capital lines."""
    if text.count("\n", at, end) > 1 or end >= len(text):
        return True
    following = text[end]
    if following.isdigit() or following in "-*•#":
        return True
    line_start = max(text.rfind("\n", 0, at) + 1, start)
    return following.isupper() and at - line_start < 60


def _cut(text: str, start: int, end: int, section: str, topic: str) -> Iterator[Sentence]:
    """The stretch as one sentence, or several where it is too long to be one."""
    while end - start > _LONGEST_SENTENCE:
        space = text.rfind(" ", start + 1, start + _LONGEST_SENTENCE)
        middle = space if space > start else start + _LONGEST_SENTENCE
        yield from _trimmed(text, start, middle, section, topic)
        start = middle
    yield from _trimmed(text, start, end, section, topic)


def _trimmed(text: str, start: int, end: int, section: str, topic: str) -> Iterator[Sentence]:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    if left < right:
        yield Sentence(start + left, start + right, section, topic)
