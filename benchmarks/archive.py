"""An archive of a million reports through `chestct label`: rate, scaling, memory, random kills.

    python benchmarks/archive.py DATA [--reports 1000000] [--small 100000] [--kill-reports 200000]
        [--kills 20] [--folder DIR] [--write docs/benchmarks.md]

DATA holds `ct_rate_train.csv`, 800 reports. The archive is made of them: each report takes its
number of sentences from one of the 800, and each sentence from a random one, at about the same
place. So sentences repeat far more often than in a hospital's archive, and the labeler knows most
of them by heart; the labeler's own rate, on the same reports and in the same run, is the measure.
"""

import argparse
import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

MARKS = ("<!-- archive: begin -->", "<!-- archive: end -->")
TABLES = ("labels", "facts", "reports", "rejected")
Row = tuple[str, str, str]
"""What is measured, the figure, the floor."""


def make_archive(source: Path, path: Path, reports: int) -> None:
    """Write an archive of that many recombined reports, one at a time."""
    with source.open(encoding="utf-8", newline="") as file:
        texts = [re.split(r"(?<=\.)\s+", row["report_text"]) for row in csv.DictReader(file)]
    draw = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["report_id", "report_text"])
        for number in range(reports):
            length = len(draw.choice(texts))
            donors = (draw.choice(texts) for _ in range(length))
            sentences = [donor[i * len(donor) // length] for i, donor in enumerate(donors)]
            writer.writerow([f"R{number:08d}", " ".join(sentences)])


_OWN_RATE = """
import csv, gc, sys, time
from itertools import islice
from labeler import load_labeler
if sys.argv[3] == "off":
    gc.disable()
labeler = load_labeler()
rows = csv.DictReader(open(sys.argv[1], encoding="utf-8", newline=""))
done = seconds = 0
while texts := [row["report_text"] for row in islice(rows, 5000)]:
    gc.collect(); gc.freeze()
    started = time.perf_counter()
    for text in texts:
        labeler.label(text)
    seconds += time.perf_counter() - started
    done += len(texts)
    if done >= int(sys.argv[2]):
        break
print(done / seconds)
"""


def own_rate(archive: Path, reports: int, collector: str) -> float:
    """Reports a second of the labeler alone: one process, texts in memory, nothing written.

    With Python's garbage collector "on", as a caller of the labeler has it and as
    benchmarks/labelling.py times it, or "off", as the processes of `chestct label` have it.
    """
    command = [sys.executable, "-P", "-c", _OWN_RATE, str(archive), str(reports), collector]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def command(archive: Path, out: Path, workers: int) -> list[str]:
    """The command line of one run."""
    chestct = str(Path(sys.executable).with_name("chestct"))
    return [chestct, "label", str(archive), "--out", str(out), "--workers", str(workers), "--quiet"]


def timed(archive: Path, out: Path, workers: int) -> tuple[float, float]:
    """Seconds of a run from its start to its end, and its peak memory in MB."""
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    process = subprocess.Popen(command(archive, out, workers), start_new_session=True)
    with peak_memory(process.pid) as peak:
        code = process.wait()
    if code != 0:
        raise SystemExit(f"chestct label ended with {code}")
    return time.perf_counter() - started, max(peak) / 1e6


@contextmanager
def peak_memory(session: int) -> Iterator[list[int]]:
    """Bytes that all processes of a session hold together, looked at five times a second."""
    seen, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            seen.append(sum(proportional_bytes(pid) for pid in processes_of(session)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def processes_of(session: int) -> list[int]:
    """The processes of a session (proc(5), field 6 of stat)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append(int(stat.parent.name))
    return found


def proportional_bytes(pid: int) -> int:
    """A process's memory, pages that several share counted by their share."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def killed(
    archive: Path, folder: Path, reports: int, kills: int, typical: float
) -> tuple[int, int]:
    """Reports lost and doubled after `kills` kills of the whole group at random moments.

    Also fails when a table's bytes differ from those of a run that nobody disturbed.
    """
    clean, out = folder / "clean", folder / "killed"
    timed(archive, clean, 2)
    shutil.rmtree(out, ignore_errors=True)
    draw, done = random.Random(1), 0
    while done < kills:
        process = subprocess.Popen(
            command(archive, out, 2), start_new_session=True, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=draw.uniform(0, typical / 2))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
        else:
            shutil.rmtree(out)  # it came to its end: begin anew, for there is more to kill
    subprocess.run(command(archive, out, 2), check=True)
    for name in TABLES:
        for part in sorted((clean / f"{name}.parquet").iterdir()):
            if part.read_bytes() != (out / f"{name}.parquet" / part.name).read_bytes():
                raise SystemExit(f"{name}.parquet/{part.name} differs from the clean run's")
    found = Counter(pq.read_table(out / "labels.parquet", columns=["report_id"])[0].to_pylist())
    return reports - len(found), sum(count - 1 for count in found.values())


def measure(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Every figure, as it is found."""
    source = arguments.data / "ct_rate_train.csv"
    large, small, part = folder / "large.csv", folder / "small.csv", folder / "kills.csv"
    n, few, some = arguments.reports, arguments.small, arguments.kill_reports
    make_archive(source, large, n)
    make_archive(source, small, few)
    own, bare = own_rate(small, few, "on"), own_rate(small, few, "off")
    yield "labeler alone, reports/s", f"{own:,.0f}", ""
    yield "labeler alone without garbage collector, reports/s", f"{bare:,.0f}", ""
    _, memory_few = timed(small, folder / "few", 2)
    one, _ = timed(large, folder / "one", 1)
    yield f"one worker, {n:,} reports, reports/s", f"{n / one:,.0f}", ""
    yield "one worker against the labeler alone", f"{n / one / own:.2f}x", "0.6x"
    two, memory = timed(large, folder / "two", 2)
    yield f"two workers, {n:,} reports, reports/s", f"{n / two:,.0f}", ""
    yield f"two workers, {n:,} reports, minutes", f"{two / 60:.1f}", ""
    yield "two workers against one", f"{one / two:.2f}x", "1.7x"
    megabytes = f"{memory_few:,.0f} / {memory:,.0f}"
    yield f"peak memory of all processes, {few:,} / {n:,} reports, MB", megabytes, ""
    yield "peak memory, ratio", f"{memory / memory_few:.2f}x", "1.1x"
    for name in ("large.csv", "small.csv"):
        (folder / name).unlink()
    for name in ("few", "one", "two"):
        shutil.rmtree(folder / name)
    make_archive(source, part, some)
    lost, doubled = killed(part, folder, some, arguments.kills, two * some / n)
    what = f"{arguments.kills} kills -9 of the group, {some:,} reports: lost / doubled"
    yield what, f"{lost} / {doubled}", "0 / 0"


def write(path: Path, rows: list[Row]) -> None:
    """Put the table between its marks in a Markdown file."""
    table = [
        "| measure | figure | floor |",
        "|---|---|---|",
        *(f"| {' | '.join(r)} |" for r in rows),
    ]
    block = "\n".join([MARKS[0], *table, MARKS[1]])
    text = path.read_text(encoding="utf-8")
    if MARKS[0] in text:
        head, rest = text.split(MARKS[0], 1)
        text = head + block + rest.split(MARKS[1], 1)[1]
    else:
        command = "`python benchmarks/archive.py DATA --write docs/benchmarks.md`"
        text += f"\n## Labelling an archive: {command}\n\n{block}\n"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--kill-reports", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where the archive and results lie meanwhile")
    parser.add_argument("--write", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for row in measure(arguments, Path(folder)):
            print(*row, sep=" | ", flush=True)
            rows.append(row)
    if arguments.write:
        write(arguments.write, rows)


if __name__ == "__main__":
    main()
