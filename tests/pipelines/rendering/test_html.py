"""The page: one file that says what it must, in order, and cannot be made to do anything."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING
from pipelines.rendering import second_reader
from pipelines.rendering.content import Finding, Quality, Remark, ScanReport, Status
from pipelines.rendering.html import render
from pipelines.rendering.markup import visible
from pipelines.rendering.pictures import Pictures
from pipelines.rendering.text_report import Agreement, Quote, TextFinding, TextReport, TextValue


class Page(HTMLParser):
    """Elements with their attributes, texts, and the bodies of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.raw: list[tuple[str, str]] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style"):
            self.raw.append((self._open, data))
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def html(report: ScanReport, drawn: Pictures) -> str:
    return render(report, drawn)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_first_screen_comes_in_the_order_of_reading(page: Page) -> None:
    order = [
        INTENDED_USE, "This model cannot see: pneumothorax, pulmonary embolism",
        "Trained on synthetic scans only", "SYNTHETIC SCAN",
        "1 of 5 findings are not", "Chest CT, in scope", "The slices are thick", "Above threshold",
        "Indeterminate", "Below threshold", "Not covered by this model", PROBABILITY_MEANING,
    ]  # fmt: skip
    places = [page.text.find(part) for part in order]
    assert -1 not in places, order[places.index(-1)]
    assert places == sorted(places)


def test_a_tab_tells_which_scan_it_shows(report: ScanReport, html: str) -> None:
    assert f"<title>{report.scan.series[:8]} · Chest CT" in html
    named = report.scan.model_copy(update={"identified": True, "accession": "A17"})
    assert "<title>A17 · Chest CT" in render(report.model_copy(update={"scan": named}))


def test_percents_are_whole_and_never_certain(page: Page) -> None:
    assert ">99 %" in page.text
    assert "<1 %" in page.text
    assert "100 %" not in page.text
    assert not re.search(r"\d\.\d+ %", page.text)


def test_every_probability_and_flag_stands_in_the_page_in_full(
    page: Page, report: ScanReport
) -> None:
    shown: dict[str, tuple[float, float, str, str]] = {}
    for tag, attrs in page.elements:
        if tag == "button" and attrs.get("data-threshold"):
            button = {name: str(value) for name, value in attrs.items()}
        if tag == "data":
            shown[button["data-label"]] = (
                float(str(attrs["value"])),
                float(button["data-threshold"]),
                button["class"].split()[-1],
                button["data-calibration"],
            )
    assert shown == {
        f.label: (f.probability, f.threshold, f.decision.value, f.calibration.value)
        for f in report.findings
    }


def test_umbrella_terms_fold_under_their_children(page: Page) -> None:
    names = [
        attrs["data-label"]
        for tag, attrs in page.elements
        if tag == "button" and "data-label" in attrs
    ]
    assert names.index("ct_rate:Lung opacity") == names.index("ct_rate:Consolidation") + 1
    assert sorted(names) == sorted({*names})


