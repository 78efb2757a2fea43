"""What the neural stage is worth: rules, network and both on reports that taught them nothing.

    OMP_NUM_THREADS=1 python benchmarks/neural.py DATA [--seeds 3] [--write docs/benchmarks.md]

DATA is the folder of benchmarks/labelling.py. Three questions, each answered with the default
recipe, on macro F1 with 95 % bootstrap intervals over reports:

- **held out**: taught on the 600 CT-RATE reports of development, tried on the other 200;
- **other idiom**: taught on all 800 CT-RATE reports, tried on Open-i's US chest X-ray reports, and
  the reverse, over the labels that both have an honest word for;
- **missing phrases**: a share of the lexicon's phrases is dropped at random before the stage is
  taught on the 600: how much of what the rules lose on the 200 does it win back?
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import openi
import pandas as pd
from numpy.typing import NDArray

from configs.anatomy import load_anatomy
from configs.contracts import Estimate
from configs.convention import load_convention
from configs.cue import PACKS, load_cues
from configs.finding import load_findings
from labeler import Labeler, load_labeler
from labeler.conventions import CompiledConvention
from labeler.judgeable import Judgeable
from labeler.neural import Fusion, Gold, NeuralStage, teach
from labeler.neural.reading import Coding, read_reports
from labeler.scoring import compare, score
from labeler.segment import Segmenter
from labeler.sentence import SentenceReader

CONVENTION = "ct_rate"
DEVELOPMENT_REPORTS = 600
DROPPED = 0.2
COMMAND = "OMP_NUM_THREADS=1 python benchmarks/neural.py DATA --write docs/benchmarks.md"
MARKS = ("<!-- neural: begin -->", "<!-- neural: end -->")

SHARED = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Emphysema": "emphysema",
    "Hiatal hernia": "hernia",
    "Lung nodule": "nodule",
    "Pleural effusion": "pleural_effusion",
}
"""CT-RATE's labels to the labels of benchmarks/openi.py whose MeSH terms mean the same."""

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """Reports with gold for every label of the convention; NaN where there is none."""

    texts: tuple[str, ...]
    gold_rl: Floats

    def chosen(self, rows: Bools) -> "Part":
        """Some of the reports."""
        texts = tuple(text for text, kept in zip(self.texts, rows, strict=True) if kept)
        return Part(texts, self.gold_rl[rows])

    def of_labels(self, kept: Sequence[int]) -> "Part":
        """All reports, the gold of some labels."""
        gold_rl = np.full_like(self.gold_rl, np.nan)
        gold_rl[:, kept] = self.gold_rl[:, kept]
        return Part(self.texts, gold_rl)


def ct_rate(path: Path, names: Sequence[str]) -> tuple[Part, Bools]:
    """The 800 reports, and which of them are of development."""
    reports = pd.read_csv(path)
    # The split of benchmarks/labelling.py.
    order = sorted(reports.AccessionNo, key=lambda name: sha256(name.encode()).hexdigest())
    development = reports.AccessionNo.isin(order[:DEVELOPMENT_REPORTS]).to_numpy()
    gold_rl = reports[list(names)].to_numpy(dtype=np.float32)
    return Part(tuple(reports.report_text), gold_rl), development


def open_i(path: Path, names: Sequence[str]) -> Part:
    """Open-i's reports, with gold for the shared labels."""
    reports = pd.read_csv(path)
    gold_rl = np.full((len(reports), len(names)), np.nan, np.float32)
    found = openi.gold(reports["MeSH"])
    for label, theirs in SHARED.items():
        gold_rl[:, names.index(label)] = found[theirs]
    pairs = zip(reports["findings"].fillna(""), reports["impression"].fillna(""), strict=True)
    texts = (f"FINDINGS: {findings}\nIMPRESSION: {impression}" for findings, impression in pairs)
    return Part(tuple(texts), gold_rl)


def damaged_labeler(seed: int) -> Labeler:
    """A labeler that has lost a share of all findings' phrases."""
    draw = random.Random(seed)
    whole, anatomy, packs = load_findings(), load_anatomy(), load_cues(PACKS)
    findings = {
        name: finding.model_copy(
            update={"phrases": tuple(p for p in finding.phrases if draw.random() >= DROPPED)}
        )
        for name, finding in whole.items()
    }
    return Labeler(
        Segmenter(packs),
        SentenceReader(findings, anatomy, packs),
        Judgeable(whole, anatomy),
        CompiledConvention(load_convention(CONVENTION), whole, anatomy),
    )


