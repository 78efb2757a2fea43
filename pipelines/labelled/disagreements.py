"""Where labels and gold disagree, each cell with the facts that made its label."""

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as pads

from configs.convention import load_convention
from configs.cue import PACKS, load_cues
from configs.files import atomic_path
from configs.finding import ancestors, load_findings
from labeler.segment import Segmenter
from pipelines.labelled.matched import Matched
from pipelines.labelled.tables import spreadsheet_cell
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.rows import Report

COLUMNS = ("report_id", "label", "gold", "predicted", "in_errata", "facts", "sentences")
_FACT_COLUMNS = ["report_id", "section", "sentence", "start", "text", "finding", "existence"]
_MORE_FACT_COLUMNS = ["temporality", "hypothetical", "cue"]
_Row = dict[str, Any]
"""A row of the facts table."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What tells why a label is as it is, as far as it is at hand."""

    facts: Path | None
    convention: str | None
    reports: Path | None
    """The archive that was labelled: for the sentences behind the facts."""
    options: ReadOptions = PLAIN
    """How it was read."""


def write_disagreements(path: Path, matched: Matched, sources: Sources) -> int:
    """Write one row for each cell that differs, label by label; returns how many there are.

    With the facts table and the convention, a row carries every fact that feeds its label; with the
    reports, also the sentences that these facts stand in.
    """
    cells = [
        (matched.ids[row], matched.labels[column], row, column)
        for column, row in zip(
            *np.nonzero((matched.predicted_rl != matched.gold_rl).T), strict=True
        )
    ]
    evidence: dict[tuple[str, str], list[_Row]] = {}
    sentences: dict[str, list[tuple[int, str]]] = {}
    if sources.facts is not None and sources.convention is not None and cells:
        ids = {cell[0] for cell in cells}
        evidence = _evidence(sources.facts, sources.convention, matched.labels, ids)
        if sources.reports is not None:
            sentences = _sentences(sources.reports, sources.options, ids)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for report_id, label, row, column in cells:
            behind = evidence.get((report_id, label), ())
            starts = [int(fact["start"]) for fact in behind]
            values = (
                report_id,
                label,
                int(matched.gold_rl[row, column]),
                int(matched.predicted_rl[row, column]),
                "" if matched.counted_rl[row, column] else "yes",
                " | ".join(map(_told, behind)),
                " | ".join(_holding(starts, sentences.get(report_id, []))),
            )
            writer.writerow([spreadsheet_cell(value) for value in values])
    return len(cells)


def _evidence(
    facts: Path, convention: str, labels: Sequence[str], ids: set[str]
) -> dict[tuple[str, str], list[_Row]]:
    feeds = _fed_labels(convention, labels)
    rows = pads.dataset(facts, format="parquet").to_table(
        columns=_FACT_COLUMNS + _MORE_FACT_COLUMNS,
        filter=pc.field("report_id").isin(sorted(ids)),
    )
    evidence: dict[tuple[str, str], list[_Row]] = {}
    for fact in rows.to_pylist():
        for label in feeds.get(fact["finding"], ()):
            evidence.setdefault((fact["report_id"], label), []).append(fact)
    return evidence


def _sentences(
    reports: Path, options: ReadOptions, ids: set[str]
) -> dict[str, list[tuple[int, str]]]:
    """By report, its sentences with the offsets at which they begin."""
    segmenter = Segmenter(load_cues(PACKS))
    return {
        record.id: [
            (s.start, record.text[s.start : s.end]) for s in segmenter.sentences(record.text)
        ]
        for record in read_reports(reports, replace(options, any_language=True))
        if isinstance(record, Report) and record.id in ids
    }


def _holding(starts: list[int], sentences: list[tuple[int, str]]) -> list[str]:
    """The sentences in which the offsets lie, each once, on one line."""
    held = (bisect_right(sentences, start, key=itemgetter(0)) - 1 for start in starts)
    return [" ".join(sentences[at][1].split()) for at in dict.fromkeys(held) if at >= 0]


def _fed_labels(convention: str, labels: Sequence[str]) -> dict[str, list[str]]:
    """For each finding, the labels that it or a broader finding feeds."""
    findings, rules = load_findings(), load_convention(convention)
    feeds: dict[str, list[str]] = {}
    for finding in findings:
        broader = {finding, *ancestors(finding, findings)}
        for label in labels:
            if label not in rules.labels:
                continue
            if any(broader & set(rule.findings) for rule in rules.rules(label)):
                feeds.setdefault(finding, []).append(label)
    return feeds


def _told(fact: _Row) -> str:
    """One fact as a line: where it stands, its words, and why it counts as it does."""

    def notes() -> Iterator[str]:
        yield f"{fact['finding']} {fact['existence']}"
        if fact["temporality"] != "current":
            yield str(fact["temporality"])
        if fact["hypothetical"]:
            yield "hypothetical"
        if fact["cue"]:
            yield f"cue: {fact['cue']}"

    return f"{fact['section']} {fact['sentence']}: {fact['text']} [{'; '.join(notes())}]"
