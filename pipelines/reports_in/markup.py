"""Markup to plain text: RTF, HTML and escapes, recognised by what they surely are.

Text without markup comes back as it is, character for character, be there a "<5 mm", a "{" or a
lone "&" in it.
"""

import codecs
import html
import re
from html.parser import HTMLParser

from striprtf.striprtf import rtf_to_text

_RTF = re.compile(r"\{\\rtf\d?[\\{} \r\n]")
_RTF_MARKS = re.compile(r"\\[\s\S]|[{}]")
_CODEPAGE = re.compile(r"\\ansicpg(\d{1,5})")
_BRACE = re.compile(r"[{}]")
_LONGEST_RTF = 4_000_000
_LONGEST_FONT_TABLE = 20_000
_BINARY = re.compile(r"\\bin\d+")

_TAGS_ALONE = "html|head|body|div|br|table|tbody|thead|tr|td|th|ul|ol|li|h[1-6]|hr|pre|span|font"
_TAGS_PAIRED = "p|b|i|u|a|em|strong|center|small|big|sub|sup|blockquote|section|article|title|dl|dt"
_ATTRIBUTES = r"(?:\s[^<>]{0,1000})?/?>"
_HTML = re.compile(rf"<!doctype\s+html|<(?:{_TAGS_ALONE}){_ATTRIBUTES}", re.IGNORECASE)
_HTML_OPENED = re.compile(rf"<(?:{_TAGS_PAIRED}){_ATTRIBUTES}", re.IGNORECASE)
_HTML_CLOSED = re.compile(rf"</(?:{_TAGS_PAIRED})\s{{0,9}}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d{1,6}|#[xX][0-9a-fA-F]{1,6});")
_ESCAPED_ROUNDS = 3  # "&amp;lt;p&amp;gt;" passed through two systems

_EXCEL_CONTROL = re.compile(r"_x00(0D|0A|09)_", re.IGNORECASE)
_LITERAL_BREAK = re.compile(r"\\r\\n|\\n|\\r")
_HL7_BREAK = re.compile(r"\\(?:\.br|X0D0A|X0A|X0D)\\", re.IGNORECASE)
_HL7_CHARS = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", "H": "", "N": ""}
_HL7_CHAR = re.compile(r"\\([FSTREHN])\\")


def plain(text: str) -> str:
    """The text without its markup; text without markup is returned unchanged.

    Raises ValueError for RTF that cannot be read.
    """
    if "\\" in text:
        if _RTF.search(text):
            return _without_rtf(text)
        text = _without_escapes(text)
    if "_x00" in text:
        text = _EXCEL_CONTROL.sub(_excel_control, text)
    for _ in range(_ESCAPED_ROUNDS):
        if "<" in text and _is_html(text):
            return _without_html(text)
        if "&" not in text or not _ENTITY.search(text):
            break
        text = html.unescape(text).replace("\xa0", " ")
    return text


def _is_html(text: str) -> bool:
    if _HTML.search(text):
        return True
    return bool(_HTML_CLOSED.search(text) and _HTML_OPENED.search(text))


def _without_rtf(text: str) -> str:
    """The text with each RTF document inside it replaced by what that says."""
    parts, position = [], 0
    while start := _RTF.search(text, position):
        end = _end_of_group(text, start.start())
        parts += [plain(text[position : start.start()]), _rtf_document(text[start.start() : end])]
        position = end
    parts.append(plain(text[position:].rstrip("\0")))
    return "\n".join(part.strip() for part in parts if part.strip())


def _end_of_group(text: str, start: int) -> int:
    depth = 0
    for mark in _RTF_MARKS.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if depth == 0 and mark[0] == "}":
            return mark.end()
    raise ValueError("RTF that breaks off: a brace is never closed")


def _rtf_document(source: str) -> str:
    if len(source) > _LONGEST_RTF or _BINARY.search(source) or not _font_table_is_small(source):
        raise ValueError("RTF with binary data, or far too long")
    codepage = _CODEPAGE.search(source)
    encoding = f"cp{codepage[1]}" if codepage and _is_codec(f"cp{codepage[1]}") else "cp1252"
    source = source.replace("\\fldinst", "\\fldinst ")  # no links as Markdown; quadratic, too
    try:
        text = str(rtf_to_text(source, encoding=encoding, errors="replace"))
    except Exception:  # a parser of foreign bytes; what it stumbles over is not to be told
        raise ValueError("RTF that cannot be read") from None
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # pairs to characters


def _font_table_is_small(source: str) -> bool:
    """Whether the font table ends soon: striprtf's time is quadratic in its length."""
    start = source.find("\\fonttbl")
    depth = 1
    for brace in _BRACE.finditer(source, start, start + _LONGEST_FONT_TABLE):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            break
    return start < 0 or depth == 0 or len(source) - start < _LONGEST_FONT_TABLE


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True


def _without_escapes(text: str) -> str:
    """HL7 escapes and written-out line breaks, as exports leave them in a cell."""
    if _HL7_BREAK.search(text):
        text = _HL7_BREAK.sub("\n", text)
        text = _HL7_CHAR.sub(lambda match: _HL7_CHARS[match[1]], text)
    if "\n" not in text and "\r" not in text:
        text = _LITERAL_BREAK.sub("\n", text)
    return text


def _excel_control(match: re.Match[str]) -> str:
    return {"0D": "", "0A": "\n", "09": "\t"}[match[1].upper()]


def _without_html(text: str) -> str:
    reader = _HtmlText()
    reader.feed(text)
    reader.close()
    return reader.text()


_LINES = {"br", "tr", "li", "dt", "dd", "hr"}
_BLOCKS = {"p", "div", "table", "ul", "ol", "dl", "pre", "blockquote", "section", "article", "body"}
_BLOCKS |= {f"h{level}" for level in range(1, 7)}
_DROPPED = {"script", "style", "head", "title", "template", "noscript"}


class _HtmlText(HTMLParser):
    """The words of a page: blocks on lines of their own, cells apart, no scripts and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._dropped: str | None = None
        self._kept_lines = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - HTMLParser calls it
        if self._dropped is None and tag in _DROPPED:
            self._dropped = tag
        elif tag == "body":
            self._dropped = None  # a head that was never closed
        self._kept_lines += tag == "pre"
        self._break(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as above
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._dropped:
            self._dropped = None
        if tag == "pre":
            self._kept_lines = max(0, self._kept_lines - 1)
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._dropped is None:
            self._parts.append(data if self._kept_lines else re.sub(r"\s+", " ", data))

    def unknown_decl(self, data: str) -> None:
        """Drop it: a CDATA section or a word processor's condition."""

    def text(self) -> str:
        lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in self._joined().split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _joined(self) -> str:
        return "".join(self._parts)

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._parts.append("\n\n" if tag == "p" else "\n")
        elif tag in _LINES:
            self._parts.append("\n")
        elif tag in ("td", "th"):
            self._parts.append(" ")
