"""Make the reports that docs/report.md shows, and take their pictures with headless Chromium.

    PYTHONPATH=. python benchmarks/pictures.py out/demo DATA [--out docs/images]

`out/demo` is the folder of `chestct demo`; DATA holds the public scans `cptac_chest` and
`lung_pet_ct_dx_A0001`. Three of the demo's test scans are chosen: the one whose report states most,
one whose report states half as much, and one whose report states nothing.
"""

import argparse
import asyncio
import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from configs.contracts import Split
from pipelines.report import report
from tests.pipelines.rendering.browser import Tab, visit

_READY = "document.querySelector('#viewer').dataset.ready === 'true'"


@dataclass(frozen=True, slots=True)
class Picture:
    """What one picture shows."""

    name: str
    page: Path
    finding: str = ""
    dark: bool = False
    phone: bool = False
    scroll_to: str = ""


def test_scans(demo: Path) -> list[str]:
    """Three report ids of the test split: many findings, half as many, none."""
    cohort = pd.read_parquet(demo / "cohort" / "cohort.parquet")
    ids = cohort[cohort["split"] == Split.TEST]["report_id"].unique()
    labels = pd.read_parquet(demo / "labels" / "labels.parquet").set_index("report_id").loc[ids]
    stated = (labels == 1).sum(axis=1).sort_values(ascending=False, kind="stable")
    half = (stated - stated.iloc[0] / 2).abs().sort_values(kind="stable")
    return [str(stated.index[0]), str(half.index[0]), str(stated.index[-1])]


def pictures(demo: Path, data: Path, folder: Path) -> list[Picture]:
    """Write every report, and say which picture is taken of which page."""
    bundle = demo / "bundle"

    def page(scan: Path, report_id: str | None = None) -> Path:
        out = folder / scan.name
        text = demo / "reports.csv" if report_id else None
        report(scan, model=bundle, out=out, report_text=text, report_id=report_id, quiet=True)
        return out / "report.html"

    cptac = page(data / "cptac_chest")
    kernels = [page(data / "lung_pet_ct_dx_A0001" / f"kernel_{number}") for number in (1, 2)]
    drawn = [page(next((demo / "scans").rglob(name)), name) for name in test_scans(demo)]
    return [
        Picture("report_cptac_dark", cptac, finding="Cardiomegaly", dark=True),
        Picture("report_cptac_light", cptac, finding="Cardiomegaly"),
        Picture("report_a0001_kernel_1", kernels[0], finding="Lung nodule"),
        Picture("report_a0001_kernel_2", kernels[1], finding="Lung nodule"),
        Picture("report_synthetic_1", drawn[0]),
        Picture("report_synthetic_2", drawn[1], dark=True),
        Picture("report_synthetic_3", drawn[2]),
        Picture("report_text", drawn[0], scroll_to="#text"),
        Picture("report_phone", drawn[0], phone=True),
    ]


def take(picture: Picture, out: Path) -> None:
    """Open the page, choose what is shown, and save a JPEG."""

    async def use(tab: Tab) -> None:
        width, height = (390, 1300) if picture.phone else (1440, 900)
        await tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=2 if picture.phone else 1, mobile=picture.phone,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if picture.dark else "light"}
        await tab.call("Emulation.setEmulatedMedia", features=[scheme])
        await tab.until(_READY)
        if picture.finding:
            label = f"[data-label='ct_rate:{picture.finding}']"
            await tab.run(f'document.querySelector("{label}").click()')
        if picture.scroll_to:
            await tab.run(f"document.querySelector('{picture.scroll_to}').scrollIntoView()")
        await asyncio.sleep(0.5)  # until it is painted
        taken = await tab.call("Page.captureScreenshot", format="jpeg", quality=78)
        (out / f"{picture.name}.jpg").write_bytes(base64.b64decode(taken["data"]))

    visit(picture.page, use)


def main() -> None:
    """Make and take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for picture in pictures(options.demo, options.data, Path(name)):
            take(picture, options.out)
            print(picture.name)


if __name__ == "__main__":
    main()