def said(labeler: Labeler, stage: NeuralStage, texts: Sequence[str]) -> dict[Fusion, Bools]:
    """What rules, network and both hold for present (reports, labels)."""
    coding = Coding.of(labeler)
    found = {Fusion.RULES: coding.present(read_reports(labeler, texts).value_rl)}
    for fusion in stage.combinations:
        found[fusion] = coding.present(stage.judge(labeler, texts, fusion).value_rl)
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """One question's figures."""

    question: str
    macro: dict[Fusion, Estimate]
    gain: dict[Fusion, Estimate]
    """Over the rules, on the same reports."""
    teaching_seconds: float

    def row(self) -> str:
        """The figures as a row of a table."""
        cells = [_figure(self.macro[fusion]) for fusion in Fusion]
        cells += [_figure(self.gain[fusion], sign="+") for fusion in self.gain]
        return f"| {self.question} | {' | '.join(cells)} | {self.teaching_seconds:.0f} |"


def _figure(estimate: Estimate, sign: str = "") -> str:
    low, high = (f"{bound:{sign}.3f}" for bound in (estimate.low, estimate.high))
    return f"{estimate.value:{sign}.3f} [{low}, {high}]"


def ask(question: str, labeler: Labeler, taught: Part, tried: Part) -> Answer:
    """Teach on one part, try on another; labels without gold there are not counted."""
    started = time.process_time()
    gold = Gold(taught.texts, taught.gold_rl)
    stage = teach(labeler, CONVENTION, taught.texts, gold)
    seconds = time.process_time() - started
    found = said(labeler, stage, tried.texts)
    kept = np.flatnonzero(~np.isnan(tried.gold_rl).any(axis=0))
    names = [labeler.label_names[label] for label in kept]
    gold_rl = tried.gold_rl[:, kept] == 1
    macro = {
        one: score(said_rl[:, kept], gold_rl, names).macro.f1 for one, said_rl in found.items()
    }
    rules_rl = found[Fusion.RULES][:, kept]
    gain = {
        fusion: compare(found[fusion][:, kept], rules_rl, gold_rl, names).macro
        for fusion in stage.combinations
    }
    return Answer(question, macro, gain, seconds)


def won_back(whole: Answer, damaged: Sequence[Answer]) -> str:
    """Which share of all that the rules lost over the seeds the network and both win back."""
    rules = [answer.macro[Fusion.RULES].value for answer in damaged]
    lost = sum(whole.macro[Fusion.RULES].value - value for value in rules)
    parts = []
    for fusion in (Fusion.NEURAL, Fusion.FUSED):
        won = sum(answer.macro[fusion].value for answer in damaged) - sum(rules)
        parts.append(f"{fusion} {won / lost:.0%}")
    return (
        f"Of what the rules lose with their phrases, won back over all seeds: {'; '.join(parts)}."
    )


def answers(data: Path, seeds: int) -> Iterator[Answer]:
    """Every question in turn."""
    labeler = load_labeler(CONVENTION)
    names = labeler.label_names
    reports, development = ct_rate(data / "ct_rate_train.csv", names)
    taught, tried = reports.chosen(development), reports.chosen(~development)
    yield ask("held out: 600, tried on 200", labeler, taught, tried)
    for seed in range(seeds):
        question = f"{DROPPED:.0%} of phrases dropped, seed {seed}"
        yield ask(question, damaged_labeler(seed), taught, tried)
    us = open_i(data / "openi_train.csv", names)
    shared = [names.index(label) for label in SHARED]
    yield ask("CT-RATE taught, tried on Open-i", labeler, reports, us)
    yield ask("Open-i taught, tried on CT-RATE", labeler, us, reports.of_labels(shared))


def write(path: Path, table: str) -> None:
    """Put the table between its marks in a Markdown file, or at its end."""
    text = path.read_text(encoding="utf-8")
    begin, end = MARKS
    if begin in text:
        head, rest = text.split(begin, 1)
        text = f"{head}{begin}\n{table}{end}{rest.split(end, 1)[1]}"
    else:
        text += f"\n## Neural stage: `{COMMAND}`\n\n{begin}\n{table}{end}\n"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    lines = [
        "| question | rules | neural | fused | neural - rules | fused - rules | seconds to teach |",
        "|---|---|---|---|---|---|---|",
    ]
    found = []
    for answer in answers(arguments.data, arguments.seeds):
        found.append(answer)
        lines.append(answer.row())
        print(answer.row(), flush=True)
    damaged = [answer for answer in found if "dropped" in answer.question]
    lines += ["", won_back(found[0], damaged), ""] if damaged else [""]
    print("\n".join(lines[-2:]))
    if arguments.write:
        write(arguments.write, "\n".join(lines))


if __name__ == "__main__":
    main()
