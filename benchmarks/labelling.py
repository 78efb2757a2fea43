"""Every figure of the labeler in one command, beside its floors and the peers' figures.

    python benchmarks/labelling.py DATA [--write docs/benchmarks.md]

DATA is a folder with `ct_rate_train.csv` (CT-RATE's reports and 18 labels), `openi_train.csv`
(Open-i) and `negex_kit_half.tsv` (the NegEx test kit). Rules were developed on a fixed 600 of the
800 CT-RATE reports (the first by SHA-256 of the accession number); the other 200 were only counted.
Not called labeler.py: beside other scripts, a module of that name would hide the package.
Speed is processor time of one process, spaCy and the labeler in turns over the same texts.
"""

import argparse
import gc
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attributes
import numpy as np
import openi
import pandas as pd
import us_reports

from labeler import Labeler, load_labeler
from labeler.scoring import score

DEVELOPMENT_REPORTS = 600
ERRATA = Path(__file__).parents[1] / "docs" / "errata-ct-rate.csv"
MARKS = ("<!-- labeler: begin -->", "<!-- labeler: end -->")
PEERS = (
    "SARLE-Rules .853 and medspaCy .835 (with 34 rules more .926) macro F1 on the same 800; SARLE "
    ".80 on Open-i; negspacy .979/.949, negex.py .972/.931, medspaCy .970/.929 on the NegEx kit."
)
Row = tuple[str, str, str, str]
"""What is measured, the figure, floor, aim."""


def _digest(accession: str) -> str:
    return hashlib.sha256(accession.encode()).hexdigest()


def ct_rate(reports: pd.DataFrame, labeler: Labeler) -> list[Row]:
    """Macro F1 over CT-RATE's 18 labels, as the gold is and minus the errata."""
    names = list(labeler.label_names)
    said = np.array(
        [list(labeler.binary(labeler.label(text).labels).values()) for text in reports.report_text]
    ).astype(bool)
    gold = reports[names].to_numpy().astype(bool)
    order = sorted(reports.AccessionNo, key=_digest)
    development = reports.AccessionNo.isin(order[:DEVELOPMENT_REPORTS]).to_numpy()
    rows = []
    for part, chosen, floor, aim in (
        ("all 800", np.ones(len(reports), bool), ".960", ".975"),
        ("the 600 of development", development, "", ""),
        ("the 200 that were only counted", ~development, "", ""),
    ):
        macro = score(said[chosen], gold[chosen], names).macro.f1
        figure = f"{macro.value:.3f} [{macro.low:.3f}, {macro.high:.3f}]"
        rows.append((f"CT-RATE, macro F1, {part}", figure, floor, aim))
    errata = pd.read_csv(ERRATA)
    place = {accession: row for row, accession in enumerate(reports.AccessionNo)}
    corrected = gold.copy()
    for cell in errata.itertuples():
        corrected[place[cell.report_id], names.index(cell.label)] = bool(cell.proposed)
    macro = score(said, corrected, names).macro.f1
    figure = f"{macro.value:.3f} [{macro.low:.3f}, {macro.high:.3f}]"
    rows.append((f"CT-RATE, macro F1, all 800, {len(errata)} gold cells mended", figure, "", ""))
    return rows


def open_i(reports: pd.DataFrame) -> list[Row]:
    """Mean F1 over the findings shared with RAD-ChestCT, as benchmarks/openi.py has it."""
    figures = openi.table(openi.gold(reports["MeSH"]), openi.predicted(reports))
    name = f"Open-i, mean F1 over {len(figures)} findings (development)"
    return [(name, f"{figures['f1'].mean():.3f}", ".85", ".92")]


def us_ct() -> list[Row]:
    """Micro F1 on invented US chest-CT reports, as benchmarks/us_reports.py has it."""
    reports, labeler = us_reports.read_gold(), load_labeler(us_reports.CONVENTION)
    rows = []
    for part, held_back in (("development", False), ("held back", True)):
        chosen = [report for report in reports if report.held_back is held_back]
        said = [us_reports.stated(labeler, labeler.label(report.text)) for report in chosen]
        micro = us_reports.agreement(chosen, said).micro.f1
        figure = f"{micro.value:.3f} [{micro.low:.3f}, {micro.high:.3f}]"
        rows.append((f"invented US chest CT, micro F1, {part}", figure, ".93", ".97"))
    return rows


def negex(path: Path, labeler: Labeler) -> list[Row]:
    """Accuracy and F1 of negation on the NegEx kit: whether a sentence denies its concept."""
    kit = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    hits = []
    for _, concept, sentence, status, *_ in kit.itertuples(index=False):
        words = r"\s+".join(map(re.escape, concept.split()))
        if found := re.search(words, sentence, re.IGNORECASE):
            judged = labeler.context(sentence, found.start(), found.end())
            hits.append((judged.existence == "absent", status.strip().lower() == "negated"))
    said, gold = np.array(hits).T
    accuracy = float((said == gold).mean())
    f1 = 2 * int((said & gold).sum()) / int(said.sum() + gold.sum())
    name = f"NegEx kit ({len(hits)} concepts), accuracy / F1"
    return [(name, f"{accuracy:.3f} / {f1:.3f}", ".97 / .94", ".985 / .965")]


