"""One shard of reports to its tables, counts and part files; it runs in worker processes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from configs import tables
from configs.contracts import InputError, RecordReason, Stage
from configs.files import sha256_of
from pipelines.labelling.cut import Text
from pipelines.labelling.parts import SOFT_LABELS, TABLES, Parts
from pipelines.labelling.plan import rules_digest
from pipelines.labelling.tally import Tally
from pipelines.labelling.taught import Taught, TaughtLabels, apply
from pipelines.reports_in.exam import exam_in_text
from pipelines.running.run import Rejected, rejected_table
from pipelines.running.shards import Lost, Shard

if TYPE_CHECKING:
    from labeler import Fact, Labeler, ReportLabels
    from labeler.neural import NeuralStage

_SECONDS = 60.0  # loading the rules, on a busy machine
_STAGE_SECONDS = 120.0  # loading a stage and the library that computes it
_CHARS_PER_SECOND = 50_000  # a fiftieth of what a core does
_LOST = {
    RecordReason.CRASH: "labelling it ends its process",
    RecordReason.TIMEOUT: "labelling it takes too long",
}


class Tables(NamedTuple):
    """A stretch of reports, labelled."""

    labels: pa.Table
    facts: pa.Table
    reports: pa.Table
    contradicted: int
    soft: pa.Table = tables.SOFT_LABELS.empty_table()
    """Where a taught stage judges beside the rules."""
    overruled: int = 0
    """Label values that are the stage's and not the rules'."""


@dataclass(frozen=True, slots=True)
class LabelWork:
    """How each shard is labelled and where its parts go."""

    out: Path
    convention: str
    overlay: Path | None
    binary: bool
    plan: Mapping[str, Any] = field(default_factory=dict)
    taught: Taught | None = None

    @property
    def parts(self) -> Parts:
        """The folder's parts."""
        return Parts(self.out, TABLES if self.taught is None else (*TABLES, SOFT_LABELS))

    def compute(self, records: Sequence[Text]) -> Tables:
        """Label some reports."""
        labeler = _load_labeler(self.convention, self.overlay, self.plan["rules"])
        read = [_read(labeler, record) for record in records]
        judged = self._judged(labeler, records, read)
        facts: list[Fact] = []
        for one in read:
            facts += one.facts
        counts = [len(one.facts) for one in read]
        values = [
            tuple((labeler.binary(labels) if self.binary else labels).values())
            for labels in judged.labels
        ]
        ids = pa.array([record.id for record in records], pa.string())
        fact_ids = ids.take(pa.array(np.repeat(np.arange(len(records)), counts), pa.int64()))
        return Tables(
            _table(ids, values, tables.labels_schema(labeler.label_names)),
            _table(fact_ids, facts, tables.FACTS),
            reports_table(records),
            sum(bool(one.contradictions) for one in read),
            judged.soft,
            judged.overruled,
        )

    def _judged(
        self, labeler: "Labeler", records: Sequence[Text], read: Sequence["ReportLabels"]
    ) -> TaughtLabels:
        """What the stage makes of what the rules read; without one the rules' own labels."""
        if self.taught is None:
            empty = tables.SOFT_LABELS.empty_table()
            return TaughtLabels([one.labels for one in read], empty, 0)
        from labeler.neural import Fusion

        stage = _load_stage(self.taught.folder, self.plan["stage"])
        triples = [(r.id, r.text, one) for r, one in zip(records, read, strict=True)]
        return apply(stage, labeler, triples, Fusion(self.taught.fusion))

    def seconds(self, records: Sequence[Text]) -> float:
        """A deadline that only a hanging report misses."""
        chars = sum(len(record.text) for record in records)
        seconds = _SECONDS + chars / _CHARS_PER_SECOND
        if self.taught is not None:
            seconds += _STAGE_SECONDS + chars * self.taught.seconds_a_char
        return seconds

    def finish(self, shard: Shard, pieces: Sequence[Any]) -> Tally:
        """Write the shard's parts; reports that could not be labelled are set aside."""
        done = [piece for piece in pieces if not isinstance(piece, Lost)]
        lost = [_set_aside(piece) for piece in pieces if isinstance(piece, Lost)]
        empty = self._empty()
        labels = pa.concat_tables([empty.labels, *(piece.labels for piece in done)])
        facts = pa.concat_tables([empty.facts, *(piece.facts for piece in done)])
        reports = pa.concat_tables([empty.reports, *(piece.reports for piece in done)])
        tally = Tally.of_tables(labels, facts, sum(piece.contradicted for piece in done))
        tally.overruled = sum(piece.overruled for piece in done)
        rejected = [*shard.rest, *lost]
        for record in rejected:
            tally.reject(record)
        written = {"labels": labels, "facts": facts, "reports": reports}
        written["rejected"] = rejected_table(rejected)
        written[SOFT_LABELS] = pa.concat_tables([empty.soft, *(piece.soft for piece in done)])
        self.parts.write(shard.number, written, tally, self.plan)
        return tally

    def _empty(self) -> Tables:
        from configs.convention import load_convention

        names = load_convention(self.convention, overlay=self.overlay).labels
        schema = tables.labels_schema(names)
        return Tables(
            schema.empty_table(), tables.FACTS.empty_table(), tables.REPORTS.empty_table(), 0
        )


@cache
def _load_labeler(convention: str, overlay: Path | None, rules: str) -> "Labeler":
    """A labeler, kept for the life of the process; its rules must be the run's."""
    import gc

    from labeler import load_labeler

    if rules_digest(convention, overlay) != rules:
        raise InputError(
            "a worker has other rules than this run; install the same chestct on every machine, "
            "with the same --configs and convention file"
        )
    labeler = load_labeler(convention, overlay)
    gc.disable()  # labelling makes no cycles, and looking for some takes half as long again
    return labeler


@cache
def _load_stage(folder: Path, sha256: str) -> "NeuralStage":
    """A taught stage, kept for the life of the process; it must be the run's."""
    from labeler.neural import load

    if not folder.is_dir() or sha256_of(folder) != sha256:
        raise InputError(f"{folder}: a worker finds another stage there than this run's, or none")
    return load(folder)


def _read(labeler: "Labeler", record: Text) -> "ReportLabels":
    """A report's labels and facts; of its labels, an addendum overrides those it speaks of."""
    whole = labeler.label(record.text)
    if record.addendum_at is None:
        return whole
    first = labeler.label(record.text[: record.addendum_at]).labels
    later = labeler.label(record.text[record.addendum_at :]).labels
    named = {name: value for name, value in later.items() if value is not None}
    changed = tuple(name for name in named if first[name] not in (None, named[name]))
    return replace(
        whole, labels={**first, **named}, contradictions=(*whole.contradictions, *changed)
    )


def reports_table(records: Sequence[Text]) -> pa.Table:
    """The rows of `reports.parquet`: what the source says of each report beside its text."""
    columns = {
        "report_id": [record.id for record in records],
        "status": [record.status.name.lower() for record in records],
        "time": [None if (t := record.time) is None else round(1e6 * t) for record in records],
        "exam": [record.exam.strip() or exam_in_text(record.text) or None for record in records],
    }
    return pa.table(columns, schema=tables.REPORTS)


def _table(ids: pa.Array, rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """A table of identifiers and of rows that go on where these end."""
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * (len(schema) - 1)
    fields = list(schema)[1:]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays([ids, *arrays], schema=schema)


def _set_aside(lost: Lost[Text]) -> Rejected:
    text, reason = lost.record, lost.reason
    return Rejected(text.id, Stage.LABEL, reason, f"{text.place}: {_LOST[reason]}")
