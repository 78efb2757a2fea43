"""Which examinations are read, by the words and codes of their names."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+")
_HEAD_LINE = re.compile(
    r"^[ \t]*+(?:exam|examination|procedure|study|exam type|type of exam|title)[ \t]*+"
    r":[ \t]*+(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST_NAME = 300


class ExamFilter:
    """Keeps the examinations whose name holds one of the patterns.

    A pattern is words that follow each other, in any case; `*` in a word stands for any letters:
    `ct chest`, `thora*`, `71260`. Without patterns everything is kept.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        expressions = [_expression(pattern) for pattern in patterns if pattern.strip()]
        self._pattern = re.compile("|".join(expressions)) if expressions else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def keeps(self, name: str) -> bool:
        """Whether an examination of this name is wanted."""
        return self._pattern is None or self._pattern.search(_words(name)) is not None


def exam_in_text(text: str) -> str:
    r"""What a report's own line "EXAM: ..." calls the examination; empty where there is none.

    >>> exam_in_text("EXAM: CT CHEST WITHOUT CONTRAST\n\nFINDINGS: clear")
    'CT CHEST WITHOUT CONTRAST'
    """
    match = _HEAD_LINE.search(text)
    return match[1].strip()[:_LONGEST_NAME] if match else ""


def _words(name: str) -> str:
    return f" {' '.join(_WORD.findall(name.lower()))} "


def _expression(pattern: str) -> str:
    words = re.findall(r"[\w*]+", pattern.lower().replace("_", " "))
    return " " + " ".join(re.escape(word).replace(r"\*", r"\w*") for word in words) + "(?= )"
