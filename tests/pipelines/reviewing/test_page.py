"""The page in a real browser: judged by keyboard, saved as files, nothing struck or asked for."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines.reviewing.decisions import read_decisions
from pipelines.reviewing.sheet import Item, Kind, Sheet, worksheet_hash
from tests.pipelines.rendering.browser import CHROMIUM, Tab, visit

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

HOSTILE = (
    (Path(__file__).parents[1] / "rendering" / "hostile_strings.txt")
    .read_text(encoding="utf-8")
    .splitlines()
)
LABELS = ("Emphysema", "Lung nodule", "Lung opacity", "=1+1")


def sheet_of(items: Sequence[Item], labels: Sequence[str] = LABELS, **more: Any) -> Sheet:
    given = {"kind": Kind.SENTENCES, "name": "sentences"} | more
    return Sheet(worksheet=worksheet_hash(labels, items), labels=labels, items=items, **given)


def saved(sheet: Sheet, folder: Path) -> Path:
    page = folder / "sheet.html"
    page.write_text(sheet.page(), encoding="utf-8")
    return page


async def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        await tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        await tab.call("Input.dispatchKeyEvent", type="keyUp", key=key)


async def downloads_to(tab: Tab, folder: Path) -> None:
    await tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))


async def arrived(tab: Tab, path: Path) -> Path:
    for _ in range(300):
        if path.exists():
            return path
        await tab.run("new Promise(done => setTimeout(done, 50))")
    raise AssertionError(f"{path.name} was never saved")


def words(count: int) -> list[Item]:
    return [
        Item(
            f"s{number}",
            [("Possible ", None), ("emphysema", "uncertain"), (f" {number} \U0001fac1", None)],
            ("Emphysema",),
            {"Emphysema": -1},
            reports=1200,
            why=("It is hedged: possible.",),
        )
        for number in range(count)
    ]


def test_a_keyboard_is_enough_and_files_come_back(tmp_path: Path) -> None:
    sheet = sheet_of(words(4))

    async def use(tab: Tab) -> None:
        await downloads_to(tab, tmp_path)
        assert "in 1,200 reports" in await tab.run("document.querySelector('#place').textContent")
        assert await tab.run("document.querySelector('mark.uncertain').textContent") == "emphysema"
        await press(tab, "Enter")  # as it is proposed
        await press(tab, "1", "1", "/")  # uncertain, not said, present; and a label by its name
        await press(tab, *"lung n", "Enter", "Enter")
        await press(tab, "u")  # cannot be decided
        await press(tab, "k", "j")
        assert "3 of 4" in await tab.run("document.querySelector('#count').textContent")
        await tab.run("document.querySelector('#reader').focus()")
        await press(tab, *"s1u", "Escape", "s")
        await arrived(tab, tmp_path / "sentences-s1u.json")
        await tab.run("document.querySelector('#save-csv').click()")
        await arrived(tab, tmp_path / "sentences-s1u.csv")

    tab = visit(saved(sheet, tmp_path), use)
    assert tab.complaints == []
    for suffix in ("json", "csv"):
        path = tmp_path / f"sentences-s1u.{suffix}"
        found = read_decisions(path, sheet.worksheet, LABELS)
        assert found.reader == "s1u"
        rows = [
            (d.id, d.verdict, {name: v for name, v in d.labels.items() if v is not None})
            for d in found.decisions
        ]
        assert rows == [
            ("s0", "judged", {"Emphysema": -1}),
            ("s1", "judged", {"Emphysema": 1, "Lung nodule": 1}),
            ("s2", "unsure", {}),
        ]
    head = next(csv.reader((tmp_path / "sentences-s1u.csv").open(encoding="utf-8-sig")))
    assert head[-1] == "'=1+1"  # inert in a spreadsheet


def test_decisions_outlive_the_tab_and_other_files_are_refused(tmp_path: Path) -> None:
    sheet = sheet_of(words(3))
    page = saved(sheet, tmp_path)
    decision = {"id": "s2", "verdict": "judged", "labels": {"Emphysema": 1, "<b>": 1}}
    file = {
        "format": 1, "worksheet": sheet.worksheet, "sheet": "sentences", "reader": "Q",
        "decisions": [decision, {"id": "none", "verdict": "judged", "labels": {}}],
    }  # fmt: skip

    async def give(tab: Tab, content: Any) -> str:
        (tmp_path / "given.json").write_text(json.dumps(content))
        root = await tab.call("DOM.getDocument")
        node = await tab.call("DOM.querySelector", nodeId=root["root"]["nodeId"], selector="#file")
        await tab.run("document.querySelector('#message').textContent = ''")
        await tab.call(
            "DOM.setFileInputFiles", files=[str(tmp_path / "given.json")], nodeId=node["nodeId"]
        )
        await tab.until("document.querySelector('#message').textContent !== ''")
        return str(await tab.run("document.querySelector('#message').textContent"))

    async def use(tab: Tab) -> None:
        assert "no decisions" in await give(tab, file | {"worksheet": "another"})
        assert await give(tab, file) == "1 read."
        await press(tab, "Enter", "s")
        await tab.run("window.notYet = true")
        await tab.call("Page.reload")
        await tab.until("!window.notYet && document.readyState === 'complete'")
        assert await tab.run("document.querySelector('#count').textContent") == "2 of 3 judged"
        assert await tab.run("document.querySelector('#reader').value") == "Q"
        await tab.until("document.body.dataset.at === '1'")  # the first that is open

    assert visit(page, use).complaints == []


def test_what_readers_differ_on_must_be_chosen(tmp_path: Path) -> None:
    cells = {"Emphysema": (1, None)}
    item = Item("r1", [("A report.\nOf two lines.", None)], ("Emphysema",), readers=cells)
    sheet = sheet_of([item], kind=Kind.ADJUDICATION, name="adjudication")

    async def use(tab: Tab) -> None:
        await downloads_to(tab, tmp_path)
        legend = await tab.run("document.querySelector('legend').textContent")
        assert "one reader: present, the other: not said" in legend
        await press(tab, "Enter")
        assert "Choose" in await tab.run("document.querySelector('#message').textContent")
        await tab.run("document.querySelectorAll('fieldset input')[1].click()")
        await press(tab, "Enter", "s")
        await arrived(tab, tmp_path / "adjudication.json")

    assert visit(saved(sheet, tmp_path), use).complaints == []
    found = read_decisions(tmp_path / "adjudication.json", sheet.worksheet, LABELS)
    assert found.decisions[0].labels == {"Emphysema": 0}


def test_hostile_words_are_shown_and_strike_nothing(tmp_path: Path) -> None:
    items = [
        Item(f"s{n}", [(text, "present")], (text,), {text: 1}, text, text, 1, (text,))
        for n, text in enumerate(HOSTILE)
    ]
    sheet = sheet_of(items, sorted(set(HOSTILE)))

    async def use(tab: Tab) -> None:
        for text in HOSTILE:
            assert await tab.run("document.querySelector('#text').textContent") == text
            await tab.run(
                "document.querySelectorAll('main *').forEach(one => {"
                "one.dispatchEvent(new Event('mouseover')); one.dispatchEvent(new Event('focus'))})"
            )
            await press(tab, "j")
        assert await tab.run("window.struck") is None

    page = saved(sheet, tmp_path)
    tab = visit(page, use)
    assert tab.complaints == []
    assert [url for url in tab.requests if url != page.as_uri()] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_in_light_and_dark_and_narrow(tmp_path: Path, scheme: str) -> None:
    style = "getComputedStyle(document.querySelector({}))"

    async def use(tab: Tab) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await tab.call("Emulation.setEmulatedMedia", features=features)
        for place in ("'body'", "'#about'", "'#accept'"):
            text = await tab.run(f"{style.format(place)}.color")
            ground = "'#accept'" if place == "'#accept'" else "'body'"
            behind = await tab.run(f"{style.format(ground)}.backgroundColor")
            assert contrast(text, behind) >= 4.5  # WCAG 2.1, 1.4.3
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=390, height=840, deviceScaleFactor=2, mobile=True,
        )  # fmt: skip
        assert await tab.run("document.documentElement.scrollWidth - innerWidth") <= 0

    visit(saved(sheet_of(words(2)), tmp_path), use)


def contrast(one: str, other: str) -> float:
    """The contrast of two CSS colours, rgb(r, g, b) (WCAG 2.1)."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