def annotated(reports: pd.DataFrame, labeler: Labeler) -> list[Row]:
    """Sizes, sides and lobes in 100 annotated sentences, as benchmarks/attributes.py has it."""
    mentions = attributes.read_mentions()
    texts = dict(zip(reports.AccessionNo, reports.report_text, strict=True))
    wanted = {mention.report_id for mention in mentions}
    facts = {accession: labeler.label(texts[accession]).facts for accession in wanted}
    judged = [
        cell
        for cell in attributes.cells(mentions, facts)
        if cell.counts and cell.attribute in attributes.JUDGED
    ]
    share = sum(cell.is_right for cell in judged) / len(judged)
    return [(f"sizes, sides, lobes, {len(judged)} cells, accuracy", f"{share:.3f}", ".95", ".98")]


def speed(texts: list[str]) -> list[Row]:
    """Reports a second: cold and warm caches, and spaCy's tokenizer and sentencizer beside."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")

    def with_spacy() -> None:
        for document in nlp.pipe(texts):
            sum(1 for _ in document.sents)

    labelers = [load_labeler("ct_rate") for _ in range(3)]

    def with_labeler(labeler: Labeler) -> None:
        for text in texts:
            report = labeler.label(text)
            _ = report.labels, report.facts

    with_spacy()
    spacys = [_per_second(with_spacy, len(texts)) for _ in labelers]
    cold = [_per_second(lambda one=one: with_labeler(one), len(texts)) for one in labelers]
    warm = [_per_second(lambda one=one: with_labeler(one), len(texts)) for one in labelers]
    for labeler in labelers:
        labeler.forget_reports()
    sentences = [_per_second(lambda one=one: with_labeler(one), len(texts)) for one in labelers]
    ratio = max(cold) / max(spacys)
    return [
        ("spaCy blank + sentencizer, reports/s", f"{max(spacys):,.0f}", "", ""),
        ("labeler, cold, reports/s", f"{max(cold):,.0f}", "", ""),
        ("labeler, cold, against spaCy", f"{ratio:.2f}x", "0.35x", "0.7x"),
        ("labeler, reports seen before, reports/s", f"{max(warm):,.0f}", "20,000", "50,000"),
        ("labeler, sentences seen before, reports/s", f"{max(sentences):,.0f}", "", ""),
    ]


def _per_second(run: Callable[[], None], reports: int) -> float:
    """Reports a second; whose turn it is does not pay for collecting what others hold."""
    gc.collect()
    gc.freeze()
    started = time.process_time()
    run()
    return reports / (time.process_time() - started)


_MEMORY = """
import csv, re, sys
from labeler import load_labeler
labeler = load_labeler("ct_rate")
for row in csv.DictReader(open(sys.argv[1], encoding="utf-8")):
    labeler.label(row["report_text"])
status = open("/proc/self/status").read()  # ru_maxrss would count the parent's memory
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024)
"""


def memory(path: Path) -> list[Row]:
    """The most memory that a process takes to label the reports and nothing else."""
    command = [sys.executable, "-c", _MEMORY, str(path / "ct_rate_train.csv")]
    megabytes = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return [("memory of a labelling process, MB", megabytes.strip(), "250", "150")]


def as_markdown(rows: list[Row]) -> str:
    """The rows as a table, with the peers' figures below."""
    lines = ["| measure | figure | floor | aim |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", f"Peers: {PEERS}", ""])


def write(path: Path, table: str) -> None:
    """Put the table between its marks in a Markdown file, or at its end."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    begin, end = MARKS
    block = f"{begin}\n{table}{end}"
    if begin in text:
        head, rest = text.split(begin, 1)
        text = head + block + rest.split(end, 1)[1]
    else:
        text += f"\n## Labeler: `python benchmarks/labelling.py DATA`\n\n{block}\n"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    reports = pd.read_csv(arguments.data / "ct_rate_train.csv")
    labeler = load_labeler("ct_rate")
    rows = ct_rate(reports, labeler)
    rows += open_i(pd.read_csv(arguments.data / "openi_train.csv"))
    rows += us_ct()
    rows += negex(arguments.data / "negex_kit_half.tsv", labeler)
    rows += annotated(reports, labeler)
    rows += speed(reports.report_text.tolist())
    rows += memory(arguments.data)
    table = as_markdown(rows)
    print(table)
    if arguments.write:
        write(arguments.write, table)


if __name__ == "__main__":
    main()
