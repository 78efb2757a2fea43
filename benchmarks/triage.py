"""A simulated reading room: what a worklist changes against reading first in, first out.

    python benchmarks/triage.py DEMO [--bundle BUNDLE]
    python benchmarks/triage.py --speed SCANS --bundle BUNDLE

DEMO is the output of `chestct demo`: the test scans' predictions, and what was drawn in them.
Everything here is SYNTHETIC: it says how the order behaves, nothing about patients. Scans arrive by
a Poisson process, one reader takes one after the other and never stops half-way, reading takes a
gamma-distributed time; each test scan may arrive many times. A scan is urgent when a finding of at
least the policy's urgent weight was drawn visibly, be the model able to see it or not. The same
arrivals and reading times are read in five orders: first in first out, the worklist's, the
worklist's with every flagged scan first, the worklist's without ageing, and by the truth (what no
model can pass). `--speed` times triage itself with one worker and with two.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from configs.triage_policy import TriagePolicy, load_triage_policy
from model import bundle as bundles
from pipelines.triage import triage
from pipelines.triaging.coverage import Coverage, cover
from pipelines.triaging.queue import Scored, flags, precedence, priority, urgency

_NEVER_H = 1e9  # a maximum wait that nobody reaches


@dataclass(frozen=True, slots=True)
class Case:
    """A test scan: what the worklist says of it, and what is there."""

    urgency: float
    flagged: bool
    drawn: float
    """The weight of the heaviest finding that was drawn visibly."""


def cases(demo: Path, policy: TriagePolicy, coverage: Coverage) -> list[Case]:
    """The test scans with the network's probabilities and what was drawn visibly."""
    predictions = pd.read_parquet(demo / "evaluation" / "predictions.parquet")
    cohort = pd.read_parquet(demo / "cohort" / "cohort.parquet")
    drawn = pd.read_parquet(demo / "truth" / "truth.parquet").query("visible")
    weights = drawn.finding.map(policy.findings).fillna(0.0)
    truth = weights.groupby(drawn.accession).max()
    accessions = cohort.drop_duplicates("scan_id").set_index("scan_id").report_id
    found = []
    for scan_id, rows in predictions.groupby("scan_id"):
        probabilities = rows.groupby("label").probability.mean()
        scores = [Scored(w, float(probabilities[label])) for label, w in coverage.watched.items()]
        found.append(
            Case(urgency(scores), bool(flags(scores)), float(truth.get(accessions[scan_id], 0.0)))
        )
    return found


Order = Callable[[Case, float], tuple[int, float]]
"""From a scan and the hours that it has waited to its precedence; the highest is read next."""


def simulate(
    arriving: list[Case],
    at_h: NDArray[np.float64],
    reading_h: NDArray[np.float64],
    order: Order,
) -> NDArray[np.float64]:
    """Hours from arrival to the start of reading, per scan; one reader, never interrupted."""
    waited = np.zeros(len(arriving))
    waiting: list[int] = []
    coming = list(range(len(arriving)))[::-1]
    now = 0.0
    while coming or waiting:
        if not waiting:
            now = max(now, at_h[coming[-1]])
        while coming and at_h[coming[-1]] <= now:
            waiting.append(coming.pop())
        best = max(waiting, key=lambda n: (order(arriving[n], now - float(at_h[n])), -n))
        waiting.remove(best)
        waited[best] = now - at_h[best]
        now += reading_h[best]
    return waited


