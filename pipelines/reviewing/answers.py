"""From decisions to gold: sentences on which readers agree, reports that two readers judged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.contracts import LabelValue
from pipelines.reviewing.decisions import Decision, Decisions

Row = tuple[int | None, ...]
"""A value a label, in the convention's order."""


@dataclass(frozen=True, slots=True)
class SentenceGold:
    """Judged sentences by item id."""

    rows: Mapping[str, Row]
    unsure: tuple[str, ...]
    """Those that somebody could not decide, and nobody did."""
    disputed: tuple[str, ...]
    """Those of which several readers said different things."""


def sentence_gold(files: Iterable[Decisions], labels: Sequence[str]) -> SentenceGold:
    """Put the decisions of several readers together."""
    judged: dict[str, set[Row]] = {}
    unsure: dict[str, None] = {}
    for file in files:
        for decision in file.decisions:
            if decision.verdict == "judged":
                judged.setdefault(decision.id, set()).add(_row(decision, labels))
            else:
                unsure[decision.id] = None
    rows = {item: next(iter(said)) for item, said in judged.items() if len(said) == 1}
    disputed = tuple(item for item, said in judged.items() if len(said) > 1)
    return SentenceGold(rows, tuple(item for item in unsure if item not in judged), disputed)


@dataclass(frozen=True, slots=True, eq=False)
class ReportGold:
    """Judged reports of a draw (d), as present (1), absent (0), open (NaN)."""

    items: tuple[str, ...]
    gold_dl: NDArray[np.float64]
    readers: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None
    """What two readers said of the reports that both have judged."""
    differing: Mapping[str, Mapping[str, tuple[int | None, int | None]]]
    """By item and label, what they said, where it was not settled."""
    unsure: tuple[str, ...]


def report_gold(
    readers: Sequence[Decisions],
    adjudication: Decisions | None,
    labels: Sequence[str],
    uncertain: int,
    blank: int,
) -> ReportGold:
    """Where readers agree, what they say; else what was adjudicated; else open.

    A report that only one of two readers judged counts by that reader. `uncertain` and `blank` say
    whether such a value counts as present, as the convention has it.
    """
    by_reader = [{d.id: d for d in file.decisions if d.verdict == "judged"} for file in readers]
    settled = {d.id: d for d in adjudication.decisions} if adjudication else {}
    items = tuple(dict.fromkeys(item for judged in by_reader for item in judged))
    coded = {int(LabelValue.UNCERTAIN): uncertain, None: blank}
    gold_dl = np.full((len(items), len(labels)), np.nan)
    both: list[tuple[list[bool], list[bool]]] = []
    differing: dict[str, dict[str, tuple[int | None, int | None]]] = {}
    for place, item in enumerate(items):
        said = [_row(judged[item], labels) for judged in by_reader if item in judged]
        present = [[bool(coded.get(value, value)) for value in row] for row in said]
        for number, label in enumerate(labels):
            told = {row[number] for row in present}
            decision = settled.get(item)
            if len(told) == 1:
                gold_dl[place, number] = told.pop()
            elif decision is not None and decision.verdict == "judged" and label in decision.labels:
                value = decision.labels[label]
                gold_dl[place, number] = bool(coded.get(value, value))
            elif decision is None or decision.verdict == "judged":  # not asked yet
                differing.setdefault(item, {})[label] = said[0][number], said[1][number]
        if len(present) == 2:
            both.append((present[0], present[1]))
    pair = (np.array([a for a, _ in both]), np.array([b for _, b in both])) if both else None
    everyone = {d.id for file in readers for d in file.decisions}
    unsure = tuple(sorted(everyone - set(items)))
    return ReportGold(items, gold_dl, pair, differing, unsure)


def _row(decision: Decision, labels: Sequence[str]) -> Row:
    return tuple(decision.labels.get(label) for label in labels)
