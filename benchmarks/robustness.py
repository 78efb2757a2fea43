"""What the volume readers do with wrong, damaged and hostile input: every proof, one command.

    OMP_NUM_THREADS=1 python -m benchmarks.robustness [--share 0.02] [--seed 0]

Run from the repository root, for it uses the tests' phantom: HU is linear in world position, so
each voxel says where it belongs. `--share` scales the number of cases. Exits with 1 when anything
was wrong. Whatever was wrong is kept in `--corpus`.
"""

import argparse
import logging
import multiprocessing
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from model.volumes import VolumeError, read_volume
from model.volumes.decoder import decoder
from pipelines.prepare import prepare
from tests.model.volumes import damage, identities, random_series
from tests.model.volumes.bombs import BOMBS
from tests.model.volumes.dicom_faults import FAULTS
from tests.model.volumes.dicom_phantom import Plan, make_series, save
from tests.model.volumes.dicom_variants import VALID, assert_exact
from tests.model.volumes.phantom import affine_of, position_coded

MAX_SECONDS = 30.0
BOMB_SECONDS, BOMB_MB = 2.0, 512.0


@dataclass(slots=True)
class Tally:
    """What one proof found."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    most_mb: float = 0.0

    def note(self, outcome: str, *, wrong: str = "") -> None:
        """Count a case, and say what was wrong about it."""
        self.cases += 1
        self.outcomes[outcome] += 1
        if wrong:
            self.wrong.append(wrong)

    def add(self, part: "Tally") -> None:
        """Count in what another process found."""
        self.cases += part.cases
        self.outcomes += part.outcomes
        self.wrong += part.wrong
        self.slowest = max(self.slowest, part.slowest)
        self.most_mb = max(self.most_mb, part.most_mb)


@dataclass(frozen=True, slots=True)
class Setting:
    """How much is tried, and where."""

    share: float
    seed: int
    folder: Path
    corpus: Path

    def count(self, full: int) -> int:
        """How many of the full number of cases."""
        return max(1, round(full * self.share))


@contextmanager
def fresh(setting: Setting) -> Iterator[Path]:
    """A new folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(dir=setting.folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def fault_matrix(setting: Setting) -> Tally:
    """Each fault alone: refused, for its own reason."""
    tally = Tally()
    for name, (change, reason) in FAULTS.items():
        series = make_series(Plan())
        try:
            with fresh(setting) as folder:
                read_volume(save(change(series) or series, folder))
            tally.note("read", wrong=f"{name}: a volume")
        except VolumeError as error:
            other = "" if error.reason is reason else f"{name}: {error.reason}"
            tally.note("refused", wrong=other)
    return tally


def valid_variants(setting: Setting) -> Tally:
    """Each unusual but valid series: exact to 0.01 mm and 0 HU."""
    tally = Tally()
    for name, change in VALID.items():
        series = make_series(Plan())
        try:
            with fresh(setting) as folder:
                assert_exact(read_volume(save(change(series) or series, folder)))
            tally.note("exact")
        except (VolumeError, AssertionError) as error:
            tally.note("wrong", wrong=f"{name}: {type(error).__name__}")
    return tally


def drawn(setting: Setting, *, faults: bool) -> Tally:
    """Series drawn at random, valid or with one to three faults."""
    tally = Tally()
    judge = random_series.outcome_of_faults if faults else random_series.outcome_of_valid
    good = {random_series.Outcome.RIGHT}
    if faults:
        good |= {random_series.Outcome.REFUSED}
    for number in range(setting.count(500 if faults else 2000)):
        dice = random.Random(f"{setting.seed}/{number}")
        with fresh(setting) as folder:
            outcome = judge(dice, folder)
        tally.note(outcome.name.lower(), wrong="" if outcome in good else f"case {number}")
    return tally


def gzip_damage(setting: Setting) -> Tally:
    """Turned bits and cuts of a .nii.gz: refused, or the same volume to the last bit."""
    tally = Tally()
    with fresh(setting) as folder:
        path = folder / "x.nii.gz"
        image = sitk.GetImageFromArray(position_coded((16, 40, 48), affine_of()))
        sitk.WriteImage(image, str(path))
        whole, right = path.read_bytes(), read_volume(path)
        dice = random.Random(setting.seed)
        spoilt = [("flip", damage.flipped(whole, dice)) for _ in range(setting.count(1000))]
        cuts = setting.count(100)
        spoilt += [("cut", whole[: 1 + n * (len(whole) - 2) // cuts]) for n in range(cuts)]
        for number, (kind, content) in enumerate(spoilt):
            path.write_bytes(content)
            caught = damage.is_caught(path, right)
            tally.note(kind, wrong="" if caught else f"{kind} {number}")
    return tally


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


PROOFS: dict[str, Callable[[Setting], Tally]] = {
    "faults of DICOM series": fault_matrix,
    "unusual but valid series": valid_variants,
    "random valid series": partial(drawn, faults=False),
    "random series with 1 to 3 faults": partial(drawn, faults=True),
    "bit flips and cuts of .nii.gz": gzip_damage,
    "mutants over all readers": mutants,
    "bombs": bombs,
    "hostile names": names,
    "planted identities": planted,
}


def main() -> None:
    """Run the proofs and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PROOFS, action="append")
    parser.add_argument("--corpus", type=Path, default=Path("out/robustness"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # pydicom complains of the names that are written here
    logging.disable(logging.WARNING)
    failed = False
    with tempfile.TemporaryDirectory(prefix="chestct-") as folder:
        setting = Setting(options.share, options.seed, Path(folder), options.corpus)
        for name in options.only or PROOFS:
            start = time.perf_counter()
            tally = PROOFS[name](setting)
            seconds = time.perf_counter() - start
            for line in lines_of(name, tally, seconds):
                print(line, flush=True)
            failed = failed or bool(tally.wrong)
    sys.exit(1 if failed else 0)


def lines_of(name: str, tally: Tally, seconds: float) -> Iterator[str]:
    """A proof's line, and one for each of the first cases that were wrong."""
    outcomes = ", ".join(f"{count:,} {what}" for what, count in tally.outcomes.most_common())
    extra = f"; slowest {tally.slowest:.1f} s" if tally.slowest else ""
    extra += f"; {tally.most_mb:.0f} MB" if tally.most_mb else ""
    detail = f"({outcomes}{extra}; {seconds:.0f} s)"
    yield f"{name:34} {tally.cases:6,} cases  {len(tally.wrong)} wrong  {detail}"
    for wrong in tally.wrong[:20]:
        yield f"    {wrong}"


if __name__ == "__main__":
    main()
