"""HL7 v2 as bytes on disk: messages out of files and batches, fields out of segments, escapes.

HL7 v2.9 chapter 2: delimiters stand in MSH-1 and MSH-2, segments end with a carriage return (here
also with a line feed), messages may be framed by MLLP (0x0B ... 0x1C 0x0D) and wrapped in batches
(FHS, BHS ... BTS, FTS).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 32_000_000
_BREAKS = re.compile(rb"[\r\n\x0b\x1c]+")
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_START = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x0b]*(?:MSH|FHS|BHS)[^\w\s]")

_CODECS = {
    "": "utf-8",  # and so ASCII; anything else without a character set is refused, not guessed
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
}


class CharsetError(Exception):
    """A message whose character set is unknown, or does not fit its bytes."""


def begins_hl7(head: bytes) -> bool:
    """Whether a file that begins so holds HL7 v2 messages."""
    return _START.match(head) is not None


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message's segments as bytes, and where its first byte stands in the file."""

    offset: int
    segments: tuple[bytes, ...]
    too_long: bool = False


def messages(chunks: Iterable[bytes]) -> Iterator[RawMessage]:
    """The messages of a stream of bytes; what stands before the first comes as one of its own.

    A line that is no segment continues the one before: senders forget to escape line breaks.
    """
    segments: list[list[bytes]] = []
    size, start = 0, 0
    for offset, line in _lines(chunks):
        if line[:3] in _ENVELOPE and not line[3:4].isalnum():
            continue
        begins = line[:3] == b"MSH" and len(line) > 3 and not line[3:4].isalnum()
        if begins and segments:
            yield _raw(start, segments, size)
            segments, size = [], 0
        if not segments:
            start = offset
        size += len(line)
        if size > MAX_MESSAGE_BYTES and segments:
            del segments[1:], segments[0][1:]
        elif not segments or _is_segment(line, segments[0][0]):
            segments.append([line])
        else:
            segments[-1].append(line)
    if segments:
        yield _raw(start, segments, size)


def _raw(start: int, segments: list[list[bytes]], size: int) -> RawMessage:
    joined = tuple(b"\n".join(lines) for lines in segments)
    return RawMessage(start, joined, size > MAX_MESSAGE_BYTES)


def _is_segment(line: bytes, header: bytes) -> bool:
    name = line[:3]
    named = len(name) == 3 and name.isalnum() and name.isupper() and name[:1].isalpha()
    return named and line[3:4] in (header[3:4], b"")


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, each with its offset; a line without end is cut at the limit."""
    rest, offset = b"", 0
    for chunk in chunks:
        rest += chunk
        position = 0
        for end in _BREAKS.finditer(rest):
            if end.start() > position:
                yield offset + position, rest[position : end.start()]
            position = end.end()
        if len(rest) - position > MAX_MESSAGE_BYTES:
            yield offset + position, rest[position:]
            position = len(rest)
        rest, offset = rest[position:], offset + position
    if rest:
        yield offset, rest


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message: its delimiters, and its segments as lists of raw fields."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    codec: str
    segments: tuple[tuple[str, ...], ...]

    @classmethod
    def decoded(
        cls, raw: RawMessage, *, codec: str | None = None, undeclared: str = "utf-8"
    ) -> "Message":
        """The message in `codec`; without one in the set of MSH-18, or `undeclared` if it is empty.

        Raises CharsetError, or ValueError where it has no usable MSH segment.
        """
        header = raw.segments[0]
        if header[:3] != b"MSH" or len(header) < 5:
            raise ValueError("does not begin with an MSH segment")
        fields = header.split(header[3:4])
        names = fields[17].strip() if len(fields) > 17 else b""
        if codec is None:
            codec = _codec(names.split(header[5:6] or b"~")) if names else undeclared
        try:
            texts = [segment.decode(codec) for segment in raw.segments]
        except UnicodeDecodeError:
            if names:
                raise CharsetError("bytes that are not of its character set (MSH-18)") from None
            raise CharsetError(
                f"bytes that are not {codec}, and no character set is declared (MSH-18)"
            ) from None
        field = texts[0][3]
        marks = texts[0][4:].split(field)[0]
        marks = marks[:4] + "^~\\&"[len(marks[:4]) :]
        segments = tuple(tuple(text.split(field)) for text in texts)
        return cls(field, marks[0], marks[1], marks[2], marks[3], codec, segments)

    def text(self, raw: str) -> str:
        """A field's or component's text, its escapes replaced; unknown escapes stay as they are.

        Raises CharsetError where an escape changes the character set.
        """
        if self.escape not in raw:
            return raw
        mark = re.escape(self.escape)
        return re.sub(f"{mark}([^{mark}\r\n]{{1,4000}}){mark}", self._unescaped, raw)

    def _unescaped(self, match: re.Match[str]) -> str:
        code = match[1]
        marks = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
            "H": "",
            "N": "",
        }
        if code in marks:
            return marks[code]
        kind, rest = code[0], code[1:]
        if kind in "CM" and _is_hex(rest):
            raise CharsetError("escapes that change the character set")
        if kind == "X" and _is_hex(rest):
            return self._bytes(bytes.fromhex(rest))
        if kind == "." and (layout := _LAYOUT.fullmatch(rest.lower())):
            return _LAYOUTS[layout[1]](int(layout[2] or 1))
        return match[0]

    def _bytes(self, content: bytes) -> str:
        try:
            return content.decode(self.codec).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            raise CharsetError("escaped bytes that are not of its character set") from None


_LAYOUT = re.compile(r"(br|sp|ce|in|ti|sk|fi|nf)\s*[+-]?(\d{1,2})?", re.ASCII)
_LAYOUTS: dict[str, Callable[[int], str]] = {
    "br": lambda _: "\n",
    "sp": lambda count: "\n" * max(1, count),
    "ce": lambda _: "\n",
    "sk": lambda count: " " * count,
    "in": lambda _: "",
    "ti": lambda _: "",
    "fi": lambda _: "",
    "nf": lambda _: "",
}


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and re.fullmatch("[0-9A-Fa-f]+", text) is not None


def _codec(names: list[bytes]) -> str:
    """Python's codec for MSH-18; the first set is the default, others come by ISO 2022 escapes."""
    try:
        known = [_CODECS[name.decode("ascii").strip().upper()] for name in names]
    except (KeyError, UnicodeDecodeError):
        raise CharsetError("a character set that is not known (MSH-18)") from None
    switching = [codec for codec in known[1:] if codec.startswith("iso2022")]
    return switching[-1] if switching else known[0]
