"""Where labels and gold disagree, each cell with the facts that made its label."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as pads

from configs.convention import load_convention
from configs.files import atomic_path
from configs.finding import ancestors, load_findings
from pipelines.labelled.matched import Matched
from pipelines.labelled.tables import spreadsheet_cell

COLUMNS = ("report_id", "label", "gold", "predicted", "in_errata", "facts")
_FACT_COLUMNS = ["report_id", "section", "sentence", "text", "finding", "existence"]
_MORE_FACT_COLUMNS = ["temporality", "hypothetical", "cue"]


def write_disagreements(
    path: Path, matched: Matched, facts: Path | None, convention: str | None
) -> int:
    """Write one row for each cell that differs, label by label; returns how many there are.

    With the facts table and the convention, a row carries every fact that feeds its label.
    """
    cells = [
        (matched.ids[row], matched.labels[column], row, column)
        for column, row in zip(
            *np.nonzero((matched.predicted_rl != matched.gold_rl).T), strict=True
        )
    ]
    evidence: dict[tuple[str, str], list[str]] = {}
    if facts is not None and convention is not None and cells:
        evidence = _evidence(facts, convention, matched.labels, [cell[0] for cell in cells])
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for report_id, label, row, column in cells:
            values = (
                report_id,
                label,
                int(matched.gold_rl[row, column]),
                int(matched.predicted_rl[row, column]),
                "" if matched.counted_rl[row, column] else "yes",
                " | ".join(evidence.get((report_id, label), ())),
            )
            writer.writerow([spreadsheet_cell(value) for value in values])
    return len(cells)


def _evidence(
    facts: Path, convention: str, labels: Sequence[str], ids: Sequence[str]
) -> dict[tuple[str, str], list[str]]:
    feeds = _fed_labels(convention, labels)
    rows = pads.dataset(facts, format="parquet").to_table(
        columns=_FACT_COLUMNS + _MORE_FACT_COLUMNS,
        filter=pc.field("report_id").isin(sorted(set(ids))),
    )
    evidence: dict[tuple[str, str], list[str]] = {}
    for fact in rows.to_pylist():
        for label in feeds.get(fact["finding"], ()):
            evidence.setdefault((fact["report_id"], label), []).append(_told(fact))
    return evidence


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


def _told(fact: dict[str, object]) -> str:
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
