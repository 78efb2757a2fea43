"""The page in a real browser: it answers to hands, complains of nothing, asks for nothing."""

from pathlib import Path

import pytest

from pipelines.rendering import second_reader
from pipelines.rendering.content import ScanReport
from pipelines.rendering.html import render
from pipelines.rendering.pictures import Pictures
from tests.pipelines.rendering.browser import CHROMIUM, Tab, visit
from tests.pipelines.rendering.test_html import spoiled

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

READY = "document.querySelector('#viewer').dataset.ready === 'true'"
SLICE = "document.querySelector('.axial output').textContent"
GREY = """(() => {
  const canvas = document.querySelector('.axial canvas');
  const at = (u, v) => canvas.getContext('2d')
    .getImageData(canvas.width * u, canvas.height * v, 1, 1).data[0];
  return [at(.5, .5), at(.46, .03)];
})()"""

AMBER = """(plane => {
  const canvas = document.querySelector(`.${plane} canvas`);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let n = 0, u = 0, v = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] - data[i + 2] > 150) {
      n += 1; u += (i / 4) % canvas.width; v += Math.floor(i / 4 / canvas.width);
    }
  }
  return [u / n / canvas.width - .5, v / n / canvas.height - .5];
})"""


def click(selector: str) -> str:
    return f"document.querySelector({selector!r}).click()"


def slide(value: int) -> str:
    return (
        "(() => { const slider = document.querySelector('.axial input');"
        f"slider.value = {value}; slider.dispatchEvent(new Event('input')); }})()"
    )


def test_findings_windows_slices_and_keys_work(
    report: ScanReport, drawn: Pictures, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(report, drawn), encoding="utf-8")

    async def use(tab: Tab) -> None:
        await tab.until(READY)
        # The first finding shown is selected, at its best slice.
        nodule, effusion = report.findings[0], report.findings[3]
        await tab.until(f"{SLICE}.startsWith('Slice {nodule.foci[0].best_slice} of 45')")
        # It lies low on the patient's left: right of the middle, low from the side.
        axial, sagittal = [await tab.run(f"{AMBER}({name!r})") for name in ("axial", "sagittal")]
        assert axial[0] > 0.05
        assert abs(axial[1]) < 0.15
        assert sagittal[1] > 0.1
        assert await tab.run("document.querySelectorAll('.foci button').length") == 2
        await tab.run("document.querySelectorAll('.foci button')[1].click()")
        await tab.until(f"{SLICE}.startsWith('Slice {nodule.foci[1].best_slice} of 45')")
        await tab.run(click("[data-label='ct_rate:Consolidation']"))
        await tab.until(f"{AMBER}('coronal')[0] > .05")
        await tab.run(click("[data-label='ct_rate:Pleural effusion']"))
        await tab.until(f"{SLICE}.startsWith('Slice {effusion.foci[0].best_slice} of 45')")
        assert (
            await tab.run("document.querySelector('.window[aria-pressed=true]').dataset.window")
            == "mediastinal"
        )
        assert "Indeterminate" in await tab.run("document.querySelector('#detail').textContent")

        # Slide to the head: slice 1, room air above the body and nothing else.
        await tab.run(slide(0))
        await tab.until(f"{SLICE}.startsWith('Slice 1 of 45')")
        await tab.run("document.querySelector('.axial canvas').focus()")
        for _ in range(3):
            await tab.call(
                "Input.dispatchKeyEvent", type="keyDown", key="ArrowDown", code="ArrowDown"
            )
        await tab.until(f"{SLICE}.startsWith('Slice 4 of 45')")

        # Soft tissue of 40 HU is mid-grey in its own window and near white in the lung's.
        await tab.run(click("#evidence"))
        await tab.run(click("[data-window='mediastinal']"))
        await tab.until(f"Math.abs({GREY}[0] - 128) < 8")
        await tab.run(click("[data-window='lung']"))
        await tab.until(f"Math.abs({GREY}[0] - 236) < 8")
        assert abs((await tab.run(GREY))[1] - 60) < 8  # air of -1000 HU

    tab = visit(page, use)
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("data:", page.as_uri()))] == []


def test_the_text_stands_beside_and_the_draft_can_be_copied(
    report: ScanReport, drawn: Pictures, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    beside = second_reader.beside(report, "No nodule. Bilateral emphysema is seen.")
    page.write_text(render(beside, drawn), encoding="utf-8")

    async def use(tab: Tab) -> None:
        await tab.until(READY)
        text = await tab.run("document.querySelector('#text').innerText")
        assert "No nodule." in text
        assert "denied" in text
        await tab.run(click("#text .to-images"))
        shown = await tab.run("document.querySelector('#shown').textContent")
        assert shown.startswith("Emphysema")  # the first disagreement
        await tab.run("document.querySelector('.drafting').open = true")
        await tab.run(click("#copy"))
        await tab.until("document.querySelector('#copied').textContent !== ''")
        draft = await tab.run("document.querySelector('#draft').textContent")
        assert draft.startswith("DRAFT, UNVERIFIED")

    tab = visit(page, use)
    assert tab.complaints == []


def test_a_narrow_screen_scrolls_down_only(
    report: ScanReport, drawn: Pictures, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(report, drawn), encoding="utf-8")

    async def use(tab: Tab) -> None:
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=390, height=840, deviceScaleFactor=2, mobile=True,
        )  # fmt: skip
        await tab.until(READY)
        assert await tab.run("document.documentElement.scrollWidth - innerWidth") <= 0

    visit(page, use)


def test_where_pixels_are_guarded_key_images_stand_in_for_the_viewer(
    report: ScanReport, drawn: Pictures, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_text(render(report, drawn), encoding="utf-8")
    guard = (
        "CanvasRenderingContext2D.prototype.getImageData = "
        "(x, y, w, h) => ({ data: new Uint8ClampedArray(4 * w * h).fill(255) })"
    )

    async def use(tab: Tab) -> None:
        assert not await tab.run(READY)
        assert await tab.run("document.querySelector('#viewer').hidden")
        assert await tab.run("document.querySelector('.keyimages img').offsetWidth") > 0

    tab = visit(page, use, before=guard)
    assert tab.complaints == []


def test_hostile_strings_do_nothing(
    report: ScanReport, drawn: Pictures, hostile_strings: list[str], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    everything = " ".join(text for text in hostile_strings if len(text) < 1000)
    page.write_text(render(spoiled(report, everything), drawn), encoding="utf-8")

    async def use(tab: Tab) -> None:
        await tab.until(READY)
        await tab.run("for (const part of document.querySelectorAll('details')) part.open = true")
        await tab.run("for (const b of document.querySelectorAll('button')) b.click()")
        assert await tab.run("window.struck") is None
        assert await tab.run("document.querySelectorAll('script').length") == 2
        # Ours are the pictures of the key images; a hostile one would be another.
        assert await tab.run("document.querySelectorAll('iframe, object, embed, form').length") == 0
        assert hostile_strings[0] in await tab.run("document.body.innerText")

    tab = visit(page, use)
    assert [url for url in tab.requests if not url.startswith(("data:", page.as_uri()))] == []
    assert tab.complaints == []
