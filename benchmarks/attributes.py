"""Sizes, sides and lobes of annotated mentions in 100 sentences of CT-RATE's reports.

    python benchmarks/attributes.py REPORTS.csv [--errors]     columns AccessionNo, report_text

`attributes.csv` beside this file holds the answers, read from the sentences by eye, as offsets into
the reports: no text. The sentences were drawn by a fixed seed, one a report: 30 with a measurement
and a side or lobe, 30 with a measurement alone, 40 with a side or lobe alone, each the next of its
kind that mentions a finding and repeats no earlier sentence. What a sentence offers as the meaning
of a mention ("(cyst?)", "compatible with ...") is not a mention of its own.

How a cell is read: empty means none. `a|b` takes either, `none` among them: where several lobes are
named, each is a right answer. Of a group ("the largest of which is ...") side is that of the group,
lobe and size are those of its largest. `bound` is `below` where the text gives a limit alone ("less
than 1 cm"): that value or none is right. Diameters are in mm, joined by `;`.

A cell counts where the sentence or the labeler states something; agreeing on nothing earns nothing.
"""

import argparse
import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.finding import ancestors, load_findings
from labeler import Fact, load_labeler

ANSWERS = Path(__file__).with_suffix(".csv")
JUDGED = ("size_mm", "prior_size_mm", "side", "lobe")
ALSO_SHOWN = ("sizes_mm",)
FLOOR, AIM = 0.95, 0.98
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Mention:
    """One annotated mention; offsets index the report."""

    report_id: str
    start: int
    end: int
    finding: str
    answers: dict[str, frozenset[str]]
    """Per attribute every right answer, as text."""

    @property
    def is_held_out(self) -> bool:
        """Whether the report is kept from those who write rules: a fixed quarter of them."""
        return int(hashlib.sha256(self.report_id.encode()).hexdigest(), 16) % 4 == 0


@dataclass(frozen=True, slots=True)
class Cell:
    """What was wanted and what was read of one attribute of one mention."""

    mention: Mention
    attribute: str
    wanted: frozenset[str]
    read: str | None
    """None where the labeler has no fact at the mention."""

    @property
    def counts(self) -> bool:
        """Whether the sentence or the labeler states something."""
        return self.wanted != {_NONE} or self.read not in (_NONE, None)

    @property
    def is_right(self) -> bool:
        """Whether the labeler's answer is one of the right ones."""
        return self.read in self.wanted


def read_mentions(path: Path = ANSWERS) -> list[Mention]:
    """The annotated mentions of a file with this benchmark's columns."""
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            Mention(
                row["AccessionNo"],
                int(row["start"]),
                int(row["end"]),
                row["finding"],
                {name: _answers(row, name) for name in JUDGED + ALSO_SHOWN},
            )
            for row in csv.DictReader(lines)
        ]


def _answers(row: dict[str, str], name: str) -> frozenset[str]:
    answers = frozenset((row[name] or _NONE).split("|"))
    if row["bound"] == "below" and name in ("size_mm", "sizes_mm"):
        answers |= {_NONE}
    return answers


def cells(mentions: Iterable[Mention], facts: dict[str, tuple[Fact, ...]]) -> Iterator[Cell]:
    """Every attribute of every mention, against the fact that overlaps it best."""
    for mention in mentions:
        fact = _fact_at(mention, facts[mention.report_id])
        for attribute, wanted in mention.answers.items():
            read = None if fact is None else _as_text(getattr(fact, attribute))
            yield Cell(mention, attribute, wanted, read)


def _fact_at(mention: Mention, facts: Iterable[Fact]) -> Fact | None:
    """The fact with most of the mention's words: of its finding, else of a relative, else any."""
    findings = load_findings()

    def kinship(fact: Fact) -> int:
        if fact.finding == mention.finding:
            return 2
        return int(
            fact.finding in ancestors(mention.finding, findings)
            or mention.finding in ancestors(fact.finding, findings)
        )

    overlapping = [
        fact
        for fact in facts
        if fact.finding in findings  # not the normality of a place
        and fact.start < mention.end
        and mention.start < fact.end
    ]
    return max(
        overlapping,
        key=lambda f: (kinship(f), min(f.end, mention.end) - max(f.start, mention.start)),
        default=None,
    )


def _as_text(value: str | float | tuple[float, ...] | None) -> str:
    if value is None or value == ():
        return _NONE
    if isinstance(value, tuple):
        return ";".join(f"{number:g}" for number in value)
    return value if isinstance(value, str) else f"{value:g}"


def _accuracy(judged: list[Cell]) -> str:
    right = sum(cell.is_right for cell in judged)
    return f"{right / len(judged):.3f} ({right}/{len(judged)})" if judged else "-"


def _print_table(compared: list[Cell]) -> None:
    columns = ("all", "development", "held out", "mentions found")
    print(f"{'accuracy':<16}" + "".join(f"{column:>18}" for column in columns))
    rows = {name: (name,) for name in JUDGED + ALSO_SHOWN} | {"overall": JUDGED}
    for row, names in rows.items():
        judged = [cell for cell in compared if cell.attribute in names and cell.counts]
        parts = (
            judged,
            [cell for cell in judged if not cell.mention.is_held_out],
            [cell for cell in judged if cell.mention.is_held_out],
            [cell for cell in judged if cell.read is not None],
        )
        print(f"{row:<16}" + "".join(f"{_accuracy(part):>18}" for part in parts))
    print(f"floor {FLOOR}, aim {AIM}, for `overall`, which leaves out sizes_mm")


def main() -> None:
    """Print the accuracy of each attribute, and each error where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reports", type=Path)
    parser.add_argument(
        "--errors", action="store_true", help="list the errors, save those of held-out reports"
    )
    arguments = parser.parse_args()
    mentions = read_mentions()
    wanted = {mention.report_id for mention in mentions}
    labeler = load_labeler("ct_rate")
    with arguments.reports.open(newline="", encoding="utf-8") as lines:
        facts = {
            row["AccessionNo"]: labeler.label(row["report_text"]).facts
            for row in csv.DictReader(lines)
            if row["AccessionNo"] in wanted
        }
    compared = list(cells(mentions, facts))
    missed = {
        (cell.mention.report_id, cell.mention.start) for cell in compared if cell.read is None
    }
    print(f"{len(mentions)} mentions in {len(wanted)} sentences; no fact at {len(missed)} of them")
    _print_table(compared)
    if arguments.errors:
        for cell in compared:
            if cell.counts and not cell.is_right and not cell.mention.is_held_out:
                mention = cell.mention
                said = "no fact" if cell.read is None else cell.read
                answers = " or ".join(sorted(cell.wanted))
                print(
                    f"{mention.report_id} {mention.start}-{mention.end} {mention.finding} "
                    f"{cell.attribute}: {said}, should be {answers}"
                )


if __name__ == "__main__":
    main()
