"""What a stretch of an archive came to, in numbers that add up."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.contracts import LabelValue
from pipelines.running.run import Rejected

_NAMES = {"present": LabelValue.PRESENT, "absent": LabelValue.ABSENT, "uncertain": -1}


@dataclass(slots=True)
class Tally:
    """Counts of reports and labels; `+=` joins those of two stretches."""

    read: int = 0
    labelled: int = 0
    rejected: int = 0
    facts: int = 0
    contradicted: int = 0
    """Reports of which one section affirms what another denies."""
    overruled: int = 0
    """Label values that are a taught stage's and not the rules'."""
    reasons: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    """By label, how many reports have it present, absent, uncertain and blank."""
    positives: Counter[str] = field(default_factory=Counter)
    """By number of labels that are present, how many reports; the number as text, as in JSON."""

    @classmethod
    def of_tables(cls, labels: pa.Table, facts: pa.Table, contradicted: int) -> Self:
        """The counts of reports that were labelled."""
        tally = cls(
            read=len(labels), labelled=len(labels), facts=len(facts), contradicted=contradicted
        )
        present = np.zeros(len(labels), dtype=np.int64)
        for name in labels.column_names[1:]:
            column = labels[name]
            counts = Counter({value: _count(column, code) for value, code in _NAMES.items()})
            counts["blank"] = column.null_count
            tally.values[name] = counts
            is_present = pc.fill_null(pc.equal(column, LabelValue.PRESENT.value), False)
            present += is_present.to_numpy()
        for number, count in zip(*np.unique(present, return_counts=True), strict=True):
            tally.positives[str(number)] = int(count)
        return tally

    def reject(self, record: Rejected) -> None:
        """Count a record that was set aside."""
        self.read += 1
        self.rejected += 1
        self.reasons[str(record.reason)] += 1

    def __iadd__(self, other: "Tally") -> Self:
        for name in ("read", "labelled", "rejected", "facts", "contradicted", "overruled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)
        self.positives.update(other.positives)
        for name, counts in other.values.items():
            self.values.setdefault(name, Counter()).update(counts)
        return self

    def as_json(self) -> dict[str, Any]:
        """The counts as they stand in a JSON file, always in the same order."""
        content = asdict(self)
        content["reasons"] = dict(sorted(self.reasons.items()))
        content["positives"] = dict(sorted(self.positives.items(), key=lambda item: int(item[0])))
        content["values"] = {name: dict(counts) for name, counts in self.values.items()}
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The counts that `as_json` gave."""
        plain = dict(content)
        plain["reasons"] = Counter(content["reasons"])
        plain["positives"] = Counter(content["positives"])
        plain["values"] = {name: Counter(counts) for name, counts in content["values"].items()}
        return cls(**plain)

    def ordered_reasons(self) -> dict[str, int]:
        """The reasons of what was set aside with their counts, the most frequent first."""
        return dict(sorted(self.reasons.items(), key=lambda item: (-item[1], item[0])))

    def told_reasons(self) -> str:
        """The same for people."""
        return ", ".join(f"{reason} {count:,}" for reason, count in self.ordered_reasons().items())

    def summary(self) -> dict[str, float]:
        """Present labels and facts per report (mean, standard deviation), and the blank share."""
        positives = {int(number): count for number, count in self.positives.items()}
        mean = sum(number * count for number, count in positives.items()) / self.labelled
        squares = sum((number - mean) ** 2 * count for number, count in positives.items())
        blanks = sum(counts["blank"] for counts in self.values.values())
        return {
            "present_labels_per_report": round(mean, 4),
            "present_labels_per_report_sd": round((squares / self.labelled) ** 0.5, 4),
            "facts_per_report": round(self.facts / self.labelled, 4),
            "blank_share": round(blanks / (self.labelled * len(self.values)), 4),
            "reports_contradicting_themselves": self.contradicted,
        }


def _count(column: pa.ChunkedArray, value: int) -> int:
    return pc.sum(pc.equal(column, int(value))).as_py() or 0
