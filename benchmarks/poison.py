"""Reports that crash or hang a labelling process, among many: each is found and set aside, alone.

    python benchmarks/poison.py DATA [--reports 200000] [--crashing 7] [--hanging 3]

The archive is that of benchmarks/archive.py with poison at random places. No report is known to
harm the labeler, so the work is made to: at the poison's words it kills its own process, or sleeps.
"""

import argparse
import csv
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from archive import make_archive

from configs.files import read_table, sha256_of
from pipelines.labelling.archive import label_archive
from pipelines.labelling.cut import Text
from pipelines.labelling.parts import Parts
from pipelines.labelling.plan import rules_digest
from pipelines.labelling.work import LabelWork, Tables
from pipelines.reports_in.archive import read_reports

CONVENTION = "ct_rate"
WORDS = {
    "CRASH": "The lungs are clear. This report makes a process crash.",
    "TIMEOUT": "The lungs are clear. This report makes a process hang.",
}
"""By the reason that it must be set aside for, a poison's text."""


class Poisoned(LabelWork):
    """Labels, and dies of two texts."""

    def compute(self, records: Sequence[Text]) -> Tables:
        """Label some reports, or come to harm."""
        texts = {record.text for record in records}
        if WORDS["CRASH"] in texts:
            os.kill(os.getpid(), signal.SIGSEGV)
        if WORDS["TIMEOUT"] in texts:
            time.sleep(10_000)
        return super().compute(records)

    def seconds(self, records: Sequence[Text]) -> float:
        """A sixth of the product's deadline: enough on an idle machine, and minutes are saved."""
        return super().seconds(records) / 6


def plant(source: Path, archive: Path, counts: dict[str, int]) -> dict[str, str]:
    """Copy an archive, some of its reports poisoned; their reasons by identifier."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    reasons = [reason for reason, count in counts.items() for _ in range(count)]
    chosen = random.Random(2).sample(range(1, len(rows)), len(reasons))
    planted = {}
    for row, reason in zip(chosen, reasons, strict=True):
        rows[row][1] = WORDS[reason]
        planted[rows[row][0]] = reason
    with archive.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return planted


def main() -> None:
    """Print what became of the poison and of the rest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--reports", type=int, default=200_000)
    parser.add_argument("--crashing", type=int, default=7)
    parser.add_argument("--hanging", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive, out = folder / "archive.csv", folder / "out"
        make_archive(options.data / "ct_rate_train.csv", folder / "clean.csv", options.reports)
        counts = {"CRASH": options.crashing, "TIMEOUT": options.hanging}
        planted = plant(folder / "clean.csv", archive, counts)
        plan = {"archive": sha256_of(archive), "rules": rules_digest(CONVENTION, None)}
        out.mkdir()
        began = time.perf_counter()
        work = Poisoned(out, CONVENTION, None, False, plan)
        with Parts(out).taken(plan):
            label_archive(work, archive, read_reports(archive), shard_size=2000, workers=2)
        rejected = read_table(out / "rejected.parquet").to_pylist()
        found = {row["id"]: row["reason"] for row in rejected}
        ids = read_table(out / "labels.parquet").column("report_id").to_pylist()
        right = sum(found.get(report) == reason for report, reason in planted.items())
        print(
            f"{options.reports:,} reports, {len(planted)} of them poison: {right} set aside for "
            f"their reason, {len(found.keys() - planted.keys())} others; {len(ids):,} labelled, "
            f"{len(ids) - len(set(ids))} doubled; {(time.perf_counter() - began) / 60:.1f} minutes"
        )


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # the children import the work from here
    from poison import main as as_module

    as_module()
