"""The small language of findings, cues and anatomy: words, not regular expressions.

    pleural effusion            these words; a space also stands for hyphen or slash
    effusion*                   any ending: effusion, effusions
    hemothorax                  also in British spelling: haemothorax
    (small|minimal) effusion    one of several
    (free)? fluid               may be missing
    heart {3} enlarged          up to three other words between (no full stop, semicolon or colon,
                                nor "without" or "but", where something else begins)

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
INITIALS_JOIN = "_"
"""Joins initials, "s/p", in phrases and where they are sought: a slash parts words there."""
_WORD_END = r"(?![^\W_])"
_SEPARATOR = r"[\s/-]{1,3}"
_GAP_WORD = (
    r"[\s,/()-]{1,4}(?!(?:without|but)(?![^\W_]))"
    r"(?:\d{1,4}\.\d{1,4}[^\s,/();:.-]{0,4}|[^\s,/();:.-]{1,40})"
)
_MAX_FIRST_WORDS = 64
_BRITISH = (
    *(("hemo", "haemo"), ("hema", "haema"), ("ischem", "ischaem"), ("leukem", "leukaem")),
    *(("anemi", "anaemi"), ("gynec", "gynaec"), ("orthoped", "orthopaed"), ("edema", "oedema")),
    *(("esophag", "oesophag"), ("tumor", "tumour"), ("favor", "favour"), ("neighbor", "neighbour")),
    *(("caliber", "calibre"), ("center", "centre"), ("fiber", "fibre"), ("tunneled", "tunnelled")),
    *(("ization", "isation"), ("ized", "ised"), ("izing", "ising")),
)


class Literal(NamedTuple):
    """A word of a phrase: as it stands, or as a stem that takes any ending."""

    text: str
    is_stem: bool


Element = frozenset[Literal]
"""Words of which one must be there."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A compiled phrase."""

    source: str
    starts: Element
    """The words that a match can begin with."""
    needs: tuple[Element, ...]
    """What every match holds, in order: a cheap test before the expression is tried."""
    is_word: bool
    """Whether every match is a single word."""
    expression: str
    """A regular expression for the whole phrase, to be matched at a word that can start it."""


def compile_phrase(source: str) -> tuple[Phrase, ...]:
    """Compile a phrase; one that is only a choice, "(a|b c)", becomes one phrase a branch.

    Raises InputError saying what is wrong with it.

    >>> (phrase,) = compile_phrase("(small|minimal)? pleural {3} effusion*")
    >>> sorted(literal.text for literal in phrase.starts)
    ['minimal', 'pleural', 'small']
    >>> [text for element in phrase.needs for text in sorted(literal.text for literal in element)]
    ['minimal', 'pleural', 'small', 'pleural', 'effusion']
    """
    part = _Parser(source).parse()
    return tuple(
        Phrase(source, one.starts, _needs(one), one.is_word, one.expression)
        for one in part.branches or (part,)
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A parsed stretch of a phrase."""

    expression: str
    starts: Element
    needs: tuple[Element, ...]
    is_word: bool = False
    optional: bool = False
    gap: bool = False
    branches: tuple["_Part", ...] = ()
    """The choices, where the stretch is nothing but a choice."""


def _needs(part: _Part) -> tuple[Element, ...]:
    """What every match of a part holds; also its first word, which a search would else not note."""
    noted = frozenset().union(*part.needs)
    return part.needs if part.starts <= noted else (part.starts, *part.needs)


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
                word = match[match.lastgroup].replace("/", INITIALS_JOIN)
                self.tokens.append((match.lastgroup, word))
            position = match.end()
        self.at = 0

    def parse(self) -> _Part:
        part = self._alternatives()
        if self.at < len(self.tokens):
            raise InputError(f"phrase {self.source!r}: a bracket closes that was never opened")
        if part.optional or not part.starts:
            raise InputError(f"phrase {self.source!r}: needs at least one word that must be there")
        if len(part.starts) > _MAX_FIRST_WORDS:
            raise InputError(f"phrase {self.source!r}: more than {_MAX_FIRST_WORDS} ways to begin")
        return part

    def _alternatives(self) -> _Part:
        branches = [self._sequence()]
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "bar":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        branches.sort(
            key=lambda branch: -len(branch.expression)
        )  # "contrast agent", then "contrast"
        one_of = [max(branch.needs, key=_shortest) for branch in branches if branch.needs]
        return _Part(
            "(?:" + "|".join(branch.expression for branch in branches) + ")",
            frozenset().union(*(branch.starts for branch in branches)),
            (frozenset().union(*one_of),) if len(one_of) == len(branches) else (),
            is_word=all(branch.is_word for branch in branches),
            optional=any(branch.optional for branch in branches),
            branches=tuple(branches),
        )

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self.at < len(self.tokens) and self.tokens[self.at][0] not in ("bar", "close"):
            kind, value = self.tokens[self.at]
            self.at += 1
            if kind == "word":
                parts.append(_word(value))
            elif kind == "gap":
                gap = f"(?:{_GAP_WORD}){{0,{value}}}?"
                parts.append(_Part(gap, frozenset(), (), optional=True, gap=True))
            else:
                parts.append(self._group())
        return self._joined(parts)

    def _group(self) -> _Part:
        inner = self._alternatives()
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != "close":
            raise InputError(f"phrase {self.source!r}: a bracket is never closed")
        optional = self.tokens[self.at][1] == ")?"
        self.at += 1
        if optional:
            return _Part(inner.expression, inner.starts, (), optional=True)
        return inner

    def _joined(self, parts: list[_Part]) -> _Part:
        if not parts:
            raise InputError(f"phrase {self.source!r}: an empty alternative")
        if len(parts) == 1 and not parts[0].optional:
            return parts[0]
        if parts[0].gap or parts[-1].gap:
            raise InputError(f"phrase {self.source!r}: {{n}} must stand between words")
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
        return _Part(
            "".join(pieces),
            frozenset().union(*(part.starts for part in parts[: required + 1])),
            tuple(need for part in parts if not part.optional for need in part.needs),
            is_word=len(parts) == 1 and parts[0].is_word,
        )


_GAP_SEPARATOR = r"[\s,/()-]{1,4}"


def _shortest(need: Element) -> int:
    """The length of an element's shortest word: longer words are rarer, so they say more."""
    return min(len(literal.text) for literal in need)


def _word(value: str) -> _Part:
    is_stem = value.endswith("*")
    spellings = sorted(_spellings(value.removesuffix("*")), key=len, reverse=True)
    ending = r"[^\W_]{0,40}" if is_stem else _WORD_END
    words = "|".join(map(re.escape, spellings))
    expression = (words if len(spellings) == 1 else f"(?:{words})") + ending
    element = frozenset(Literal(word, is_stem) for word in spellings)
    return _Part(expression, element, (element,), is_word=True)


def _spellings(word: str) -> set[str]:
    """A word in American spelling, and in British."""
    british = word
    for american, other in _BRITISH:
        british = british.replace(american, other)
    return {word, british}
