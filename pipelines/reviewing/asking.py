"""Sheets to judge: the sentences of an archive that are most in doubt, or reports drawn from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from configs.contracts import InputError, LabelValue
from configs.convention import Binary
from configs.files import read_table
from labeler import Labeler
from labeler.neural import NeuralStage
from labeler.neural.reading import BLANK, Floats
from pipelines.labelled.archive import LabelledArchive
from pipelines.reviewing.doubts import Doubts, asked_labels
from pipelines.reviewing.drawing import draw
from pipelines.reviewing.sentences import SentenceBook, marked, sampled, stated
from pipelines.reviewing.sheet import READERS, SENTENCES, Item, Kind, Sheet, worksheet_hash
from pipelines.running.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Worksheet:
    """Sheets for people, and the table that their decisions are read by."""

    sheets: tuple[Sheet, ...]
    table: pa.Table
    counts: Mapping[str, int]
    archive: Mapping[str, int]
    """Of an audit: by label, how many reports of the archive have it."""


def sentence_worksheet(
    archive: LabelledArchive,
    labeler: Labeler,
    stage: NeuralStage | None,
    gold: Mapping[str, Floats],
    *,
    most: int,
    max_reports: int,
    seed: int,
    quiet: bool,
) -> Worksheet:
    """The `most` sentences most worth judging; raises InputError where gold names no report."""
    book = SentenceBook(labeler, stage, gold)
    chosen = sampled(archive.read(), archive.labelled, max_reports, seed)
    book.add(track(chosen, "reading", total=min(archive.labelled, max_reports), quiet=quiet))
    if gold and not book.judged_reports:
        raise InputError(
            "the gold names no report that was read; do the identifiers have the same form? "
            "(--gold-id-column, --max-reports)"
        )
    ranked = Doubts(labeler, archive.convention, archive.configs).rank(book.sentences(), most)
    items = []
    for asked in ranked:
        text = asked.sentence.text
        proposal = stated(labeler, text)
        items.append(
            Item(
                "s" + blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest(),
                marked(labeler, text),
                asked_labels(asked, tuple(proposal)),
                proposal,
                asked.sentence.before,
                asked.sentence.after,
                asked.sentence.reports,
                tuple(question.told for question in asked.questions),
            )
        )
    labels = labeler.label_names
    sheet = Sheet(Kind.SENTENCES, SENTENCES, worksheet_hash(labels, items), labels, items)
    columns = {
        "id": pa.array([item.id for item in items], pa.string()),
        "text": pa.array([item.text for item in items], pa.string()),
        "reports": pa.array([item.reports for item in items], pa.int64()),
        "informative": pa.array([asked.informative for asked in ranked], pa.float64()),
        "doubts": pa.array(
            [[str(question.doubt) for question in asked.questions] for asked in ranked],
            pa.list_(pa.string()),
        ),
    }
    different = sum(1 for _ in book.sentences())
    counts = {"read": book.reports, "different": different, "asked": len(items)}
    return Worksheet((sheet,), pa.table(columns), counts, {})


def audit_worksheet(
    archive: LabelledArchive,
    labels: tuple[str, ...],
    binary: Binary,
    *,
    count: int,
    seed: int,
    quiet: bool,
) -> Worksheet:
    """Reports drawn at random for two readers, each in an order of their own, without labels."""
    table = read_table(archive.folder / "labels.parquet")
    present_rl = _present(table, labels, binary)
    drawn = draw(present_rl, labels, count, seed)
    ids = table.column("report_id").take(pa.array(drawn.row_d)).to_pylist()
    wanted = set(ids)
    reading = track(archive.read(), "reading", total=archive.labelled, quiet=quiet)
    texts = {report.id: report.text for report in reading if report.id in wanted}
    if len(texts) != len(wanted):
        raise InputError(f"{archive.folder}: holds reports that its archive has not; label it anew")
    rng = np.random.default_rng(seed + 1)
    order = rng.permutation(len(ids))  # so that no number tells a stratum
    names = [f"r{number:05}" for number in range(1, len(ids) + 1)]
    shown = [texts[ids[d]] for d in order]
    columns = {
        "id": names,
        "report_id": [ids[d] for d in order],
        "stratum": [drawn.stratum_d[d] for d in order],
        "weight": drawn.weight_d[order],
        "text": shown,
    }
    columns |= {name: present_rl[drawn.row_d[order], number] for number, name in enumerate(labels)}
    items = [Item(item, [(text, None)], labels) for item, text in zip(names, shown, strict=True)]
    worksheet = worksheet_hash(labels, items)
    orders = (rng.permutation(len(items)) for _ in READERS)
    sheets = tuple(
        Sheet(Kind.AUDIT, name, worksheet, labels, [items[place] for place in own])
        for name, own in zip(READERS, orders, strict=True)
    )
    archive_l = dict(zip(labels, map(int, present_rl.sum(axis=0)), strict=True))
    return Worksheet(sheets, pa.table(columns), {"drawn": len(items)}, archive_l)


def _present(table: pa.Table, labels: tuple[str, ...], binary: Binary) -> "NDArray[np.bool_]":
    columns = []
    for name in labels:
        value_r = table.column(name).fill_null(BLANK).to_numpy()
        uncertain = (value_r == LabelValue.UNCERTAIN) & bool(binary.uncertain)
        blank = (value_r == BLANK) & bool(binary.blank)
        columns.append((value_r == LabelValue.PRESENT) | uncertain | blank)
    return np.stack(columns, axis=1)
