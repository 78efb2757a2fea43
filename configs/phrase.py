"""The small language of findings, cues and anatomy: words, not regular expressions.

    pleural effusion            these words; a space also stands for hyphen or slash
    effusion*                   any ending: effusion, effusions
    (small|minimal) effusion    one of several
    (free)? fluid               may be missing
    heart {3} enlarged          up to three other words between (no full stop, semicolon or colon)

A phrase is lower case and begins with a word, which is how a text is searched in linear time: the
first words of all phrases are looked up at once, and only there is the rest compared. Every
compiled expression is bounded, so no text can make it slow.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from configs.contracts import InputError

_TOKEN = re.compile(
    r"\{(?P<gap>\d)\}|(?P<open>\()|(?P<close>\)\??)|(?P<bar>\|)|(?P<word>[^\s(){}|*?-]+\*?)|(?P<space>[\s-]+)"
)
_WORD_END = r"(?![^\W_])"
_SEPARATOR = r"[\s/-]{1,3}"
_GAP_WORD = r"[\s,/()-]{1,4}[^\s,/();:.-]{1,40}"
_MAX_FIRST_WORDS = 64


class Start(NamedTuple):
    """One way in which a match can begin."""

    word: str
    """The literal that it begins with."""
    is_stem: bool
    """Letters may follow the literal."""
    ends: bool
    """The match ends with this word."""
    next_letters: frozenset[str] | None
    """What the next word can begin with; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A compiled phrase."""

    source: str
    starts: tuple[Start, ...]
    expression: str
    """A regular expression for the whole phrase, to be matched at the start of a first word."""


def compile_phrase(source: str) -> Phrase:
    """Compile a phrase; raises InputError saying what is wrong with it.

    >>> [start.word for start in compile_phrase("(small|minimal)? pleural effusion*").starts]
    ['small', 'minimal', 'pleural']
    """
    return Phrase(source, *_Parser(source).parse())


@dataclass(frozen=True, slots=True)
class _Part:
    """A parsed stretch: its expression, the ways it can begin, whether it may be empty."""

    expression: str
    starts: tuple[Start, ...]
    optional: bool = False
    gap: bool = False


class _Parser:
    def __init__(self, source: str) -> None:
        if source != source.lower():
            raise InputError(f"phrase {source!r}: write it in lower case")
        self.source = source
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(source):
            match = _TOKEN.match(source, position)
            if match is None or match.lastgroup is None:
                raise InputError(
                    f"phrase {source!r}: cannot read {source[position:]!r}; "
                    "expected words, word*, (a|b), (a)?, {3}"
                )
            if match.lastgroup != "space":
                self.tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self.at = 0

    def parse(self) -> tuple[tuple[Start, ...], str]:
        part = self._alternatives()
        if self.at < len(self.tokens):
            raise InputError(f"phrase {self.source!r}: a bracket closes that was never opened")
        if part.optional or not part.starts:
            raise InputError(f"phrase {self.source!r}: needs at least one word that must be there")
        if len(part.starts) > _MAX_FIRST_WORDS:
            raise InputError(f"phrase {self.source!r}: more than {_MAX_FIRST_WORDS} ways to begin")
        return part.starts, part.expression

    def _alternatives(self) -> _Part:
        branches = [self._sequence()]
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "bar":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return _Part(
            "(?:" + "|".join(branch.expression for branch in branches) + ")",
            tuple(dict.fromkeys(start for branch in branches for start in branch.starts)),
            any(branch.optional for branch in branches),
        )

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.at < len(self.tokens) and self.tokens[self.at][0] not in ("bar", "close"):
            kind, value = self.tokens[self.at]
            self.at += 1
            if kind == "word":
                parts.append(_word(value))
            elif kind == "gap":
                parts.append(_Part(f"(?:{_GAP_WORD}){{0,{value}}}?", (), optional=True, gap=True))
            else:
                parts.append(self._group())
        return self._joined(parts)

    def _group(self) -> _Part:
        inner = self._alternatives()
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "close":
            raise InputError(f"phrase {self.source!r}: a bracket is never closed")
        optional = self.tokens[self.at][1] == ")?"
        self.at += 1
        return _Part(inner.expression, inner.starts, optional or inner.optional)

    def _joined(self, parts: list[_Part]) -> _Part:
        if not parts:
            raise InputError(f"phrase {self.source!r}: an empty alternative")
        if parts[0].gap or parts[-1].gap:
            raise InputError(f"phrase {self.source!r}: {{n}} must stand between words")
        starts: list[Start] = []
        for index, part in enumerate(parts):
            following = parts[index + 1 :]
            starts += [_continued(start, following) for start in part.starts]
            if not part.optional:
                break
        required = next((i for i, part in enumerate(parts) if not part.optional), len(parts))
        pieces = []
        for index, part in enumerate(parts):
            if part.gap:
                pieces.append(part.expression)
            elif index < required:  # optional words before the first that must be there
                pieces.append(f"(?:{part.expression}{_SEPARATOR})?")
            elif index == required:
                pieces.append(part.expression)
            else:
                separator = _GAP_SEPARATOR if parts[index - 1].gap else _SEPARATOR
                piece = f"{separator}{part.expression}"
                pieces.append(f"(?:{piece})?" if part.optional else piece)
        if required == len(parts):
            raise InputError(f"phrase {self.source!r}: at least one word must not be optional")
        return _Part("".join(pieces), tuple(dict.fromkeys(starts)))


_GAP_SEPARATOR = r"[\s,/()-]{1,4}"


def _word(value: str) -> _Part:
    if value.endswith("*"):
        start = Start(value[:-1], is_stem=True, ends=True, next_letters=None)
        return _Part(re.escape(value[:-1]) + r"[^\W_]{0,40}", (start,))
    start = Start(value, is_stem=False, ends=True, next_letters=None)
    return _Part(re.escape(value) + _WORD_END, (start,))


def _continued(start: Start, following: list[_Part]) -> Start:
    """A start with what can come next, now that it is known what follows its part."""
    if not start.ends or not following:
        return start
    letters: set[str] = set()
    for part in following:
        if part.gap:
            break
        letters.update(following_start.word[0] for following_start in part.starts)
        if not part.optional:
            return start._replace(ends=False, next_letters=frozenset(letters))
    return start._replace(ends=False, next_letters=None)
