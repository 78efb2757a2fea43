"""The PDF: two pages with the same numbers and flags, which fetch nothing and can do nothing."""

import contextlib
import logging
import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("weasyprint", reason="the extra `pdf` is not installed", exc_type=ImportError)

from configs.contracts import INTENDED_USE
from pipelines.rendering import pdf
from pipelines.rendering.content import (
    Finding,
    Quality,
    Remark,
    ScanReport,
    Status,
    percent,
)
from pipelines.rendering.markup import visible
from pipelines.rendering.pictures import Pictures
from tests.pipelines.rendering.test_html import spoiled

needs_pdftotext = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed"
)
PAGE = re.compile(rb"/Type\s*/Page\b")
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)


@pytest.fixture(scope="module")
def document(report: ScanReport, drawn: Pictures) -> bytes:
    return pdf.render(report, drawn.key_images)


def objects(document: bytes) -> bytes:
    """The document with its compressed objects and streams inflated."""
    found = [document]
    for stream in STREAM.findall(document):
        with contextlib.suppress(zlib.error):
            found.append(zlib.decompress(stream))
    return b"\n".join(found)


def text_of(document: bytes, folder: Path) -> str:
    (folder / "report.pdf").write_bytes(document)
    command = ["pdftotext", "-layout", str(folder / "report.pdf"), "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_has_two_pages_and_its_pictures(document: bytes, drawn: Pictures) -> None:
    assert len(PAGE.findall(objects(document))) == 2
    assert len(re.findall(rb"/Subtype\s*/Image", objects(document))) == len(drawn.key_images)


@pytest.mark.external
@needs_pdftotext
def test_a_caution_is_printed(astray: tuple[ScanReport, Pictures], tmp_path: Path) -> None:
    report, drawn = astray
    text = text_of(pdf.render(report, drawn.key_images), tmp_path)
    assert "Lung nodule: the strongest evidence lies outside the body" in text
    assert "outside the body, unexplained" in " ".join(text.split())


def many(report: ScanReport, count: int) -> ScanReport:
    fields = report.findings[-1].model_dump()
    more = [Finding.model_validate(fields | {"label": f"x:{n}"}) for n in range(count)]
    return report.model_copy(update={"findings": (*report.findings, *more)})


def test_a_hundred_findings_still_take_two_pages(report: ScanReport, drawn: Pictures) -> None:
    document = pdf.render(many(report, 100), drawn.key_images)
    assert len(PAGE.findall(objects(document))) == 2


@pytest.mark.external
@needs_pdftotext
def test_numbers_and_flags_are_those_of_the_content(
    report: ScanReport, document: bytes, tmp_path: Path
) -> None:
    text = text_of(document, tmp_path)
    flat = " ".join(text.split())
    assert flat.count(INTENDED_USE) >= 2  # on both pages
    assert "Trained on synthetic scans only" in flat
    assert "SYNTHETIC SCAN" in flat
    for finding in report.findings:
        row = next(line for line in text.splitlines() if finding.name in line)
        assert percent(finding.probability) in row
        assert percent(finding.threshold) in row


@pytest.mark.external
@needs_pdftotext
def test_a_refused_scan_has_reasons_and_no_number(report: ScanReport, tmp_path: Path) -> None:
    quality = Quality(
        in_scope=False,
        reasons=(Remark(code="NO_LUNGS", meaning="no lungs were found"),),
        warnings=(),
        measurements={},
    )
    fields = {"status": Status.REFUSED, "quality": quality, "findings": (), "draft": ""}
    text = text_of(pdf.render(report.model_copy(update=fields)), tmp_path)
    assert "NO_LUNGS" in text
    assert INTENDED_USE in " ".join(text.split())
    assert " %" not in text


def test_nothing_is_fetched() -> None:
    fetcher = pdf._fetcher({"key:0": b"jpeg"})
    for url in ("http://example.invalid/", "file:///etc/passwd", "data:text/css,x", "key:1"):
        with pytest.raises(ValueError, match="fetches nothing"):
            fetcher.fetch(url)
    assert fetcher.fetch("key:0").read() == b"jpeg"


@pytest.fixture(scope="module")
def hostile(
    report: ScanReport, hostile_strings: list[str]
) -> tuple[bytes, list[str], list[logging.LogRecord]]:
    """A document of hostile strings, the addresses it asked for, and what WeasyPrint logged."""
    asked: list[str] = []
    logged: list[logging.LogRecord] = []
    original = pdf._fetcher

    def spying(pictures: dict[str, bytes]) -> Any:
        fetcher = original(pictures)
        fetcher.fetch = lambda url, headers=None: asked.append(url)
        return fetcher

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record)

    handler = Keeping()
    short = [text for text in hostile_strings if len(text) < 1000]
    # All of them where the text stands, some at every other place: laying out takes its time.
    some = spoiled(report, "\n".join(short[::12]))
    assert some.text_report is not None
    beside = some.text_report.model_copy(update={"indication": "\n".join(short)})
    logging.getLogger("weasyprint").addHandler(handler)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pdf, "_fetcher", spying)
        document = pdf.render(some.model_copy(update={"text_report": beside}))
    logging.getLogger("weasyprint").removeHandler(handler)
    return document, asked, logged


def test_hostile_strings_ask_for_nothing_and_do_nothing(
    hostile: tuple[bytes, list[str], list[logging.LogRecord]],
) -> None:
    document, asked, logged = hostile
    assert asked == []
    assert not [record for record in logged if "Failed to load" in record.getMessage()]
    inflated = objects(document)
    assert PAGE.search(inflated)
    for name in (b"JavaScript", b"OpenAction", b"URI", b"Launch", b"EmbeddedFile", b"AcroForm"):
        assert not re.search(rb"/%s\b" % name, inflated), name


@pytest.mark.external
@needs_pdftotext
def test_hostile_text_is_intact(
    hostile: tuple[bytes, list[str], list[logging.LogRecord]],
    hostile_strings: list[str],
    tmp_path: Path,
) -> None:
    plain = [text for text in hostile_strings if len(text) < 1000 and text.isascii()]
    # A tower of accents lies over its neighbours' lines.
    found = "".join(text_of(hostile[0], tmp_path).replace("\N{COMBINING ACUTE ACCENT}", "").split())
    missing = [text for text in plain if "".join(visible(text).split()) not in found]
    assert len(plain) > 200
    assert missing == []
