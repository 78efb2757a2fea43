"""The labeler as a spaCy pipeline component, `chest_ct_findings`.

>>> import spacy
>>> nlp = spacy.blank("en")
>>> _ = nlp.add_pipe("chest_ct_findings")
>>> doc = nlp("A small pleural effusion is seen.")
>>> [(span.text, span._.fact.existence.value) for span in doc.spans["findings"]]
[('pleural effusion', 'present')]
"""

from spacy.language import Language
from spacy.tokens import Doc, Span

from labeler.fact import Fact
from labeler.labeler import Labeler, load_labeler

SPANS = "findings"


class ChestCtFindings:
    """Writes a report's facts to `doc.spans["findings"]`, one span a fact, in the facts' order.

    `span._.fact` holds the fact, with offsets into the document's text; where a fact begins or ends
    inside a token, the span covers the whole token. `doc._.chest_ct` holds the report's labels.
    """

    def __init__(self, labeler: Labeler) -> None:
        self._labeler = labeler
        if not Span.has_extension("fact"):
            Span.set_extension("fact", getter=_fact_of)
        if not Doc.has_extension("chest_ct"):
            Doc.set_extension("chest_ct", default=None)

    def __call__(self, doc: Doc) -> Doc:
        """Label one document."""
        report = self._labeler.label(doc.text)
        spans = []
        for number, fact in enumerate(report.facts):
            span = doc.char_span(
                fact.start,
                fact.end,
                label=fact.finding,
                span_id=str(number),
                alignment_mode="expand",
            )
            if span is not None:
                spans.append(span)
        doc.spans[SPANS] = spans
        doc._.chest_ct = report
        return doc


def _fact_of(span: Span) -> Fact | None:
    """The fact behind a span of `doc.spans["findings"]`; None for any other span."""
    report = span.doc._.chest_ct
    if report is None or not span.id_.isdigit() or int(span.id_) >= len(report.facts):
        return None
    fact: Fact = report.facts[int(span.id_)]
    return fact if fact.finding == span.label_ else None


@Language.factory("chest_ct_findings", default_config={"convention": "ct_rate"})
def make_chest_ct_findings(
    nlp: Language,  # noqa: ARG001  # spaCy passes it
    name: str,  # noqa: ARG001  # spaCy passes it
    convention: str,
) -> ChestCtFindings:
    """What spaCy calls for `nlp.add_pipe("chest_ct_findings", config={"convention": ...})`."""
    return ChestCtFindings(load_labeler(convention))