def test_nothing_is_fetched_and_only_our_own_script_may_run(page: Page, html: str) -> None:
    for tag, attrs in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "action", "poster", "srcset", "data"):
            value = attrs.get(name) or ""
            assert value == "" or value.startswith(("data:image/", "#")), (tag, name)
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
    policy = next(
        attrs["content"] or ""
        for tag, attrs in page.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    for kind, body in page.raw:
        if kind == "script" and body.lstrip().startswith("{"):
            continue
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert len(html) < 15_000_000


def test_the_viewer_has_every_slice_finding_and_focus(page: Page, report: ScanReport) -> None:
    data = json.loads(next(body for kind, body in page.raw if body.lstrip().startswith("{")))
    assert len(data["jpegs"]) == 45
    assert data["slice_numbers"][0] == 45
    assert [f["label"] for f in data["findings"]] == [f.label for f in report.findings]
    for shown, finding in zip(data["findings"], report.findings, strict=True):
        opened = [data["slice_numbers"][focus["at"][2]] for focus in shown["foci"]]
        assert opened == [focus.best_slice for focus in finding.foci]
    assert data["first"] == "ct_rate:Lung nodule"


def test_a_caution_stands_at_its_finding_and_on_the_first_screen(
    html: str, astray: tuple[ScanReport, Pictures]
) -> None:
    assert "outside the body</span>" not in html
    moved = Page(render(*astray))
    data = json.loads(next(body for kind, body in moved.raw if body.lstrip().startswith("{")))
    assert [len(finding["cautions"]) for finding in data["findings"]] == [1, 0, 0, 0, 0]
    places = [moved.text.find(part) for part in ("Lung nodule: the strongest evidence", "Above")]
    assert -1 < places[0] < places[1]
    assert [tag for tag, attrs in moved.elements if "doubt" in str(attrs.get("class"))] == [
        "span",
        "p",
    ]


def test_every_link_of_the_first_screen_leads_somewhere(report: ScanReport) -> None:
    page = Page(render(second_reader.beside(report, "No nodule.")))
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    links = [str(attrs["href"]) for tag, attrs in page.elements if tag == "a"]
    assert "#text" in links
    assert all(link[1:] in ids for link in links)


def test_a_refused_page_has_reasons_and_no_number(report: ScanReport) -> None:
    quality = Quality(
        in_scope=False,
        reasons=(Remark(code="NOT_CHEST", meaning="no lungs were found"),),
        warnings=(),
        measurements={},
    )
    refused = report.model_copy(
        update={"status": Status.REFUSED, "quality": quality, "findings": (), "draft": ""}
    )
    page = Page(render(refused))
    assert "NOT_CHEST" in page.text
    assert "no lungs were found" in page.text
    assert INTENDED_USE in page.text
    assert " %" not in page.text
    assert not [tag for tag, _ in page.elements if tag in ("script", "img", "canvas")]


def spoiled(report: ScanReport, text: str) -> ScanReport:
    """The report with a string from outside at every place that can hold one."""
    findings = [finding.model_dump() for finding in report.findings]
    findings[0] |= {"label": f"x:{text}", "name": text}
    scan = report.scan.model_dump() | {
        "identified": True, "series": text, "study": text, "patient_id": text, "accession": text,
        "date": text, "sex": text, "vendor": text, "kernel": text,
    }  # fmt: skip
    quality = Quality(in_scope=True, reasons=(), warnings=(text,), measurements={text: text})
    told = TextFinding(
        label=f"x:{text}",
        value=TextValue.PRESENT,
        agreement=Agreement.TEXT_ONLY,
        quotes=(Quote(text=text, start=0, end=len(text), section="findings"),),
    )
    beside = TextReport(text=text, indication=text, findings=(told,), not_compared=(text,))
    return report.model_copy(
        update={
            "findings": tuple(Finding.model_validate(finding) for finding in findings),
            "scan": type(report.scan).model_validate(scan),
            "quality": quality,
            "text_report": beside,
            "draft": text,
        }
    )


def test_hostile_strings_stay_text(report: ScanReport, hostile_strings: list[str]) -> None:
    assert len(hostile_strings) >= 200

    def elements(page: Page) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attrs)) for tag, attrs in page.elements]

    shape = elements(Page(render(spoiled(report, "x"))))
    for text in hostile_strings:
        hostile = Page(render(spoiled(report, text)))
        assert elements(hostile) == shape, text[:80]
        assert sum(visible(text) in part for part in hostile.texts) >= 12, text[:80]
        assert len(hostile.raw) == 1  # the style; a page without pictures has no script


def test_hostile_strings_stay_data_of_the_script(
    report: ScanReport, drawn: Pictures, hostile_strings: list[str]
) -> None:
    everything = " ".join(hostile_strings)
    page = Page(render(spoiled(report, everything), drawn))
    assert len(page.raw) == 3
    data = json.loads(next(body for kind, body in page.raw if body.lstrip().startswith("{")))
    assert data["findings"][0]["name"] == everything
