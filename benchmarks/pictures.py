"""Make the pages that the documentation shows, and take their pictures with headless Chromium.

    PYTHONPATH=. python benchmarks/pictures.py out/demo DATA [--out docs/images] [--only worklist]

`out/demo` is the folder of `chestct demo`; DATA holds the public scans `cptac_chest` and
`lung_pet_ct_dx_A0001`, and `robustness/broken_geometry` for what is refused. Reports: of the public
scans and three of the demo's test scans, the one whose report states most, one whose report states
half as much, and one whose report states nothing. Worklist: the public scans and forty of the test
scans, as if they had arrived ten minutes apart. Timeline: the patient with three studies
whose reports name most changes, and the public study in two kernels.
"""

import argparse
import asyncio
import base64
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from configs.contracts import Split
from pipelines.report import report
from pipelines.timeline import timeline
from pipelines.triage import triage
from tests.pipelines.rendering.browser import Tab, visit

_READY = "(viewer => !viewer || viewer.dataset.ready === 'true')(document.querySelector('#viewer'))"
_MOST_LISTED = 40
_MINUTES_APART = 10


@dataclass(frozen=True, slots=True)
class Picture:
    """What one picture shows."""

    name: str
    page: Path
    finding: str = ""
    dark: bool = False
    phone: bool = False
    scroll_to: str = ""


def test_split(demo: Path) -> list[str]:
    """The report ids of the test split."""
    cohort = pd.read_parquet(demo / "cohort" / "cohort.parquet")
    return [str(name) for name in cohort[cohort["split"] == Split.TEST]["report_id"].unique()]


def test_scans(demo: Path) -> list[str]:
    """Three report ids of the test split: many findings, half as many, none."""
    ids = test_split(demo)
    labels = pd.read_parquet(demo / "labels" / "labels.parquet").set_index("report_id").loc[ids]
    stated = (labels == 1).sum(axis=1).sort_values(ascending=False, kind="stable")
    half = (stated - stated.iloc[0] / 2).abs().sort_values(kind="stable")
    return [str(stated.index[0]), str(half.index[0]), str(stated.index[-1])]


def reports(demo: Path, data: Path, folder: Path) -> list[Picture]:
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


def worklist(demo: Path, data: Path, folder: Path) -> list[Picture]:
    """Let scans arrive one after the other, and list them."""
    broken = data / "robustness" / "broken_geometry"
    public = [data / "cptac_chest", data / "lung_pet_ct_dx_A0001", *sorted(broken.glob("*"))]
    names = test_split(demo)[:_MOST_LISTED]
    drawn = [next((demo / "scans").rglob(name)) for name in names]
    inbox = folder / "inbox"
    for number, scan in enumerate([*drawn, *public]):
        for source in (path for path in [scan, *scan.rglob("*")] if path.is_file()):
            copy = inbox / str(number) / source.relative_to(scan.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            came = time.time() - 60 * _MINUTES_APART * number
            os.utime(copy, (came, came))
    out = folder / "worklist"
    triage(inbox, model=demo / "bundle", out=out, identified=True, quiet=True)
    page = out / "worklist.html"
    ranked = "tbody.ranked tr:nth-child(2)"
    return [
        Picture("worklist", page),
        Picture("worklist_dark", page, dark=True, scroll_to=ranked),
        Picture("worklist_phone", page, phone=True, scroll_to="header"),
    ]


def over_time(demo: Path, data: Path, folder: Path) -> list[Picture]:
    """The patient whose reports name most changes, and one study in two kernels."""
    facts = pd.read_parquet(demo / "labels" / "facts.parquet")
    changes = facts[facts.change.notna()].groupby("report_id").size()
    patients = [path for path in (demo / "scans").iterdir() if path.is_dir()]

    def told(patient: Path) -> int:
        return sum(changes.get(scan.name, 0) for scan in patient.iterdir())

    thrice = [patient for patient in patients if len(list(patient.iterdir())) >= 3]
    chosen, bundle = max(sorted(thrice), key=told), demo / "bundle"
    timeline(
        chosen, model=bundle, out=folder / "course", facts=demo / "labels",
        report_texts=demo / "reports.csv", quiet=True,
    )  # fmt: skip
    kernels = data / "lung_pet_ct_dx_A0001"
    timeline(kernels, model=bundle, out=folder / "kernels", quiet=True)
    page = folder / "course" / "timeline.html"
    return [
        Picture("timeline_words", page),
        Picture("timeline_scores", page, dark=True, scroll_to="#scores"),
        Picture("timeline_one_study", folder / "kernels" / "timeline.html"),
    ]


PAGES: dict[str, Callable[[Path, Path, Path], list[Picture]]] = {
    "report": reports,
    "worklist": worklist,
    "timeline": over_time,
}


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
    parser.add_argument("--only", choices=PAGES)
    options = parser.parse_args()
    for kind, make in PAGES.items():
        if options.only in (None, kind):
            with tempfile.TemporaryDirectory() as name:
                for picture in make(options.demo, options.data, Path(name)):
                    take(picture, options.out)
                    print(picture.name)


if __name__ == "__main__":
    main()
