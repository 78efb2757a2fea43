"""What the volume readers do with wrong, damaged and hostile input: every proof, one command.

    OMP_NUM_THREADS=1 python -m benchmarks.robustness [--share 0.02] [--seed 0]

Run from the repository root, for it uses the tests' phantom: HU is linear in world position, so
each voxel says where it belongs. `--share` scales the number of cases. Exits with 1 when anything
was wrong. Whatever was wrong is kept in `--corpus`.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from benchmarks import hostile
from benchmarks.tally import Setting, Tally, fresh
from model.volumes import VolumeError, read_volume
from tests.model.volumes import damage, random_series
from tests.model.volumes.dicom_exports import EXPORT_FAULTS, EXPORT_VALID
from tests.model.volumes.dicom_faults import FAULTS
from tests.model.volumes.dicom_phantom import Plan, make_series, save
from tests.model.volumes.dicom_variants import VALID, assert_exact
from tests.model.volumes.phantom import affine_of, position_coded
from tests.model.volumes.plain_files import placed


def fault_matrix(setting: Setting) -> Tally:
    """Each fault alone: refused, for its own reason."""
    tally = Tally()
    for name, (change, reason) in (FAULTS | EXPORT_FAULTS).items():
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
    for name, change in (VALID | EXPORT_VALID).items():
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
        image = placed(position_coded((16, 40, 48), affine_of()))
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


PROOFS: dict[str, Callable[[Setting], Tally]] = {
    "faults of DICOM series": fault_matrix,
    "unusual but valid series": valid_variants,
    "random valid series": partial(drawn, faults=False),
    "random series with 1 to 3 faults": partial(drawn, faults=True),
    "bit flips and cuts of .nii.gz": gzip_damage,
    "mutants over all readers": hostile.mutants,
    "bombs": hostile.bombs,
    "hostile names": hostile.names,
    "planted identities": hostile.planted,
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
