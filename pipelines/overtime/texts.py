"""What the reports say of each finding over time, aligned by finding, side and lobe."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from configs import files
from configs.contracts import Change, Existence
from configs.cue import PACKS, load_cues
from configs.finding import load_findings
from labeler.segment import Segmenter
from pipelines.overtime.content import Said, Track
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.rows import Report

_SECTIONS_LEFT_OUT = {"indication", "technique", "comparison", "recommendation"}

FactRow = Mapping[str, Any]
"""A row of facts.parquet."""
Place = tuple[str, str | None, str | None]
"""A finding's id, its side and its lobe."""


def read_facts(path: Path, reports: Iterable[str]) -> list[FactRow]:
    """The facts of these reports that are about the patient, from `chestct label`'s output."""
    table = files.read_table(files.finished_table(path, "facts.parquet"))
    wanted = table.filter(pc.is_in(table["report_id"], value_set=_strings(reports)))
    return [
        row
        for row in wanted.to_pylist()
        if row["experiencer"] == "patient"
        and not row["hypothetical"]
        and row["section"] not in _SECTIONS_LEFT_OUT
    ]


def _strings(values: Iterable[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(set(values)), pa.string())


def read_texts(archive: Path, reports: Iterable[str]) -> dict[str, str]:
    """The texts of these reports, by identifier."""
    wanted = set(reports)
    return {
        record.id: record.text
        for record in read_reports(archive)
        if isinstance(record, Report) and record.id in wanted
    }


def tracks(
    rows: Iterable[FactRow], studies: Mapping[str, int], texts: Mapping[str, str]
) -> tuple[Track, ...]:
    """Each finding at its place through the studies, where a text speaks of its size or change.

    `studies` maps a report to its study's number. Every word of change is the report's own.
    """
    sentences = {
        report: Segmenter(load_cues(PACKS)).sentences(text) for report, text in texts.items()
    }

    def quote(row: FactRow) -> str:
        of_report = sentences.get(row["report_id"], [])
        if row["sentence"] < len(of_report):
            sentence = of_report[row["sentence"]]
            if sentence.start <= row["start"] and row["end"] <= sentence.end:
                return texts[row["report_id"]][sentence.start : sentence.end]
        return str(row["text"])

    places: dict[Place, dict[tuple[Any, ...], Said]] = defaultdict(dict)
    for row in rows:
        change = Change(row["change"]) if row["change"] else None
        if row["existence"] == Existence.ABSENT and change is not Change.RESOLVED:
            continue
        said = Said(
            study=studies[row["report_id"]],
            existence=Existence(row["existence"]),
            change=change,
            size_mm=row["size_mm"],
            prior_size_mm=row["prior_size_mm"],
            quote=quote(row),
        )
        place = places[row["finding"], row["side"], row["lobe"]]
        place.setdefault((said.study, said.change, said.size_mm), said)
    moving = [
        (place, frozenset(found.values()))
        for place, found in places.items()
        if any(one.change or one.size_mm for one in found.values())
    ]
    return tuple(
        sorted(map(_track, _folded(moving)), key=lambda t: (t.name, t.side or "", t.lobe or ""))
    )


def _folded(moving: Iterable[tuple[Place, frozenset[Said]]]) -> list[tuple[list[Place], set[Said]]]:
    """Findings of one place whose every word stands for another there too share its row.

    "Calcified plaques" make a plaque, an atherosclerosis and a calcification: one row names all.
    """
    rows: list[tuple[list[Place], set[Said]]] = []
    for place, said in sorted(moving, key=lambda one: -len(one[1])):
        same = (row for row in rows if row[0][0][1:] == place[1:] and said <= row[1])
        if row := next(same, None):
            row[0].append(place)
        else:
            rows.append(([place], set(said)))
    return rows


def _order(said: Said) -> tuple[int, str, float, str]:
    return said.study, said.change or "", said.size_mm or 0.0, said.quote


def _track(row: tuple[list[Place], set[Said]]) -> Track:
    places, said = row
    known = load_findings()
    findings = [finding for finding, _, _ in places]
    names = [known[f].name if f in known else f.replace("_", " ") for f in findings]
    _, side, lobe = places[0]
    return Track(
        findings=tuple(findings),
        name=", ".join([names[0], *(name.lower() for name in names[1:])]),
        side=side,
        lobe=lobe,
        said=tuple(sorted(said, key=_order)),
    )
