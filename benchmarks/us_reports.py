"""Invented US chest CT reports against their gold: findings read across institutions' styles.

Reports 1-60 serve development: `--errors` shows where the labeler and gold differ on them.
Reports 61-100 are held back: only their counts are printed, so that their figure stays honest.
Cells that gold leaves uncertain are not scored.

    python benchmarks/us_reports.py [--errors]
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from configs.convention import load_convention
from configs.yaml_file import load_yaml
from labeler import Labeler, ReportLabels, load_labeler
from labeler.scoring import Score, score

REPORTS = Path(__file__).with_name("us_reports.yaml")
CONVENTION = "rad_chestct"
LAST_DEVELOPMENT_REPORT = 60

LABELS: dict[str, tuple[str, ...]] = {
    "atelectasis": ("atelectasis",),
    "bronchiectasis": ("bronchiectasis",),
    "cardiomegaly": ("cardiomegaly",),
    "catheter_or_port": ("catheter_or_port",),
    "consolidation": ("consolidation",),
    "coronary_calcification": ("coronary_artery_disease",),
    "emphysema": ("emphysema",),
    "fibrosis": ("fibrosis",),
    "fracture": ("fracture",),
    "granuloma": ("granuloma",),
    "groundglass": ("groundglass",),
    "hernia": ("hernia",),
    "lymphadenopathy": ("lymphadenopathy",),
    "mass": ("mass",),
    "nodule": ("nodule",),
    "opacity": ("opacity", "groundglass", "consolidation", "infiltrate"),
    "pericardial_effusion": ("pericardial_effusion",),
    "pleural_effusion": ("pleural_effusion",),
    "pleural_thickening": ("pleural_thickening",),
    "pneumothorax": ("pneumothorax",),
    "pulmonary_edema": ("pulmonary_edema",),
    "septal_thickening": ("septal_thickening",),
}
"""A finding of gold to the convention's labels any of which states it: RAD-ChestCT's `opacity` is
the word without a kind, gold's is an opacity of any kind."""

Bools = NDArray[np.bool_]


class GoldReport(BaseModel, extra="forbid", frozen=True):
    """One report; findings in neither list are denied, resolved or not mentioned."""

    id: Annotated[int, Field(ge=1)]
    present: frozenset[str]
    uncertain: frozenset[str]
    text: str

    @model_validator(mode="after")
    def _names_known_findings_once(self) -> Self:
        if unknown := (self.present | self.uncertain) - set(LABELS):
            raise ValueError(f"report {self.id} names unknown findings {sorted(unknown)}")
        if both := self.present & self.uncertain:
            raise ValueError(f"report {self.id} holds {sorted(both)} present and uncertain")
        return self

    @property
    def held_back(self) -> bool:
        """Whether only counts of this report may be looked at."""
        return self.id > LAST_DEVELOPMENT_REPORT


class GoldReports(BaseModel, extra="forbid", frozen=True):
    """The file."""

    reports: tuple[GoldReport, ...]


def read_gold(path: Path = REPORTS) -> tuple[GoldReport, ...]:
    """The reports of the file, in order. Raises InputError when it is not as it should be."""
    return load_yaml(path, GoldReports).reports


def stated(labeler: Labeler, read: ReportLabels) -> frozenset[str]:
    """The findings of `LABELS` that the labeler holds for present."""
    labels = labeler.binary(read.labels)
    return frozenset(name for name, parts in LABELS.items() if any(labels[part] for part in parts))


def agreement(reports: Sequence[GoldReport], said: Sequence[frozenset[str]]) -> Score:
    """Figures over (reports x findings), without the cells that gold leaves uncertain."""

    def cells(sets: Sequence[frozenset[str]]) -> Bools:
        return np.array([[name in found for name in LABELS] for found in sets])

    gold, unsure = [r.present for r in reports], [r.uncertain for r in reports]
    return score(cells(said), cells(gold), list(LABELS), counted_rl=~cells(unsure))


def errors(report: GoldReport, said: frozenset[str], read: ReportLabels) -> Iterator[str]:
    """A line a wrong cell of a development report, and one a fact that could have decided it."""
    if report.held_back:
        raise ValueError(f"report {report.id} is held back: only counts of it may be looked at")
    convention = load_convention(CONVENTION)
    for name, parts in LABELS.items():
        if name in report.uncertain or (name in said) == (name in report.present):
            continue
        yield f"{report.id:3} {'false' if name in said else 'missed'} {name}"
        asked = {
            finding
            for part in parts
            for rule in convention.rules(part)
            for finding in rule.findings
        }
        for fact in read.facts:
            if fact.finding in asked:
                around = report.text[max(fact.start - 40, 0) : fact.end + 40].replace("\n", " ")
                yield f"      {fact.existence}, {fact.temporality}, cue {fact.cue}: …{around}…"


def table(parts: dict[str, Score]) -> Iterator[str]:
    """One line a finding: support and F1 in every part; then micro with its interval."""
    yield f"{'':24}" + "".join(f"{part:>24}" for part in parts)
    for name in LABELS:
        cells = (parts[part].by_label[name] for part in parts)
        yield f"{name:24}" + "".join(
            f"{f'{cell.f1.value:.3f} (n={cell.support})':>24}" for cell in cells
        )
    micro = (part.micro.f1 for part in parts.values())
    yield f"{'micro F1':24}" + "".join(
        f"{f'{f1.value:.3f} [{f1.low:.3f}, {f1.high:.3f}]':>24}" for f1 in micro
    )


def main() -> None:
    """Print the figures, and the errors of the development reports when asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--errors", action="store_true", help="of the development reports")
    arguments = parser.parse_args()
    reports, labeler = read_gold(), load_labeler(CONVENTION)
    reads = list(labeler.label_many(report.text for report in reports))
    said = [stated(labeler, read) for read in reads]
    if arguments.errors:
        for report, found, read in zip(reports, said, reads, strict=True):
            for line in () if report.held_back else errors(report, found, read):
                print(line)
    split = {"development": False, "held back": True}
    scores = {}
    for part, held_back in split.items():
        chosen = [i for i, report in enumerate(reports) if report.held_back is held_back]
        scores[part] = agreement([reports[i] for i in chosen], [said[i] for i in chosen])
    print(*table(scores), sep="\n")


if __name__ == "__main__":
    main()
