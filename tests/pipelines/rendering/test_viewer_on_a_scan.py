"""The page of a public scan in a real browser shows the scan's own pixels, and obeys keys alone."""

import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipelines.report import report
from tests.pipelines.made_scans import model
from tests.pipelines.rendering.browser import CHROMIUM, Tab, visit

__all__ = ["model"]  # the fixture

CHEST = Path(__file__).parents[3].parent / "shared" / "data" / "ct" / "cptac_chest"
pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not CHEST.exists(), reason="shared/data is not beside the repository"),
]
READY = "document.querySelector('#viewer').dataset.ready === 'true'"
LUNG = (-600.0, 1500.0)


@pytest.fixture(scope="module")
def page(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    report(CHEST, model=model, out=out, form="html", quiet=True)
    return out / "report.html"


def own_slices() -> NDArray[np.float64]:
    """HU of the series' files from head to feet, by nothing but their headers."""
    images = [pydicom.dcmread(path) for path in CHEST.rglob("*.dcm")]
    assert all(image.ImageOrientationPatient == [1, 0, 0, 0, 1, 0] for image in images)
    images.sort(key=lambda image: -image.ImagePositionPatient[2])
    return np.stack(
        [i.pixel_array * float(i.RescaleSlope) + float(i.RescaleIntercept) for i in images]
    )


async def shown(tab: Tab) -> tuple[int, NDArray[np.float64]]:
    """The number of the axial slice, and the picture of it without the canvas around it."""
    number = await tab.run("document.querySelector('.axial output').textContent")
    url = await tab.run("document.querySelector('.axial canvas').toDataURL()")
    picture = Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).convert("L")
    side = min(picture.size)  # the series' slices are square
    left, top = ((length - side) // 2 for length in picture.size)
    square = picture.crop((left, top, left + side, top + side)).resize((256, 256))
    return int(number.split()[1]), np.asarray(square, float)


def apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The mean difference of two pictures, in greys of 255, without marks and the scale bar."""
    inner = np.s_[24:-24, 24:-24]
    return float(np.abs(one[inner] - other[inner]).mean())


async def press(tab: Tab, key: str, *, text: str = "", times: int = 1) -> None:
    for _ in range(times):
        await tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        await tab.call("Input.dispatchKeyEvent", type="keyUp", key=key)
    await tab.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_viewer_shows_the_scan_s_own_slices_the_right_way_round(page: Path) -> None:
    slices = own_slices()
    differences: list[float] = []

    async def use(tab: Tab) -> None:
        await tab.until(READY)
        for key in ("e", "l", "1"):  # evidence and cross lines off, lung window
            await press(tab, key, text=key)
        for number in (10, 40, 70, 95):
            await tab.run(
                f"(() => {{ const s = document.querySelector('.axial input'); s.value = {number};"
                "s.dispatchEvent(new Event('input')); })()"
            )
            await tab.until(
                "document.querySelector('.axial output').textContent"
                f".startsWith('Slice {number + 1} of {len(slices)}')"
            )
            await press(tab, "Shift")
            told, picture = await shown(tab)
            grey = 255 * np.clip((slices[told - 1] - LUNG[0]) / LUNG[1] + 0.5, 0, 1)
            own = Image.fromarray(grey.astype(np.uint8)).resize((256, 256))
            right = np.asarray(own, float)
            differences.append(apart(picture, right))
            for wrong in (right[:, ::-1], right[::-1], right.T):
                assert apart(picture, wrong) > 4 * apart(picture, right)

    tab = visit(page, use)
    assert max(differences) < 10  # of 255: noise, shrunk twice, an 8-bit JPEG in between
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_keys_alone_reach_findings_slices_windows_and_evidence(page: Path) -> None:
    async def use(tab: Tab) -> None:
        await tab.until(READY)
        focused = "document.activeElement"
        seen = []
        for _ in range(60):
            await press(tab, "Tab")
            seen.append(
                await tab.run(
                    f"{focused}.dataset.label || {focused}.id || {focused}.className "
                    f"|| {focused}.tagName"
                )
            )
            if await tab.run(f"{focused}.tagName === 'CANVAS'"):
                break
        assert any(name.startswith("ct_rate:") for name in seen), seen
        before, _ = await shown(tab)
        await press(tab, "ArrowDown", times=3)
        after, _ = await shown(tab)
        assert abs(after - before) == 3
        for key, window in (("2", "mediastinal"), ("3", "bone"), ("1", "lung")):
            await press(tab, key, text=key)
            pressed = "document.querySelector('.window[aria-pressed=true]').dataset.window"
            assert await tab.run(pressed) == window
        on = "document.getElementById('evidence').getAttribute('aria-pressed')"
        first = await tab.run(on)
        await press(tab, "e", text="e")
        assert await tab.run(on) != first
        chosen = "document.querySelector('button.finding[aria-pressed=true]').dataset.label"
        one = await tab.run(chosen)
        await press(tab, "n", text="n")
        assert await tab.run(chosen) != one

    assert visit(page, use).complaints == []
