"""A report's sections and sentences, with exact offsets, in one walk from left to right."""

import re
from typing import NamedTuple

from configs.cue import CuePack, Scope
from configs.phrase import compile_phrase

FINDINGS, IMPRESSION, ADDENDUM = "findings", "impression", "addendum"
EVIDENCE_SECTIONS = frozenset({FINDINGS, IMPRESSION, ADDENDUM})
"""What these sections say is evidence; history, technique or recommendation is not."""

_LONGEST_SENTENCE = 600
_QUOTES = frozenset('"“”•·')
_BOUNDARY = re.compile(
    r"""[.!?;\n"“”•·:)-](?:  # one class of characters first: the search skips all others quickly
        (?<=[.!])(?<![.!][.!])[.!]*+(?=[\s"•*)\]]|$|[A-Z][a-z])  # also where a space was forgotten
      | (?<=\?)(?=\s+[A-Z"•]|\s*$)
      | (?<=;)(?=\s)
      | (?<=\n)\s*
      | (?<=["“”•·])["“”•·]*
      | (?<=[^:\s]\s-)(?=\s?[A-Z])
      | (?<=\s\d\))(?=\s+[A-Z])
      | (?<=:)(?=\s|$)
    )""",
    re.VERBOSE,
)
_ABBREVIATION = re.compile(r"\b(?:dr|mr|mrs|ms|prof|approx|vs|fig|e\.g|i\.e|st)$", re.IGNORECASE)
_ABBREVIATIONS_END_IN = frozenset("rsfxget")
_LONGEST_HEADER = 48
_SHORT_LINE = 60


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
        findings = sorted(h for h, section in self._sections.items() if section == FINDINGS)
        self._findings_header = re.compile(
            r"\b(?:" + "|".join(map(re.escape, findings)) + r")\s?:", re.IGNORECASE
        )

        values = "|".join(sorted(_values(packs)))
        self._value = re.compile(rf"\s?(?:{values})(?=\s*(?:[.,;\n]|$))", re.IGNORECASE)

    def is_value(self, text: str, at: int) -> bool:
        """Whether a value stands alone at a place: "Pneumothorax - None"."""
        return self._value.match(text, at) is not None

    def sentences(self, text: str) -> list[Sentence]:
        """The report's sentences in order.

        Without any header a report begins in `findings`; a lone quote mark or bullet opens its
        `impression`, as translated reports write it.
        """
        return _Walk(text, self).sentences

    def section_of(self, header: str) -> str | None:
        """The section that a lower-cased header opens, or None where it names something else."""
        return self._sections.get(header)

    def last_findings(self, text: str) -> int:
        """Where the last header of findings begins; -1 where there is none."""
        return max((match.start() for match in self._findings_header.finditer(text)), default=-1)


def _values(packs: tuple[CuePack, ...]) -> set[str]:
    """The expressions of all cues that are values; one that matches nothing where there is none."""
    return {
        phrase.expression
        for pack in packs
        for cue in pack.cues
        if cue.scope is Scope.VALUE
        for source in cue.phrases
        for phrase in compile_phrase(source)
    } or {r"(?!)"}


