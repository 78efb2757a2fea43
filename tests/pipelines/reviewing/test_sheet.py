"""The page: one file, words are never markup, only its own style and script may act."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.reviewing.sheet import Item, Kind, Sheet, worksheet_hash

HOSTILE = (
    (Path(__file__).parents[1] / "rendering" / "hostile_strings.txt")
    .read_text(encoding="utf-8")
    .splitlines()
)


def sheet_of(words: str) -> Sheet:
    item = Item("s1", [(words, None)], [words], {words: 1}, words, words, 2, [words])
    return Sheet(Kind.SENTENCES, "sentences", worksheet_hash([words], [item]), [words], [item])


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def elements(page: str) -> list[str]:
    parser = Elements()
    parser.feed(page)
    return parser.tags


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="sheet">(.*?)</script>', page)
    assert found
    return dict(json.loads(found[1]))


@pytest.mark.parametrize("words", [*HOSTILE, "\ud800 lone", "\x00\u2028\u202e", "café 肺"])
def test_no_words_become_markup_and_all_arrive(words: str) -> None:
    page = sheet_of(words).page()
    assert elements(page) == elements(sheet_of("plain").page())
    items = data_of(page)["items"]
    assert isinstance(items, list)
    assert items[0]["pieces"] == [[words, None]]
    page.encode("utf-8")


def test_the_policy_allows_this_style_and_script_alone() -> None:
    page = sheet_of("plain").page()
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)
    assert policy
    for tag, text in re.findall(r"<(style|script)>(.*?)</\1>", page, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy[1]
    assert policy[1].startswith("default-src &#39;none&#39;")
    assert "http" not in policy[1]


def test_a_worksheet_is_named_by_what_it_asks() -> None:
    item, other = Item("s1", [("one", None)], []), Item("s1", [("other", None)], [])
    assert worksheet_hash(["A"], [item]) == worksheet_hash(["A"], [item])
    assert worksheet_hash(["A"], [item]) != worksheet_hash(["A"], [other])
    assert worksheet_hash(["A"], [item]) != worksheet_hash(["B"], [item])
