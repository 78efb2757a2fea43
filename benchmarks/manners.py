"""Invented chest CT reports in five manners, and single phrasings, against gold for every label.

The reports (manners.yaml) have gold for RAD-ChestCT's 83 labels and CT-RATE's 18; the phrasings
(phrasings.tsv) say whether a sentence states one label, or one finding (`facts`). Reports 41-60 and
every third phrasing are held back: only their counts are printed.

    python benchmarks/manners.py [--errors]
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, Field, model_validator

from configs.contracts import Existence
from configs.yaml_file import load_yaml
from labeler import Labeler, load_labeler
from labeler.scoring import score

REPORTS = Path(__file__).with_name("manners.yaml")
PHRASINGS = Path(__file__).with_name("phrasings.tsv")
LAST_DEVELOPMENT_REPORT = 40
CONVENTIONS = ("rad_chestct", "ct_rate")
FACTS = "facts"


class Gold(BaseModel, extra="forbid", frozen=True):
    """A report's labels under one convention; those in neither list are denied or not mentioned."""

    present: frozenset[str]
    uncertain: frozenset[str]

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        if both := self.present & self.uncertain:
            raise ValueError(f"{sorted(both)} present and uncertain")
        return self


class Report(BaseModel, extra="forbid", frozen=True):
    """One report."""

    id: Annotated[int, Field(ge=1)]
    manner: str
    rad_chestct: Gold
    ct_rate: Gold
    text: str

    @property
    def held_back(self) -> bool:
        """Whether only counts of this report may be looked at."""
        return self.id > LAST_DEVELOPMENT_REPORT


class Reports(BaseModel, extra="forbid", frozen=True):
    """The file."""

    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Phrasing:
    """A sentence, and whether it states a label of a convention, or a finding (`facts`)."""

    held_back: bool
    read_as: str
    label: str
    stated: bool
    sentence: str


def read_reports(path: Path = REPORTS) -> tuple[Report, ...]:
    """The reports of the file, in order. Raises InputError when it is not as it should be."""
    return load_yaml(path, Reports).reports


def read_phrasings(path: Path = PHRASINGS) -> list[Phrasing]:
    """The phrasings of the file, in order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Phrasing(
                row["held_back"] == "1",
                row["read_as"],
                row["label"],
                row["stated"] == "1",
                row["sentence"],
            )
            for row in csv.DictReader(file, delimiter="\t")
        ]


def is_stated(phrasing: Phrasing, labelers: dict[str, Labeler]) -> bool:
    """Whether the labeler reads a phrasing's label or finding as present."""
    if phrasing.read_as == FACTS:
        facts = labelers[CONVENTIONS[0]].label(phrasing.sentence).facts
        return any(
            fact.finding == phrasing.label and fact.existence is Existence.PRESENT for fact in facts
        )
    labeler = labelers[phrasing.read_as]
    return labeler.binary(labeler.label(phrasing.sentence).labels)[phrasing.label] == 1


def report_rows(
    name: str, reports: Sequence[Report], convention: str, labeler: Labeler, *, errors: bool
) -> Iterator[str]:
    """A line of figures over (reports x labels), after one for each wrong cell where asked."""
    labels = labeler.label_names
    gold = [getattr(report, convention) for report in reports]
    said = [labeler.binary(labeler.label(report.text).labels) for report in reports]
    said_rl = np.array([[bool(read[label]) for label in labels] for read in said])
    gold_rl = np.array([[label in one.present for label in labels] for one in gold])
    counted_rl = np.array([[label not in one.uncertain for label in labels] for one in gold])
    if errors:
        for row, column in np.argwhere((said_rl != gold_rl) & counted_rl):
            kind = "false" if said_rl[row, column] else "missed"
            yield f"  {reports[row].id} {reports[row].manner}: {kind} {labels[column]}"
    found = score(said_rl, gold_rl, labels, counted_rl=counted_rl)
    for mean, figures in (("micro", found.micro), ("macro", found.macro)):
        precision, recall, f1 = figures.precision, figures.recall, figures.f1
        yield (
            f"{name}, {convention}, {mean}: precision {precision.value:.3f}, "
            f"recall {recall.value:.3f}, F1 {f1.value:.3f} [{f1.low:.3f}, {f1.high:.3f}]"
        )


def phrasing_rows(
    name: str, phrasings: Sequence[Phrasing], labelers: dict[str, Labeler], *, errors: bool
) -> Iterator[str]:
    """A line of figures over phrasings, after one for each that is misread where asked."""
    said = [is_stated(phrasing, labelers) for phrasing in phrasings]
    if errors:
        for phrasing, stated in zip(phrasings, said, strict=True):
            if stated != phrasing.stated:
                kind = "false" if stated else "missed"
                yield f"  {kind} {phrasing.label}: {phrasing.sentence}"
    both = sum(s and p.stated for s, p in zip(said, phrasings, strict=True))
    positive = sum(p.stated for p in phrasings)
    yield (
        f"{name}: {both} of {positive} stated ones found, "
        f"{sum(said) - both} of {len(said) - positive} others read as stated"
    )


def main() -> None:
    """Print the figures, and the errors of what serves development when asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--errors", action="store_true", help="of what serves development")
    asked = parser.parse_args().errors
    labelers = {name: load_labeler(name) for name in CONVENTIONS}
    reports, phrasings = read_reports(), read_phrasings()
    for part, held_back in (("development", False), ("held back", True)):
        errors = asked and not held_back
        chosen = [report for report in reports if report.held_back is held_back]
        for name, labeler in labelers.items():
            print(*report_rows(f"reports, {part}", chosen, name, labeler, errors=errors), sep="\n")
        some = [phrasing for phrasing in phrasings if phrasing.held_back is held_back]
        print(*phrasing_rows(f"phrasings, {part}", some, labelers, errors=errors), sep="\n")


if __name__ == "__main__":
    main()
