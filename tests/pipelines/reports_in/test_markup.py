"""RTF, HTML and escapes become plain text; text that has none of them stays as it is."""

import contextlib
import html

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.reports_in.markup import plain

RTF = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}}{\colortbl;\red0\green0\blue0;}"
    r"{\*\generator X;}\viewkind4\f0\fs20 "
)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (RTF + r"\b FINDINGS:\b0\par No nodule \u8804? 5 mm.\par}", "FINDINGS:\nNo nodule ≤ 5 mm."),
        (RTF + r"M\'fcller \{sic\} 3 \'b5m\tab x\par}", "Müller {sic} 3 µm\tx"),
        (r"{\rtf1\ansi\ansicpg1254 G\'f6\'f0\'fcs}", "Göğüs"),
        (r"{\rtf1\ansi\ansicpg932 \'8b\'b9}", "胸"),
        (r"{\rtf1\ansi \u-10179?\u-8704? ok}", "😀 ok"),
        (RTF + r"{\pict\wmetafile8 0101ffee}Clear.}", "Clear."),
        (RTF + r"One.}" + RTF + r"Two.}" + "\r\nThree<p>x</p>", "One.\nTwo.\nThree\n\nx"),
        (r"NOTE: {\rtf1\ansi Clear.}", "NOTE:\nClear."),
        (r'{\rtf1 {\field{\*\fldinst{HYPERLINK "x"}}{\fldrslt link}} end}', "link end"),
    ],
)
def test_rtf(source: str, text: str) -> None:
    assert plain(source) == text


@pytest.mark.parametrize(
    "source",
    [
        r"{\rtf1\ansi {\b broken",
        RTF + "No nodule.",
        RTF + r"No {\b nodule.}",
        RTF + r"No nodule. \}",
        RTF + "One.}" + RTF + "Two.",
    ],
)
def test_rtf_that_breaks_off_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="RTF that breaks off"):
        plain(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>No <b>nodule</b> &lt; 5&nbsp;mm.</p><p>Clear.</p>", "No nodule < 5 mm.\n\nClear."),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<html><head><title>T</title><style>p{}</style></head><body>x</body></html>", "x"),
        ("<div>a</div><script>evil('<p>')</script><div>b</div>", "a\n\nb"),
        (
            "<table><tr><td>Size</td><td>5 mm</td></tr><tr><td>No</td></tr></table>",
            "Size 5 mm\n\nNo",
        ),
        ("<ul><li>one</li><li>two</li></ul>", "one\n\ntwo"),
        ("<pre>a  b\nc</pre>", "a b\nc"),
        ("&lt;p&gt;No &amp;lt;5 mm&lt;/p&gt;", "No <5 mm"),
        ("R&amp;D &#8804; 5 &#x3c; 6", "R&D ≤ 5 < 6"),
        ("a<!-- hidden --><br>b", "a\nb"),
    ],
)
def test_html(source: str, text: str) -> None:
    assert plain(source) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"one\.br\two\.br\R\T\D", "one\ntwo\nR&D"),
        (r"FINDINGS:\nclear\nIMPRESSION:\r\nnone", "FINDINGS:\nclear\nIMPRESSION:\nnone"),
        ("one_x000D_\ntwo", "one\ntwo"),
    ],
)
def test_escapes(source: str, text: str) -> None:
    assert plain(source) == text


PLAIN_PIECES = [
    *("<5 mm", "< 5", ">3 cm", "a<b", "b > c", "{", "}", "{x}", "\\", "&", "R&D", "<-", "->", "<<"),
    *(">>", "p<0.05", "<b", "<i>", "H&E", "S1/S2", "#3", "\n", " ", "nodule", "C:\\x", "<=", "<p"),
]


@given(st.lists(st.sampled_from(PLAIN_PIECES)).map("".join))
@example("nodule <5 mm, b > c and {x}")
def test_plain_text_is_untouched(text: str) -> None:
    if "\n" in text or "\\n" not in text:
        assert plain(text) == text


@given(st.text().filter(lambda text: "\\" not in text and "_x00" not in text))
def test_escaped_html_comes_back(text: str) -> None:
    words = " ".join(text.replace("<", "").replace("&", "").split())
    assert plain(f"<div>{html.escape(words)}</div>") == words


@given(st.text(alphabet="{}\\rtf1pub'ansi* 0;<>&/#x\n", max_size=200))
def test_any_markup_gives_text_or_a_value_error(text: str) -> None:
    for source in (text, "{\\rtf1 " + text, "<div>" + text):
        try:
            assert isinstance(plain(source), str)
        except ValueError as error:
            assert "RTF" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    "source",
    [
        "<p " * 50_000,
        "<p>" * 50_000,
        "&lt;" * 50_000,
        "{\\rtf1" + "{" * 50_000,
        "{\\rtf1{\\fonttbl" + "\\f1 " * 50_000,
        "{\\rtf1" + "{\\field{\\*\\fldinst{" * 20_000,
    ],
)
def test_hostile_markup_ends(source: str) -> None:
    with contextlib.suppress(ValueError):
        plain(source)  # in quadratic time it would take minutes
