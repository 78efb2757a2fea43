"""Text files as they are found: compressed or not, with or without a BOM, in UTF-8 or another."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from configs.contracts import InputError
from configs.files import first_line

MAX_RECORD_CHARS = 4_000_000
"""No record is followed further than this, so that one runaway quote cannot eat an archive."""

_UNDECODED = re.compile("[\ud800-\udfff\ufffd\0]")
_NOT_TEXT = {
    b"PK\x03\x04": "a zip or Excel file; save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file; save the sheet as CSV (UTF-8)",
    b"%PDF": "a PDF; reports are read from text, CSV, JSON lines or Parquet",
    b"PAR1": "a Parquet file under another name; rename it to .parquet",
    b"\x1f\x8b": "compressed by gzip; add .gz to its name",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard; add .zst to its name",
    b"BZh": "compressed by bzip2; add .bz2 to its name",
    b"SQLite format 3\0": "an SQLite database; export the table as CSV (UTF-8)",
}


def undecoded(text: str) -> bool:
    """Whether the text holds bytes that its file's encoding could not decode, or NUL."""
    return _UNDECODED.search(text) is not None


def known_encoding(name: str | None) -> str | None:
    """Python's own name of an encoding of text; raises InputError where there is none."""
    if name is None:
        return None
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise InputError(
            f"--encoding {name!r}: no such encoding; windows-1252, latin-1 and utf-16 are some"
        ) from None


@contextmanager
def open_text(path: Path, encoding: str | None = None) -> Iterator[TextIO]:
    """Open a text file, also .gz, .bz2 or .zst, with its line ends as they are.

    A BOM tells the encoding; without one it is `encoding`, else UTF-8, or UTF-16 by its zero bytes.

    Bytes that do not decode come as characters for which `undecoded` is true, so that they cost
    one record and not the file. Raises InputError when the file is missing, not text, or broken.
    """
    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            head = stream.read(4096)
        _refuse_other_formats(path, head)
        found, errors = _encoding(head, encoding)
        with pa.input_stream(str(path), compression="detect") as stream:
            yield io.TextIOWrapper(stream, encoding=found, errors=errors, newline="")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read to its end ({first_line(error)})") from None


def _refuse_other_formats(path: Path, head: bytes) -> None:
    if not head.strip():
        raise InputError(f"{path}: the file is empty")
    for magic, what in _NOT_TEXT.items():
        if head.startswith(magic):
            raise InputError(f"{path}: this is {what}")


def _encoding(head: bytes, named: str | None) -> tuple[str, str]:
    """The encoding by BOM, by name or, in UTF-16, by where the zero bytes of ASCII stand."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "replace"
    if named is not None and not head.startswith(codecs.BOM_UTF8):
        return named, "replace"
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[offset::2]
        if len(half) >= 4 and half.count(0) > 0.4 * len(half):
            return encoding, "replace"
    return "utf-8-sig", "surrogateescape"
