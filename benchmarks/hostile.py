"""Proofs on hostile input: damaged files, bombs, names that are paths, and planted identities."""

import multiprocessing
import random
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from benchmarks.tally import Setting, Tally, fresh
from model.volumes import VolumeError, read_volume
from model.volumes.decoder import decoder
from pipelines.prepare import prepare
from tests.model.volumes import damage, identities
from tests.model.volumes.bombs import BOMBS

MAX_SECONDS = 30.0
BOMB_SECONDS, BOMB_MB = 2.0, 512.0


def mutants(setting: Setting) -> Tally:
    """Damaged files of every kind, spread over two processes that must live."""
    tally = Tally()
    each = setting.count(-(-20_000 // len(damage.KINDS)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        try:
            for part in pool.map(partial(mutants_of, setting, each), damage.KINDS):
                tally.add(part)
        except BrokenProcessPool:
            tally.wrong.append("a reading process died")
    return tally


def mutants_of(setting: Setting, count: int, kind: str) -> Tally:
    """Mutants of one kind of file; what goes wrong is kept in the corpus."""
    tally = Tally()
    dice = random.Random(f"{setting.seed}/{kind}")
    with fresh(setting) as folder:
        damaged = damage.target(kind, folder)
        whole = damaged.file.read_bytes()
        for number in range(count):
            content = damage.mutant(whole, dice)
            damaged.file.write_bytes(content)
            start = time.monotonic()
            outcome, wrong = _read_mutant(kind, damaged.read)
            taken = time.monotonic() - start
            tally.slowest = max(tally.slowest, taken)
            if taken > MAX_SECONDS:
                wrong = f"{taken:.0f} s"
            tally.note(outcome, wrong=wrong and f"{kind} mutant {number}: {wrong}")
            if wrong:
                setting.corpus.mkdir(parents=True, exist_ok=True)
                name = f"{kind.replace(' ', '_')}-{setting.seed}-{number}"
                (setting.corpus / name).write_bytes(content)
    decoder.stop()
    tally.most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return tally


def _read_mutant(kind: str, path: Path) -> tuple[str, str]:
    try:
        sound = damage.is_sound(kind, read_volume(path))
    except VolumeError:
        return "refused", ""
    except Exception as error:
        return "died", type(error).__name__
    return "read", "" if sound else "wrong geometry"


_READ_ONE = """
import resource, sys, time
def peak_kib():  # not getrusage: a new process starts with its parent's peak
    lines = open("/proc/self/status").readlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
from model.volumes import VolumeError, read_volume
from model.volumes.decoder import decoder
idle = peak_kib()
start = time.process_time()
try:
    read_volume(sys.argv[1])
except VolumeError as error:
    decoder.stop()
    seconds = time.process_time() - start
    peak = max(peak_kib(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(error.reason, seconds, (peak - idle) / 1024)
"""


def bombs(setting: Setting) -> Tally:
    """Each in a process of its own: refused in 2 s of its time, within 512 MB above idle."""
    tally = Tally()
    for name, write in BOMBS.items():
        with fresh(setting) as folder:
            write(folder / "bomb")
            done = subprocess.run(
                [sys.executable, "-P", "-c", _READ_ONE, str(folder / "bomb")],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode or not done.stdout.strip():
            tally.note("not refused", wrong=f"{name}: not refused")
            continue
        reason, seconds, mb = done.stdout.split()
        tally.slowest = max(tally.slowest, float(seconds))
        tally.most_mb = max(tally.most_mb, float(mb))
        over = float(seconds) > BOMB_SECONDS or float(mb) > BOMB_MB
        tally.note(reason, wrong=f"{name}: {seconds} s, {mb} MB" if over else "")
    return tally


def names(setting: Setting) -> Tally:
    """Hostile identifiers: nothing is written but the store."""
    tally = Tally()
    wanted = identities.hostile_names()[:: max(1, round(1 / setting.share))]
    with fresh(setting) as folder:
        root = identities.hostile_archive(folder / "in", wanted)
        before = {path for path in folder.rglob("*") if not path.is_relative_to(root)}
        out = folder / "out" / "store"
        summary = prepare(root, out=out, quiet=True, any_content=True, workers=1)
        made = {path for path in folder.rglob("*") if not path.is_relative_to(root)} - before
    outside = [path.name for path in made if not path.is_relative_to(out) and path != out.parent]
    tally.cases = len(wanted)
    tally.wrong += [f"outside the store: {name}" for name in outside]
    tally.wrong += [
        path.name for path in made for name in wanted if len(name) > 3 and name in path.name
    ]
    if summary.volumes != len(wanted):
        tally.wrong.append(f"{summary.volumes} volumes of {len(wanted)}")
    return tally


def planted(setting: Setting) -> Tally:
    """Words planted in 60 tags: in no file, no name, no output, no log of any level."""
    tally = Tally()
    with fresh(setting) as folder:
        root = identities.planted_archive(folder / "in")
        script = (
            "import logging, sys; logging.basicConfig(level=logging.DEBUG);"
            "from pathlib import Path; from pipelines.prepare import prepare;"
            "prepare(Path(sys.argv[1]), out=Path(sys.argv[2]))"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-W", "always", "-c", script, str(root), str(folder / "store")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        tally.cases = len(identities.TEXT_TAGS)
        tally.wrong += [f"in {name}" for name in identities.planted_in(folder / "store")]
    if identities.PLANTED in done.stdout + done.stderr:
        tally.wrong.append("in what was printed or logged")
    if done.returncode:
        tally.wrong.append("prepare failed")
    return tally
