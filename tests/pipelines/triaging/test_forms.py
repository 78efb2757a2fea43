"""CSV and page: every row, inert strings, and a page that sorts by keyboard."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from configs.contracts import INTENDED_USE
from pipelines.rendering.content import Decision, Remark, Scan, TrainingData
from pipelines.rendering.finding_wording import OUTSIDE
from pipelines.triaging import html, wording
from pipelines.triaging.worklist import Flag, Network, Row, Standing, Worklist
from tests.pipelines.rendering.browser import CHROMIUM, Tab, visit

HOSTILE = [
    line
    for line in (Path(__file__).parents[1] / "rendering" / "hostile_strings.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line
]


def row(rank: int, standing: Standing = Standing.RANKED, **fields: object) -> Row:
    plain = {"scan": Scan(identified=True, accession=f"A{rank}", series=f"1.2.{rank}")}
    points = {"urgency": 50.0 / rank, "priority": 60.0 / rank}
    return Row.model_validate(
        {
            "rank": rank,
            "standing": standing,
            "waited_hours": 0.5 * rank,
            "overdue": False,
            **(points if standing is Standing.RANKED else {}),
            **plain,
            **fields,
        }
    )


def flagged(**fields: object) -> Flag:
    """Of 60 %, flagged from 10 % on, and present in the scan report."""
    plain = {"label": "a:b", "name": "B", "weight": 50, "probability": 0.6, "threshold": 0.1}
    report = {"report_threshold": 0.3, "report_decision": Decision.PRESENT}
    return Flag.model_validate({**plain, **report, **fields})


def listed(*rows: Row) -> Worklist:
    return Worklist(
        cannot_see="This model cannot see: pneumothorax.",
        unseen=("Pneumothorax",),
        created="2020-01-02T03:04:05+00:00",
        identified=True,
        model=Network(id="0" * 12, profile="tiny", training_data=TrainingData.SYNTHETIC, labels=18),
        sensitivity=0.9,
        max_wait_hours=24,
        watched=(),
        rows=rows,
    )


def hostile() -> Worklist:
    rows = []
    for rank, text in enumerate(HOSTILE, start=1):
        flag = flagged(label=text, name=text, place=text)
        scan = Scan(identified=True, accession=text, patient_id=text, series=text, date=text)
        remark = (Remark(code="X", meaning=text),)
        rows.append(row(rank, scan=scan, flags=(flag,), notes=remark))
    return listed(*rows)


def test_the_table_survives_hostile_cells() -> None:
    text = wording.as_csv(hostile()).split("\n", wording.NOTICE_LINES)[-1]
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == len(HOSTILE)
    for found, written in zip(rows, HOSTILE, strict=True):
        assert found["accession"] in (written, f"'{written}")
    for found in rows:
        for cell in found.values():
            assert not cell.startswith(("=", "+", "-", "@"))


def test_the_published_schema_is_the_models() -> None:
    published = Path(__file__).parents[3] / "docs" / "worklist.schema.json"
    assert json.loads(published.read_text()) == Worklist.model_json_schema()


def test_what_was_not_read_says_why_and_has_no_number() -> None:
    reason = (Remark(code="GAP", meaning="slices are missing inside"),)
    worklist = listed(row(1, Standing.NOT_READ, reasons=reason), row(2, Standing.PENDING), row(3))
    page = html.render(worklist)
    assert "<b>not read</b>: slices are missing inside <small>GAP</small>" in page
    assert "a reader has to look: 1<" in page
    assert "<b>not read yet</b>" in page
    assert page.count(INTENDED_USE) == 2
    assert wording.summary(worklist).startswith("3 scans: 1 not read, 1 not read yet, 0 flagged")
    assert not re.search(r"https?://(?!\S*example)", page)


def test_a_flag_from_outside_the_body_is_marked() -> None:
    flag = flagged(slice=3)
    inside = flag.model_copy(update={"place": "left, upper zone"})
    outside = flag.model_copy(update={"place": OUTSIDE})
    page = html.render(listed(row(1, flags=(inside,)), row(2, flags=(outside,))))
    assert page.count('<small class="doubt">outside the body, slice 3</small>') == 1
    assert page.count('<tr class="flagged"') == 2
    assert "<title>2 flagged · Worklist</title>" in page


def test_what_stands_on_few_cases_is_marked_in_every_form() -> None:
    sure = flagged(calibrated=True, threshold_validated=True)
    rank = sure.model_copy(update={"name": "C", "calibrated": False})
    guess = sure.model_copy(update={"name": "D", "threshold_validated": False})
    worklist = listed(row(1, flags=(sure, rank, guess)), row(2, leading=rank))
    assert [wording.flag(f) for f in (sure, rank, guess)] == ["B 60 %", "C 60 %*", "D 60 %*"]
    assert "* behind a percentage" in wording.notices(worklist)[2]
    assert wording.led_by(guess) == "D 60 %"  # no threshold speaks of it
    assert "*" not in wording.notices(listed(row(1, flags=(sure,))))[2]
    assert html.render(worklist).count("60 %*") == 3
    text = wording.as_csv(worklist).split("\n", wording.NOTICE_LINES)[-1]
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert (first["not_calibrated"], first["threshold_not_validated"]) == ("C", "D")
    assert (second["not_calibrated"], second["threshold_not_validated"]) == ("C", "")


@pytest.mark.parametrize("decision", [Decision.ABSENT, Decision.INDETERMINATE])
def test_a_flag_that_the_report_does_not_call_present_says_so_in_every_form(
    decision: Decision,
) -> None:
    agreed = flagged(name="C")
    differs = flagged(report_threshold=0.65, report_decision=decision, threshold_validated=True)
    said = (
        f"flagged at the sensitive threshold 10 %; report: {decision.value} at the balanced "
        "threshold 65 %"
    )
    worklist = listed(row(1, flags=(agreed, differs)))
    assert html.render(worklist).count(said) == 1
    assert wording.as_csv(worklist).count(f"; B 60 %* ({said})") == 1
    assert wording.said(worklist.rows[0]).count(said) == 1
    assert "sensitive threshold" in wording.notices(worklist)[2]
    alike = listed(row(1, flags=(agreed,)))
    assert "sensitive threshold" not in wording.notices(alike)[2]
    assert "report:" not in wording.as_csv(alike)


@pytest.mark.external
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_hostile_strings_are_inert_and_rows_sort_within_their_part(tmp_path: Path) -> None:
    page = tmp_path / "worklist.html"
    page.write_text(html.render(hostile()), encoding="utf-8")

    async def unharmed(tab: Tab) -> None:
        assert await tab.run("window.struck === undefined")
        shown = "[...document.querySelectorAll('#list .said b')].length"
        assert await tab.run(shown) == len(HOSTILE)

    noted = visit(page, unharmed)
    assert noted.complaints == []
    assert all(url.startswith("file:") for url in noted.requests)

    reason = (Remark(code="GAP", meaning="slices are missing inside"),)
    rows = (row(1, Standing.NOT_READ, reasons=reason), row(2), row(3), row(4))
    page.write_text(html.render(listed(*rows)), encoding="utf-8")
    order = "[...document.querySelectorAll('#list tr[data-rank]')].map(r => r.dataset.rank).join()"

    async def sorted_by_keyboard(tab: Tab) -> None:
        press = "(e => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', e)))"
        await tab.run("document.querySelector('[data-key=waited]').click()")
        assert await tab.run(order) == "1,4,3,2"
        assert await tab.run("document.querySelector('[aria-sort]').innerText.trim()") == "Waiting"
        await tab.run("document.querySelector('[data-key=rank]').click()")
        assert await tab.run(order) == "1,2,3,4"
        await tab.run("document.querySelector('#list tr[data-rank]').focus()")
        await tab.run(f"{press}({{key: 'ArrowDown', bubbles: true}})")
        assert await tab.run("document.activeElement.dataset.rank") == "2"

    assert visit(page, sorted_by_keyboard).complaints == []


@pytest.mark.external
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_watched_list_keeps_its_sort_and_says_when_it_is_no_longer_written(
    tmp_path: Path,
) -> None:
    page = tmp_path / "worklist.html"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = listed(*(row(n) for n in range(1, 60))).model_copy(update={"created": now})
    page.write_text(html.render(fresh, refresh_seconds=3600), encoding="utf-8")
    first = "document.querySelector('#list tr[data-rank]').dataset.rank"
    hidden = "document.querySelector('#stale').hidden"

    async def sorted_then_loaded_again(tab: Tab) -> None:
        assert await tab.run(hidden)
        assert "just now" in await tab.run("document.querySelector('#age').textContent")
        await tab.run("document.querySelector('[data-key=waited]').click()")
        await tab.run("document.querySelectorAll('#list tr[data-rank]')[3].focus()")
        await tab.run("scrollTo(0, 200)")
        page.write_text(html.render(listed(*fresh.rows), refresh_seconds=3600), encoding="utf-8")
        await tab.call("Page.reload")
        await tab.until(f"document.readyState === 'complete' && !{hidden}")
        assert await tab.run(first) == "59"
        assert await tab.run("document.activeElement.dataset.rank") == "56"
        assert await tab.run("scrollY") == 200

    assert visit(page, sorted_then_loaded_again).complaints == []

    page.write_text(html.render(listed(row(1))), encoding="utf-8")

    async def a_list_made_once_is_never_called_stale(tab: Tab) -> None:
        assert await tab.run(hidden)
        assert "d ago" in await tab.run("document.querySelector('#age').textContent")

    visit(page, a_list_made_once_is_never_called_stale)


@pytest.mark.external
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_long_names_never_widen_the_page(tmp_path: Path) -> None:
    page = tmp_path / "worklist.html"
    scan = Scan(identified=True, accession="A" * 64, patient_id="P/" * 32, series="1." * 32)
    rows = (row(1, Standing.NOT_READ, scan=scan), row(2, Standing.PENDING, scan=scan))
    page.write_text(html.render(listed(*rows, row(3, scan=scan))), encoding="utf-8")

    async def fits(tab: Tab) -> None:
        for width in (390, 1000, 1400):
            await tab.call(
                "Emulation.setDeviceMetricsOverride",
                width=width, height=844, deviceScaleFactor=1, mobile=width < 700,
            )  # fmt: skip
            assert await tab.run("document.documentElement.scrollWidth - innerWidth") <= 0

    visit(page, fits)
