"""Whether a report is in English, told by its words.

Learnt language detectors fail on "Lungs clear." and on Latin; lists of words do not.
"""

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

_WORD = re.compile(r"[^\W\d_]+")
_NOT_LATIN = re.compile(
    "[\u0370-\u1dff\u2c80-\ua71f\ua800-\ufaff\ufb13-\ufdff\ufe70-\uff20\uff66-\uffdc]"
)
_FOREIGN_SCRIPT_SHARE = 0.1
_SURELY_ENGLISH = 0.35  # of the different words between spaces: the quick test
_SAMPLE = 80  # of them
_LEAST_ENGLISH = 0.3  # of the words that tell anything
_MOST_FOREIGN = 0.15  # of the English words
_FEW_WORDS = 8  # among so few, one that is English is enough
_HARDLY_ANY_WORDS = 3  # so few that nobody knows say nothing


class _Words(NamedTuple):
    english: frozenset[str]
    shared: frozenset[str]
    foreign: frozenset[str]


def is_english(text: str) -> bool:
    """Whether the text is in English; a text of which a good part is not English is not.

    >>> is_english("Lungs clear."), is_english("Lungen frei."), is_english("No effusion.")
    (True, False, True)
    """
    if not text.isascii() and _is_foreign_script(text):
        return False
    words = _words()
    tokens = text.lower().split()
    sample = set(tokens[:: 1 + len(tokens) // _SAMPLE])  # from the whole text: it may be bilingual
    english = len(words.english & sample)
    if english > _SURELY_ENGLISH * len(sample) and words.foreign.isdisjoint(sample):
        return True
    tokens = _WORD.findall(text.lower())
    english = sum(map(words.english.__contains__, tokens))
    foreign = sum(map(words.foreign.__contains__, tokens))
    telling = len(tokens) - sum(map(words.shared.__contains__, tokens))
    if foreign > max(_MOST_FOREIGN * english, min(english, 1)):
        return False
    if telling < _FEW_WORDS:
        return english > 0 or telling < _HARDLY_ANY_WORDS
    return english >= _LEAST_ENGLISH * telling


def _is_foreign_script(text: str) -> bool:
    if not _NOT_LATIN.search(text):
        return False
    return len(_NOT_LATIN.findall(text)) > _FOREIGN_SCRIPT_SHARE * sum(map(str.isalpha, text))


@cache
def _words() -> _Words:
    source = files("pipelines.reports_in").joinpath("languages.yaml").read_text(encoding="utf-8")
    texts: dict[str, str] = yaml.safe_load(source)
    lists = {name: frozenset(words.split()) for name, words in texts.items()}
    shared = lists.pop("shared")
    english = lists.pop("english") - shared
    foreign = frozenset().union(*lists.values()) - english - shared
    return _Words(english, shared, frozenset(word for word in foreign if len(word) > 1))
