"""A `ScanReport` as a PDF of two pages, by WeasyPrint, which gets nothing from anywhere."""

import warnings
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipelines.rendering import finding_wording, wording
from pipelines.rendering.content import ScanReport, Status
from pipelines.rendering.lists import lists
from pipelines.rendering.markup import environment
from pipelines.rendering.pictures import KeyImage

if TYPE_CHECKING:
    from jinja2 import Template
    from weasyprint import Document

PAGES = 2
_SCALES = (1.0, 0.92, 0.84, 0.76)
_MOST_IMAGES = 6
_MOST_DISAGREEMENTS = 8


def render(report: ScanReport, key_images: tuple[KeyImage, ...] = ()) -> bytes:
    """The document: page one has every finding, page two the key images and how to read them.

    Set smaller where the content asks for it; what still does not fit goes on to a further page,
    for nothing is ever cut.
    """
    for scale in _SCALES:
        document = _laid_out(report, key_images, scale)
        if len(document.pages) != PAGES + 1:  # it fits, or no smaller type would make it fit
            break
    written: bytes = document.write_pdf()
    return written


def _laid_out(report: ScanReport, key_images: tuple[KeyImage, ...], scale: float) -> "Document":
    from weasyprint import CSS, HTML

    shown = key_images[:_MOST_IMAGES]
    fetcher = _fetcher({f"key:{number}": key.jpeg for number, key in enumerate(shown)})
    text = _template().render(
        report=report,
        refused=report.status is Status.REFUSED,
        **wording.worded(report),
        lists=lists(report),
        frequency=finding_wording.frequency_in_short,
        compared=finding_wording.compared(report),
        most_disagreements=_MOST_DISAGREEMENTS,
        key_images=shown,
        version=version("chestct"),
    )
    style = f":root {{ font-size: {8.6 * scale:.2f}pt }}\n" + _resource("pdf.css")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return HTML(string=text, url_fetcher=fetcher).render(
            stylesheets=[CSS(string=style, url_fetcher=fetcher)]
        )


def _fetcher(pictures: dict[str, bytes]) -> Any:
    """Hands out the report's own pictures by name, and denies every other address."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class Denying(URLFetcher):  # type: ignore[misc]  # untyped base
        def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:  # noqa: ARG002 - as the base has it
            if url not in pictures:
                raise ValueError("a report fetches nothing")
            return URLFetcherResponse(url, pictures[url], {"Content-Type": "image/jpeg"})

    return Denying(allowed_protocols=("key",))


def _resource(name: str) -> str:
    return files("pipelines.rendering.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> "Template":
    return environment(for_print=True).from_string(_resource("pdf.html.j2"))
