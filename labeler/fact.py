"""What the labeler says about a report: facts, labels, flags."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from configs.contracts import Assessability, Change, Existence, Experiencer, Temporality


class Fact(NamedTuple):
    """One mention of a finding with its context and attributes; a row of `facts.parquet`.

    A named tuple, not a dataclass: a report has dozens, and building a tuple is several times
    faster. `report[start:end] == text` always holds.
    """

    section: str
    sentence: int
    start: int
    end: int
    text: str
    finding: str
    existence: Existence
    temporality: Temporality
    change: Change | None
    hypothetical: bool
    experiencer: Experiencer
    assessability: Assessability
    anatomy: str | None
    side: str | None
    lobe: str | None
    segment: str | None
    size_mm: float | None
    sizes_mm: tuple[float, ...]
    """All diameters given of the thing measured; of several, those of the largest."""
    other_sizes_mm: tuple[float, ...]
    """Of several things measured, the largest diameter of each other one."""
    size_below: bool
    """The text gives the size only as a limit that it stays below: "less than 1 cm"."""
    prior_size_mm: float | None
    severity: str | None
    count: int | None  # type: ignore[assignment]  # a table column, shadows tuple.count
    cue: str | None

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """A row of `facts.parquet` as Python values; columns that a fact does not have are left.

        Raises KeyError for a row that lacks one, ValueError for a value that no fact has.
        """
        typed = {
            "existence": Existence(row["existence"]),
            "temporality": Temporality(row["temporality"]),
            "change": None if row["change"] is None else Change(row["change"]),
            "experiencer": Experiencer(row["experiencer"]),
            "assessability": Assessability(row["assessability"]),
            "sizes_mm": tuple(row["sizes_mm"] or ()),
            "other_sizes_mm": tuple(row["other_sizes_mm"] or ()),
        }
        return cls(**{name: row[name] for name in cls._fields} | typed)


@dataclass(frozen=True, slots=True)
class ReportLabels:
    """A report's labels under a convention, and all the facts they stand on."""

    labels: dict[str, int | None]
    """1 present, 0 absent, -1 uncertain, None not mentioned; in the convention's order."""
    facts: tuple[Fact, ...]
    contradictions: tuple[str, ...]
    """Findings that one section only affirms and another only denies; all facts stay."""
    incomplete_by_reference: bool
    """The report says that its other findings are as before, without naming them: what it does
    not mention is unknown, never absent."""
