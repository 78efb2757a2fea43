"""A finding's own examples: whether the labeler reads them as the finding's file says.

The product's examples run as its tests; those of a site's own findings where a verb begins.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from configs.contracts import Existence, InputError
from configs.finding import Finding, ancestors, load_findings, overlay_findings
from configs.yaml_file import where
from labeler.labeler import Labeler, load_labeler

WANTED = {
    "positive": Existence.PRESENT,
    "negative": Existence.ABSENT,
    "uncertain": Existence.UNCERTAIN,
    "silent": None,
}
"""What each kind of example states of its finding; a silent one does not mention it."""


class Misread(NamedTuple):
    """An example that is not read as it should be."""

    kind: str
    number: int
    """Among the examples of its kind, from 0."""
    sentence: str
    said: tuple[str, ...]
    """What the labeler holds of the finding; nothing where it is not found."""


def misread_examples(
    finding: Finding, findings: dict[str, Finding], labeler: Labeler
) -> Iterator[Misread]:
    """The examples of a finding in which the labeler finds anything else than they say.

    A narrower finding counts as the finding; one example may hold it in several ways, but a
    negative one never as anything but absent.
    """
    for kind, wanted in WANTED.items():
        for number, sentence in enumerate(getattr(finding.examples, kind)):
            said = {
                fact.existence
                for fact in labeler.label(sentence).facts
                if fact.finding == finding.id
                or (fact.finding in findings and finding.id in ancestors(fact.finding, findings))
            }
            is_right = not said if wanted is None else wanted in said
            if not is_right or (kind == "negative" and len(said) > 1):
                yield Misread(kind, number, sentence, tuple(sorted(one.value for one in said)))


def check_examples(overlay: Path | None) -> None:
    """Raise InputError with file and line at the first example of an overlay that is misread."""
    own = overlay_findings(overlay)
    if not own:
        return
    labeler, findings = load_labeler(overlay=overlay), load_findings(overlay=overlay)
    for name, path in own.items():
        for kind, number, sentence, said in misread_examples(findings[name], findings, labeler):
            wanted = WANTED[kind] or "not mentioned"
            raise InputError(
                f"{where(path, name, 'examples', kind, number)}: {kind} example {sentence!r}: "
                f"{name!r} is read as {' and '.join(said) or 'not mentioned'}, not as {wanted}; "
                "mend the phrases or the example"
            )
