"""The timeline's page: strings from outside are inert, charts stand where the days are."""

from pathlib import Path

import pytest

from configs.contracts import INTENDED_USE, Change, Existence
from pipelines.overtime import html
from pipelines.overtime.content import (
    Reconstruction,
    Said,
    ScoreChange,
    Study,
    Timeline,
    Trace,
    Track,
    Verdict,
)
from pipelines.rendering.content import Remark, Scan, TrainingData
from tests.pipelines.rendering.browser import CHROMIUM, Tab, visit

HOSTILE = [
    line
    for line in (Path(__file__).parents[1] / "rendering" / "hostile_strings.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line
]


def study(number: int, day: int, text: str = "B30f") -> Study:
    scan = Scan(identified=True, series=text, kernel=text, date=text)
    notes = (Remark(code="X", meaning=text),)
    return Study(
        number=number, day=day, reconstructions=(Reconstruction(scan=scan, notes=notes),), shown=0
    )


def made(text: str = "Grew.", days: tuple[int, ...] = (0, 10, 100)) -> Timeline:
    studies = tuple(study(n, day, text) for n, day in enumerate(days, start=1))
    changes = tuple(
        ScoreChange(
            before=n, after=n + 1, series_before=text, series_after=text, difference=1.0,
            verdict=verdict, why=why,
        )
        for n, verdict, why in ((1, Verdict.HIGHER, ()), (2, Verdict.NOT_COMPARABLE, (text,)))
    )  # fmt: skip
    trace = Trace(
        calibrated=True,
        label="a:b", name=text, group="lung", probabilities=(0.0, 0.5, 1.0), noise=0.5,
        changes=changes,
    )  # fmt: skip
    said = tuple(
        Said(
            study=n, existence=Existence.PRESENT, change=Change.LARGER, size_mm=5.0 * n, quote=text
        )
        for n in (1, 3)
    )
    track = Track(findings=("nodule",), name=text, side=text, lobe=None, said=said)
    return Timeline(
        created="2020-01-02T03:04:05+00:00", identified=True, model_id="0" * 12,
        training_data=TrainingData.SYNTHETIC, patient_id=text, studies=studies,
        repeatability=None, traces=(trace,), tracks=(track,),
    )  # fmt: skip


def test_a_second_study_of_a_day_is_told_from_the_first() -> None:
    timeline = made()
    first, second, third = timeline.studies
    same = timeline.model_copy(
        update={"studies": (first, second.model_copy(update={"day": first.day}), third)}
    )
    assert "same day" not in html.when(timeline).values()
    assert html.when(same)[2] == "same day"
    assert "same day" in html.render(same)


def test_scores_that_are_ranks_are_marked() -> None:
    calibrated = made()
    trace = calibrated.traces[0].model_copy(update={"calibrated": False})
    ranks = calibrated.model_copy(update={"traces": (trace,)})
    assert "50 %*" in html.render(ranks)
    assert "1 of 1 findings are not calibrated" in html.render(ranks)
    assert "50 %*" not in html.render(calibrated)


def test_charts_stand_where_the_days_are_and_tell_what_is_not_comparable() -> None:
    timeline = made()
    chart = html.score_chart(timeline, timeline.traces[0])
    (x1, y1), (x2, y2), (x3, y3) = chart.dots
    assert (x2 - x1) / (x3 - x1) == pytest.approx(0.1, abs=0.01)
    assert y1 > y2 > y3
    assert [line[4] for line in chart.lines] == [True, False]
    sizes = html.size_chart(timeline, timeline.tracks[0])
    assert sizes is not None
    assert len(sizes.dots) == 2
    page = html.render(timeline)
    assert page.count(INTENDED_USE) == 2
    assert "score higher" in page
    assert page.count("Studies 2 and 3 are not comparable: Grew.") == 1
    assert "2 to 3</small> not comparable" in page
    assert "Noise not known" in page


def test_one_study_is_a_table_of_its_reconstructions_that_says_what_is_needed() -> None:
    scans = [Scan(identified=False, series=name, kernel=name) for name in ("B30f", "")]
    both = tuple(Reconstruction(scan=scan) for scan in scans)
    alone = made().model_copy(
        update={"studies": (Study(number=1, day=0, reconstructions=both, shown=0),)}
    )
    trace = alone.traces[0].model_copy(
        update={"probabilities": (0.2,), "reconstructions": ((0.2, 0.31),), "changes": ()}
    )
    page = html.render(alone.model_copy(update={"traces": (trace,), "tracks": ()}))
    assert "<svg" not in page
    assert "chestct report --prior" in page
    for cell in ("kernel B30f", "series 2", "20 %", "31 %", "1 study,"):
        assert f"{cell}" in page
    assert "1 studies" not in page


@pytest.mark.external
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_hostile_strings_are_inert(tmp_path: Path) -> None:
    page = tmp_path / "timeline.html"
    page.write_text(html.render(made("\n".join(HOSTILE))), encoding="utf-8")

    async def unharmed(tab: Tab) -> None:
        assert await tab.run("window.struck === undefined")
        assert await tab.run("document.querySelectorAll('svg').length") == 2

    noted = visit(page, unharmed)
    assert noted.complaints == []
    assert all(url.startswith("file:") for url in noted.requests)
