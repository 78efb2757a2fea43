"""The radiologist's own report beside the network: part of the content, where it is given."""

from enum import StrEnum

from pydantic import Field

from pipelines.rendering.part import Part


class TextValue(StrEnum):
    """What a report's text says of a label, under the label's convention."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NOT_MENTIONED = "not_mentioned"


class Agreement(StrEnum):
    """How the text and the network stand to each other on a label."""

    AGREE = "agree"  # also where the text is silent and the network below its threshold
    TEXT_ONLY = "text_only"  # stated in the text, below the network's threshold
    NETWORK_ONLY = "network_only"  # above the network's threshold, denied in the text
    NOT_MENTIONED = "not_mentioned"  # above the network's threshold, the text is silent
    OPEN = "open"  # one of the two cannot tell


class Quote(Part):
    """A sentence of the text, word for word."""

    text: str
    start: int = Field(ge=0, description="offsets into the text")
    end: int
    section: str


class TextFinding(Part):
    """One label as the text has it, beside the network's decision."""

    label: str
    value: TextValue
    agreement: Agreement
    quotes: tuple[Quote, ...] = Field(default=(), description="the sentences that decided it")


class TextReport(Part):
    """The radiologist's own report of this scan, and what it says label by label."""

    text: str
    indication: str = Field(default="", description="word for word; the network never saw it")
    findings: tuple[TextFinding, ...]
    not_compared: tuple[str, ...] = Field(
        default=(), description="labels of a convention that is not installed here"
    )

    @property
    def disagreements(self) -> tuple[TextFinding, ...]:
        """Where one says what the other denies or leaves out: contradictions before silence."""
        order = (Agreement.TEXT_ONLY, Agreement.NETWORK_ONLY, Agreement.NOT_MENTIONED)
        return tuple(f for kind in order for f in self.findings if f.agreement is kind)