class _Walk:
    """One walk over one report."""

    def __init__(self, text: str, segmenter: Segmenter) -> None:
        self.sentences: list[Sentence] = []
        self._text = text
        self._segmenter = segmenter
        self._section, self._topic = FINDINGS, ""
        self._return_to: str | None = None  # the section to go back to after "History: ..."
        self._return_at = -1  # where: a line's end, or -1 after one sentence
        self._headed = False
        self._last_findings: int | None = None
        self._start = 0
        for boundary in _BOUNDARY.finditer(text):
            mark, end = text[boundary.start()], boundary.end()
            if boundary.start() >= self._start:
                self._at(mark, boundary.start(), end)
        self._cut(len(text), len(text))

    def _at(self, mark: str, at: int, end: int) -> None:
        text = self._text
        if mark == ".":
            if not _is_inner_stop(text, self._start, at):
                self._cut(end, end)
        elif mark == ":":
            self._header(at, end)
        elif mark == "\n":
            if _is_line_end(text, self._start, at, end):
                self._cut(at, end)
                self._topic = ""
        elif mark in _QUOTES:
            self._cut(at, end)
            if not self._headed:
                self._section, self._topic = IMPRESSION, ""
        elif mark == "-":
            if not self._segmenter.is_value(text, end):
                self._cut(at, end)
        elif mark == ")":
            if text.rfind("(", self._start, at) < 0:  # an item's number: "2) No nodule"
                self._cut(at - 1, end)
        else:
            self._cut(end, end)

    def _header(self, at: int, end: int) -> None:
        header = _header(self._text, self._start, at)
        if header is None:
            return
        section = self._segmenter.section_of(header.lower())
        if section is None:
            if header.isupper() or _opens_line(self._text, self._start, header):
                self._topic = header.lower()  # and stays in its sentence: "Pneumothorax: none."
            return
        if self._last_findings is None:  # once a report, however many headers it has
            self._last_findings = self._segmenter.last_findings(self._text)
        passing = section not in EVIDENCE_SECTIONS and self._last_findings < end
        if passing:
            self._return_to = self._section if self._return_to is None else self._return_to
            self._return_at = self._text.find("\n", end)
        else:
            self._return_to = None
        self._section, self._topic = section, ""
        self._headed = self._headed or not passing
        self._start = end

    def _cut(self, end: int, next_start: int) -> None:
        """End a sentence; one that is too long to be one is cut at spaces."""
        text, start = self._text, self._start
        self._start = next_start
        while end - start > _LONGEST_SENTENCE:
            space = text.rfind(" ", start + 1, start + _LONGEST_SENTENCE)
            middle = space if space > start else start + _LONGEST_SENTENCE
            self._add(start, middle)
            start = middle
        self._add(start, end)

    def _add(self, start: int, end: int) -> None:
        piece = self._text[start:end].rstrip()
        stripped = piece.lstrip()
        if not stripped:
            return
        start += len(piece) - len(stripped)
        if self._return_to is not None and 0 <= self._return_at <= start:
            self._section, self._return_to = self._return_to, None
        place = start, start + len(stripped), self._section, self._topic
        self.sentences.append(tuple.__new__(Sentence, place))
        if self._return_to is not None and self._return_at < 0:
            self._section, self._return_to = self._return_to, None


def _header(text: str, start: int, end: int) -> str | None:
    """The words before a colon where they can be a header, else None."""
    if end - start > _LONGEST_HEADER:
        return None
    header = text[start:end].strip(" \t\n*#-.0123456789)(")
    if not header or not header[0].isalpha() or header.count(" ") > 4:
        return None
    return header


def _opens_line(text: str, start: int, header: str) -> bool:
    """Whether a header that is not in capitals begins a line, or is one capitalised word."""
    if not header[0].isupper():
        return False
    before = text[:start].rstrip(" \t")
    return " " not in header or not before or before[-1] == "\n"


def _is_inner_stop(text: str, start: int, at: int) -> bool:
    """Whether a full stop belongs to an abbreviation, an ordinal ("3. rib"), an item's number."""
    last = text[at - 1] if at else " "
    if last.isdigit():
        return text[at + 1 : at + 3].strip().islower() or text[start:at].strip().isdigit()
    if last.lower() not in _ABBREVIATIONS_END_IN:  # a cheap test first: few words pass it
        return False
    return _ABBREVIATION.search(text, max(start, at - 8), at) is not None


def _is_line_end(text: str, start: int, at: int, end: int) -> bool:
    """Whether a line break ends a sentence: after a blank line, or between short capital lines."""
    if end >= len(text) or text.count("\n", at, end) > 1:
        return True
    following = text[end]
    if following.isdigit() or following in "-*•#":
        return True
    line_start = max(text.rfind("\n", 0, at) + 1, start)
    return following.isupper() and at - line_start < _SHORT_LINE
