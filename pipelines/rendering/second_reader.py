"""The radiologist's own report beside the network: what the text says, label by label."""

from collections.abc import Iterable

from configs.anatomy import load_anatomy
from configs.contracts import InputError, LabelValue
from configs.convention import load_convention
from configs.cue import PACKS, load_cues
from configs.finding import load_findings
from labeler import Fact, ReportLabels, load_labeler
from labeler.conventions import CompiledConvention
from labeler.segment import Segmenter, Sentence
from pipelines.rendering.content import Decision, Finding, ScanReport
from pipelines.rendering.text_report import (
    Agreement,
    Quote,
    TextFinding,
    TextReport,
    TextValue,
)

_MOST_QUOTES = 5
_VALUES = {
    LabelValue.PRESENT: TextValue.PRESENT,
    LabelValue.ABSENT: TextValue.ABSENT,
    LabelValue.UNCERTAIN: TextValue.UNCERTAIN,
}


def beside(report: ScanReport, text: str) -> ScanReport:
    """The report with the radiologist's text set against it, under each label's own convention."""
    sentences = Segmenter(load_cues(PACKS)).sentences(text)
    found: dict[str, TextFinding] = {}
    not_compared = []
    for name in dict.fromkeys(finding.label.rpartition(":")[0] for finding in report.findings):
        of_name = [f for f in report.findings if f.label.rpartition(":")[0] == name]
        try:
            reader = _TextReader(name, text, sentences)
        except InputError:  # a convention that only the training site has
            not_compared += [finding.label for finding in of_name]
            continue
        found |= {finding.label: reader.compare(finding) for finding in of_name}
    told = TextReport(
        text=text,
        indication=_stretch(text, (s for s in sentences if s.section == "indication")),
        findings=tuple(found[f.label] for f in report.findings if f.label in found),
        not_compared=tuple(not_compared),
    )
    return report.model_copy(update={"text_report": told})


class _TextReader:
    """One text read under one convention."""

    def __init__(self, convention: str, text: str, sentences: list[Sentence]) -> None:
        self._text, self._sentences = text, sentences
        self._read: ReportLabels = load_labeler(convention).label(text)
        self._rules = CompiledConvention(
            load_convention(convention), load_findings(), load_anatomy()
        )

    def compare(self, finding: Finding) -> TextFinding:
        """What the text says of the finding, the sentences behind it, and who agrees."""
        name = finding.label.rpartition(":")[2]
        value = self._read.labels.get(name)
        said = TextValue.NOT_MENTIONED if value is None else _VALUES[LabelValue(value)]
        return TextFinding(
            label=finding.label,
            value=said,
            agreement=agreement(finding.decision, said),
            quotes=self._quotes(name, value),
        )

    def _quotes(self, name: str, value: int | None) -> tuple[Quote, ...]:
        """The sentences whose facts gave the label its value."""
        if value is None:
            return ()
        deciding = dict.fromkeys(f.sentence for f in self._read.facts if self._is(f, name, value))
        return tuple(
            Quote(text=self._text[s.start : s.end], start=s.start, end=s.end, section=s.section)
            for s in (self._sentences[number] for number in list(deciding)[:_MOST_QUOTES])
        )

    def _is(self, fact: Fact, name: str, value: int) -> bool:
        weights = self._rules.weights(fact)
        return self._rules.labels(weights, incomplete_by_reference=False)[name] == value


def agreement(network: Decision, text: TextValue) -> Agreement:
    """How a decision and a text stand to each other.

    >>> agreement(Decision.ABSENT, TextValue.PRESENT).value
    'text_only'
    >>> agreement(Decision.ABSENT, TextValue.NOT_MENTIONED).value
    'agree'
    """
    open_decisions = (Decision.INDETERMINATE, Decision.NOT_ASSESSABLE)
    if network in open_decisions or text is TextValue.UNCERTAIN:
        return Agreement.OPEN
    if network is Decision.ABSENT:
        return Agreement.TEXT_ONLY if text is TextValue.PRESENT else Agreement.AGREE
    return {
        TextValue.PRESENT: Agreement.AGREE,
        TextValue.ABSENT: Agreement.NETWORK_ONLY,
        TextValue.NOT_MENTIONED: Agreement.NOT_MENTIONED,
    }[text]


def _stretch(text: str, sentences: Iterable[Sentence]) -> str:
    """The text from the first to the last of some sentences, word for word."""
    places = [(sentence.start, sentence.end) for sentence in sentences]
    return text[places[0][0] : places[-1][1]] if places else ""
