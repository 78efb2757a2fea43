"""`chestct explain`: one report's text with every fact marked, and the labels they add up to."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.contracts import Existence, LabelValue, Temporality

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from labeler import Fact, ReportLabels
    from labeler.conventions import CompiledConvention

_STYLES = {
    "present": "bold red",
    "absent": "green",
    "uncertain": "bold yellow",
    "prior": "blue",
    "aside": "dim",
    "scope": "cyan",
}


def explain(
    report: Path,
    *,
    report_id: str | None = None,
    convention: str = "ct_rate",
    configs: Path | None = None,
    encoding: str | None = None,
    html: Path | None = None,
) -> "Explanation":
    """Show a report with every fact marked, the cue that decided it, and the labels.

    Parameters
    ----------
    report
        A .txt, .rtf or .html file; or, with --report-id, any archive that `chestct label` reads.
    report_id
        The report's identifier in the archive.
    convention
        How facts become labels: `ct_rate` or another name, or a .yaml file.
    configs
        A folder of your own findings, cues and conventions, as in `chestct label`.
    encoding
        The file's encoding, as in `chestct label`.
    html
        Write one self-contained page here instead of printing; the pointer over a mark shows the
        fact behind it.
    """
    from labeler import load_labeler
    from pipelines.reports_in.language import is_english
    from pipelines.reports_in.options import ReadOptions
    from pipelines.reports_in.single import read_one
    from pipelines.reports_in.text_file import known_encoding
    from pipelines.running.progress import messages, results

    text = read_one(
        report, report_id, ReadOptions(any_language=True, encoding=known_encoding(encoding))
    )
    labeler = load_labeler(convention, configs)
    labelled = labeler.label(text)
    counted = frozenset(fact for fact in labelled.facts if _is_counted(fact, labeler.convention))
    explanation = Explanation(text, labelled, convention, counted, is_english(text))
    if html is None:
        results.print(explanation.for_terminal())
    else:
        from configs.files import write_text
        from pipelines.explain_page import page

        write_text(html, page(explanation))
        results.print(f"{html}: {len(explanation.report.facts)} facts")
        for note in explanation.notes():
            messages.print(note, markup=False)
    return explanation


@dataclass(frozen=True, slots=True)
class Explanation:
    """A report with what the labeler made of it."""

    text: str
    report: "ReportLabels"
    convention: str
    counted: "frozenset[Fact]"
    """The hedged facts that the convention counts as present."""
    is_english: bool = True
    """Whether `label` would read it."""

    def stretches(self) -> "list[tuple[str, tuple[Fact, ...]]]":
        """The whole text cut where facts begin and end, each piece with the facts that hold it."""
        facts = sorted(self.report.facts, key=lambda fact: fact.start, reverse=True)
        cuts = sorted({0, len(self.text), *(f.start for f in facts), *(f.end for f in facts)})
        pieces = []
        here: list[Fact] = []
        for start, end in pairwise(cuts):
            while facts and facts[-1].start <= start:
                here.append(facts.pop())
            here = [fact for fact in here if fact.end >= end]
            pieces.append((self.text[start:end], tuple(here)))
        return pieces

    def verdict(self, fact: "Fact") -> str:
        """How a fact stands, and what a hedge counts as."""
        return f"{standing(fact)}, counts as 1" if fact in self.counted else standing(fact)

    def notes(self) -> list[str]:
        """What a reader of the labels should know about the report as a whole."""
        said = []
        if not self.is_english:
            said.append(
                "Not in English, or not wholly: chestct reads English reports, and `chestct label` "
                "sets this one aside (LANGUAGE). What is marked here is not to be relied on."
            )
        if self.report.incomplete_by_reference:
            said.append("Other findings are only said to be as before: what is not named is blank.")
        if self.report.contradictions:
            names = ", ".join(self.report.contradictions)
            said.append(f"Findings and impression contradict each other on: {names}.")
        return said

    def for_terminal(self) -> "Group":
        """The marked text, a table of facts, the labels that are not blank."""
        from rich.console import Group
        from rich.text import Text

        marked = Text()
        for piece, facts in self.stretches():
            marked.append(piece, _STYLES[standing(facts[0])] if facts else "")
        parts: list[Any] = [marked, Text(), self._facts_table(), Text()]
        parts += [self._labels_table(), *(Text(note, "italic") for note in self.notes())]
        return Group(*parts)

    def _facts_table(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table("words", "finding", "existence", "cue", "attributes", box=None)
        for fact in self.report.facts:
            cells = (fact.text, fact.finding, self.verdict(fact), fact.cue or "", attributes(fact))
            style = _STYLES[standing(fact)]
            table.add_row(*(Text(" ".join(cell.split()), style) for cell in cells))
        return table

    def _labels_table(self) -> "Table":
        from rich.table import Table

        table = Table(f"label ({self.convention})", "value", box=None)
        for label, value in self.report.labels.items():
            if value is not None:
                table.add_row(label, str(value))
        return table


def _is_counted(fact: "Fact", convention: "CompiledConvention") -> bool:
    hedged = fact.existence is Existence.UNCERTAIN
    return hedged and any(value == LabelValue.PRESENT for _, value in convention.values(fact))


def standing(fact: "Fact") -> str:
    """In a word how a fact counts: its existence, or why it is no finding of this examination."""
    from labeler.normality import LIMITED_PREFIX, NORMAL_PREFIX
    from labeler.segment import EVIDENCE_SECTIONS

    if fact.finding.startswith((NORMAL_PREFIX, LIMITED_PREFIX)):
        return "scope"  # "the heart is normal" is about a place, and nothing that is present
    if fact.hypothetical or fact.experiencer != "patient" or fact.section not in EVIDENCE_SECTIONS:
        return "aside"
    if fact.temporality is Temporality.PRIOR and fact.existence is not Existence.ABSENT:
        return "prior"
    return fact.existence.value


def attributes(fact: "Fact") -> str:
    """A fact's attributes in one line, those that say something."""
    sizes = " x ".join(f"{size:g}" for size in fact.sizes_mm)
    others = ", ".join(f"{size:g}" for size in fact.other_sizes_mm)
    said = {
        "section": fact.section,
        "at": fact.anatomy,
        "side": fact.side,
        "lobe": fact.lobe,
        "segment": fact.segment,
        "size": f"{'< ' if fact.size_below else ''}{sizes} mm" if sizes else None,
        "others": f"{others} mm" if others else None,
        "before": f"{fact.prior_size_mm:g} mm" if fact.prior_size_mm else None,
        "severity": fact.severity,
        "count": fact.count,
        "change": fact.change,
        "assessability": fact.assessability if fact.assessability != "full" else None,
        "hypothetical": "yes" if fact.hypothetical else None,
        "about": fact.experiencer if fact.experiencer != "patient" else None,
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
