"""What people decided, as gold; of an audit also what it says of the archive's labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from configs import tables
from configs.contracts import InputError, RecordReason, Stage
from configs.files import write_json, write_table, write_text
from pipelines.labelled.tables import write_csv
from pipelines.reviewing.answers import ReportGold, report_gold, sentence_gold
from pipelines.reviewing.audit import Audit, audit
from pipelines.reviewing.audit_table import as_json
from pipelines.reviewing.decisions import Decisions
from pipelines.reviewing.made import MadeWorksheet
from pipelines.reviewing.sheet import ADJUDICATION, READERS, SENTENCES, Item, Kind, Sheet
from pipelines.running.run import Run

GOLD, SENTENCE_TABLE = "gold.parquet", "sentences.parquet"


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of some decisions."""

    items: int
    """Sentences or reports with gold."""
    audit: Audit | None = None
    to_adjudicate: int = 0


def apply_sentences(run: Run, made: MadeWorksheet, files: Mapping[str, list[Decisions]]) -> Applied:
    """Write `gold.parquet`, and beside it the sentences that it judges."""
    gold = sentence_gold(files[SENTENCES], made.labels)
    for item in gold.unsure:
        run.reject(item, Stage.REVIEW, RecordReason.UNSURE, "cannot be decided from its words")
    for item in gold.disputed:
        run.reject(item, Stage.REVIEW, RecordReason.CONFLICT, "readers differ")
    texts = dict(
        zip(*(made.items.column(name).to_pylist() for name in ("id", "text")), strict=True)
    )
    words = {"report_id": list(gold.rows), "report_text": [texts[item] for item in gold.rows]}
    columns = pa.schema([(name, pa.string()) for name in words])
    write_table(run.out / SENTENCE_TABLE, pa.table(words, schema=columns))
    write_csv(run.out / SENTENCE_TABLE, run.out / "sentences.csv")
    rows = [
        {"report_id": item, **dict(zip(made.labels, row, strict=True))}
        for item, row in gold.rows.items()
    ]
    write_table(run.out / GOLD, pa.Table.from_pylist(rows, tables.labels_schema(made.labels)))
    run.counts.update(judged=len(rows))
    return Applied(len(rows))


def apply_audit(
    run: Run, made: MadeWorksheet, files: Mapping[str, list[Decisions]], seed: int
) -> Applied:
    """Write `audit.json`, `gold.parquet`, and `adjudication.html` where two readers differ."""
    readers = [files[name][0] for name in READERS if name in files]
    if not readers:
        raise InputError("--apply: an audit needs the file of one reader at least")
    settled = files[ADJUDICATION][0] if ADJUDICATION in files else None
    gold = report_gold(readers, settled, made.labels, made.uncertain, made.blank)
    if not gold.items:
        raise InputError("--apply: no report is judged in these files")
    for item in gold.unsure:
        run.reject(item, Stage.REVIEW, RecordReason.UNSURE, "cannot be decided from its words")
    drawn = {row["id"]: row for row in made.items.to_pylist()}
    judged = [drawn[item] for item in gold.items]
    found = audit(
        np.array([[row[name] for name in made.labels] for row in judged], dtype=np.bool_),
        gold.gold_dl,
        _weights(made, judged),
        [made.archive[name] for name in made.labels],
        made.archive_reports,
        made.labels,
        gold.readers,
        seed,
    )
    write_json(run.out / "audit.json", as_json(found))
    write_table(run.out / GOLD, _gold_table(made.labels, judged, gold))
    _write_adjudication(run.out / "adjudication.html", made, gold, drawn)
    run.counts.update(judged=len(judged), to_adjudicate=len(gold.differing))
    return Applied(len(judged), found, len(gold.differing))


def _weights(
    made: MadeWorksheet, judged: Sequence[dict[str, object]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Reports that each judged one stands for: those not judged hand theirs on in the stratum."""
    weights: dict[str, float] = {}
    for stratum, weight in zip(
        made.items.column("stratum").to_pylist(),
        made.items.column("weight").to_pylist(),
        strict=True,
    ):
        weights[stratum] = weights.get(stratum, 0.0) + weight
    strata = [str(row["stratum"]) for row in judged]
    count = {stratum: strata.count(stratum) for stratum in set(strata)}
    return np.array([weights[stratum] / count[stratum] for stratum in strata])


def _gold_table(
    labels: Sequence[str], judged: Sequence[dict[str, object]], gold: ReportGold
) -> pa.Table:
    """Gold by the archive's own identifiers; reports with an open label are left out."""
    rows = [
        {"report_id": row["report_id"], **dict(zip(labels, map(int, gold_l), strict=True))}
        for row, gold_l in zip(judged, gold.gold_dl, strict=True)
        if not np.isnan(gold_l).any()
    ]
    return pa.Table.from_pylist(rows, tables.labels_schema(labels))


def _write_adjudication(
    path: Path, made: MadeWorksheet, gold: ReportGold, drawn: Mapping[str, dict[str, str]]
) -> None:
    if not gold.differing:
        path.unlink(missing_ok=True)  # of an earlier run
        return
    items = [
        Item(item, [(drawn[item]["text"], None)], tuple(cells), readers=cells)
        for item, cells in gold.differing.items()
    ]
    sheet = Sheet(Kind.ADJUDICATION, ADJUDICATION, made.worksheet, made.labels, items)
    write_text(path, sheet.page())