def room(
    scans: list[Case], policy: TriagePolicy, options: argparse.Namespace
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Per order and measure, a value for each simulated room."""

    def aged(case: Case, waited: float, *, flagged_first: bool) -> tuple[int, float]:
        limit = policy.max_wait_hours
        return precedence(
            flagged=case.flagged,
            overdue=waited >= limit,
            priority=priority(case.urgency, waited, limit),
            flagged_first=flagged_first,
        )

    orders: dict[str, Order] = {
        "first in, first out": lambda _, waited: (0, waited),
        "worklist": lambda case, waited: aged(case, waited, flagged_first=False),
        "flagged first": lambda case, waited: aged(case, waited, flagged_first=True),
        "without ageing": lambda case, _: (0, case.urgency),
        "by the truth": lambda case, waited: (0, priority(case.drawn, waited, _NEVER_H)),
    }
    rng = np.random.default_rng(options.seed)
    runs: dict[str, dict[str, list[float]]] = {name: {} for name in orders}
    for _ in range(options.rooms):
        arriving = [scans[n] for n in rng.integers(len(scans), size=options.scans)]
        at_h = np.cumsum(rng.exponential(1 / options.per_hour, options.scans))
        mean_h = options.load / options.per_hour
        reading_h = rng.gamma(4.0, mean_h / 4.0, options.scans)
        urgent = np.array([case.drawn >= policy.urgent_weight for case in arriving])
        missed = urgent & ~np.array([case.flagged for case in arriving])
        first = simulate(arriving, at_h, reading_h, orders["first in, first out"])
        for name, order in orders.items():
            waited = simulate(arriving, at_h, reading_h, order)
            later = urgent & (waited > first + 1e-9)
            measures = {
                "urgent": waited[urgent].mean(),
                "urgent, 95th percentile": np.quantile(waited[urgent], 0.95),
                "not urgent": waited[~urgent].mean(),
                "longest of all": waited.max(),
                "urgent with a flag": waited[urgent & ~missed].mean(),
                "urgent without a flag": waited[missed].mean() if missed.any() else np.nan,
                "urgent read later than first in, first out": 100 * later.sum() / urgent.sum(),
            }
            for measure, value in measures.items():
                runs[name].setdefault(measure, []).append(float(value))
    return {n: {m: np.array(v) for m, v in found.items()} for n, found in runs.items()}


def table(found: dict[str, dict[str, NDArray[np.float64]]]) -> str:
    """Means over rooms with the standard error of the mean, in Markdown."""
    lines = [f"| hours to reading | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for measure in next(iter(found.values())):
        cells = []
        for values in found.values():
            known = values[measure][np.isfinite(values[measure])]
            error = known.std(ddof=1) / np.sqrt(len(known))
            unit = " %" if "later" in measure else ""
            cells.append(f"{known.mean():.2f}{unit} ± {error:.2f}")
        lines.append(f"| {measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def queue(options: argparse.Namespace) -> None:
    """Simulate and print."""
    policy = load_triage_policy(options.policy)
    bundle = bundles.load(options.bundle or options.demo / "bundle")
    coverage = cover(policy, bundle.labels, bundle.calibrations)
    scans = cases(options.demo, policy, coverage)
    urgent = [case for case in scans if case.drawn >= policy.urgent_weight]
    flagged = sum(case.flagged for case in scans)
    missed = sum(not case.flagged for case in urgent)
    print(coverage.statement)
    print(
        f"SYNTHETIC: {len(scans)} test scans, {len(urgent)} urgent (a finding of "
        f"{policy.urgent_weight:g} points or more was drawn), {flagged} flagged, {missed} urgent "
        "ones without any flag"
    )
    print(
        f"{options.rooms} rooms of {options.scans} scans, {options.per_hour:g} an hour, reader "
        f"busy {options.load:.0%} of the time, maximum wait {policy.max_wait_hours:g} h, ± is the "
        "standard error\n"
    )
    print(table(room(scans, policy, options)))


def speed(options: argparse.Namespace) -> None:
    """Seconds of triage with one worker and with two, alternating; the median and the ratio."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.repeat):
        for workers, seconds in taken.items():
            with tempfile.TemporaryDirectory() as out:
                started = time.perf_counter()
                made = triage(
                    options.speed, model=options.bundle, out=Path(out), workers=workers, quiet=True
                )
                seconds.append(time.perf_counter() - started)
    one, two = median(taken[1]), median(taken[2])
    print(
        f"{len(made.rows)} scans: {one:.1f} s with one worker, {two:.1f} s with two, "
        f"{one / two:.2f} times as fast"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, nargs="?")
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--policy", default="default")
    parser.add_argument("--per-hour", type=float, default=6.0)
    parser.add_argument("--load", type=float, default=0.9, help="the share of time a reader reads")
    parser.add_argument("--scans", type=int, default=400)
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=Path, metavar="SCANS")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if options.speed:
        speed(options)
    elif options.demo:
        queue(options)
    else:
        parser.error("name a demo's folder, or --speed SCANS --bundle BUNDLE")


if __name__ == "__main__":
    main()
