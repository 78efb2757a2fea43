"""What reading, checking and preparing a scan takes, against the common readers, in one run.

    OMP_NUM_THREADS=1 BLOSC_NTHREADS=1 python benchmarks/volumes.py SERIES [--profile base]
        [--archive 24] [--files 100000]

SERIES is a folder with one DICOM CT series, not compressed: figures are the process's own time, on
one thread, with files in the page cache; each is the median of the repeats, which take turns.
"bare" is SimpleITK reading the series and resampling it linearly to the profile's spacing: no
checks, no crop, no store. `--archive N` also prepares N copies of the series with one worker and
with two (wall time); `--files N` surveys a tree of about N files.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813 (the field's usual name)
from pydicom.uid import generate_uid

from configs.profile import Profile, load_profile
from model.volumes import assess, read_volume
from model.volumes.anatomy import find_anatomy
from model.volumes.find import survey_folder
from model.volumes.preprocess import preprocess
from model.volumes.store import Store, VolumeIds
from pipelines.prepare import prepare


def medians(functions: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """The median process time of each call; they take turns, so that all meet the same noise."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(repeat):
        for name, function in functions.items():
            start = time.process_time()
            function()
            taken[name].append(time.process_time() - start)
    return {name: median(values) for name, values in taken.items()}


def bare(folder: Path, profile: Profile) -> sitk.Image:
    """SimpleITK's series reader and linear resampling."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    spacing = profile.spacing_mm_zyx[::-1]
    size = [
        round(n * old / new)
        for n, old, new in zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)
    ]
    return sitk.Resample(
        image, size, sitk.Transform(), sitk.sitkLinear,
        image.GetOrigin(), spacing, image.GetDirection(), -1024, sitk.sitkInt16,
    )  # fmt: skip


def stages(folder: Path, profile: Profile, repeat: int, store: Store) -> dict[str, float]:
    """Seconds of each stage from the files to the store."""
    ids = VolumeIds("a", "s", "t", "p")
    volume = read_volume(folder)
    anatomy = find_anatomy(volume)
    prepared = preprocess(volume, profile, anatomy)
    candidate = survey_folder(folder).candidates[0]

    def to_prepared() -> object:
        return preprocess(read_volume(folder), profile)

    def to_store() -> None:
        scan = read_volume(folder)
        seen = find_anatomy(scan)
        store.add(preprocess(scan, profile, seen), ids, assess(scan, seen).reasons)

    functions: dict[str, Callable[[], object]] = {
        "headers": lambda: survey_folder(folder),
        "pixels to canonical HU": candidate.read,
        "body and lungs": lambda: find_anatomy(volume),
        "content judged": lambda: assess(volume, anatomy),
        "resample and crop": lambda: preprocess(volume, profile, anatomy),
        "compress and write": lambda: store.add(prepared, ids),
        "read, check, resample": to_prepared,
        "the whole way": to_store,
        "bare SimpleITK": lambda: bare(folder, profile),
    }
    return medians(functions, repeat)


def reading(store: Store, hu_zyx: np.ndarray, folder: Path, repeat: int) -> dict[str, float]:
    """Seconds to get a prepared volume back, from the store and from the usual formats."""
    store.flush()
    array = store.path / store.manifest["array"].item()
    np.savez_compressed(folder / "x.npz", hu_zyx)
    sitk.WriteImage(sitk.GetImageFromArray(hu_zyx), str(folder / "x.nii.gz"))
    crop = tuple(slice((size - 64) // 2, (size + 64) // 2) for size in hu_zyx.shape)
    z, y, x = crop

    def first_read() -> None:
        array.touch()  # a changed time has it verified again
        store.read("a")

    functions: dict[str, Callable[[], object]] = {
        "store": lambda: store.read("a"),
        "store, first read (SHA-256)": first_read,
        "store, crop of 64 cubed": lambda: store.read_crop("a", (z, y, x)),
        "npz": lambda: np.load(folder / "x.npz")["arr_0"],
        "nii.gz, SimpleITK": lambda: sitk.GetArrayFromImage(
            sitk.ReadImage(str(folder / "x.nii.gz"))
        ),
        "nii.gz, nibabel": lambda: np.asarray(nibabel.load(folder / "x.nii.gz").dataobj),
    }
    return medians(functions, 3 * repeat)


ROOT = Path(__file__).parents[1]
# Not resource.getrusage: a new process starts with its parent's peak.
_PEAK_KIB = """
def peak_kib():
    lines = open("/proc/self/status").readlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
"""
_PEAK = (
    _PEAK_KIB
    + """
import sys
from pathlib import Path
from configs.profile import load_profile
from model.volumes import find, store
from model.volumes.assess import assess
from model.volumes.preprocess import preprocess
from pipelines.preparing.work import Task, prepare_one
from tests.model.volumes.phantom import affine_of, chest, volume_of
small = volume_of(chest(), affine_of((5.0, 5.0, 5.0)))
assess(small), preprocess(small, load_profile("tiny"))  # imports what is imported late
profile = load_profile(sys.argv[2])
kept = store.Store.create(Path(sys.argv[3]), profile)
(candidate,) = find.survey_folder(Path(sys.argv[1])).candidates
idle = peak_kib()
row = prepare_one(Task(candidate, store.VolumeIds("a", "s", "t", "p"), kept, True))
z, y, x = row["source_shape"]
print((peak_kib() - idle) * 1024 / (2 * z * y * x))
"""
)


def peak_memory(series: Path, profile: str, folder: Path) -> float:
    """The peak above idle of preparing one volume in a new process, in raw int16 volumes."""
    command = [sys.executable, "-c", _PEAK, str(series.resolve()), profile, str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def copies(series: Path, count: int, folder: Path) -> Path:
    """An archive of so many patients, each with a copy of the series."""
    slices = [pydicom.dcmread(path) for path in sorted(series.iterdir()) if path.is_file()]
    for number in range(count):
        study, uid = generate_uid(), generate_uid()
        (folder / str(number)).mkdir(parents=True)
        for index, ds in enumerate(slices):
            ds.PatientID = ds.AccessionNumber = f"P{number}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID = study, uid
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.save_as(folder / str(number) / f"{index:04d}.dcm")
    return folder


def two_workers(archive: Path, profile: str, folder: Path) -> dict[int, float]:
    """Wall seconds of `prepare` by the number of workers."""
    taken = {}
    for workers in (1, 2):
        start = time.perf_counter()
        prepare(archive, out=folder / str(workers), profile=profile, workers=workers, quiet=True)
        taken[workers] = time.perf_counter() - start
    return taken


_SURVEY = (
    _PEAK_KIB
    + """
import sys, time
from pathlib import Path
from model.volumes.find import survey_folder
idle = peak_kib()
start = time.process_time()
survey = survey_folder(Path(sys.argv[1]))
print(time.process_time() - start, (peak_kib() - idle) / 1024, len(survey.candidates))
"""
)


def survey_of_many(archive: Path, files: int) -> tuple[float, float, int, int]:
    """Process seconds, MB above idle and series of surveying a tree of tiny slices."""
    slices = [pydicom.dcmread(path) for path in sorted((archive / "0").iterdir())]
    for ds in slices:
        ds.Rows = ds.Columns = 16
        ds.PixelData = b"\0" * 512
    root = archive.parent / "many"
    made = 0
    while made < files:
        folder = root / str(made)
        folder.mkdir(parents=True)
        study, uid = generate_uid(), generate_uid()
        for index, ds in enumerate(slices):
            ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = study[-16:], study, uid
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            ds.save_as(folder / f"{index:04d}.dcm")
            made += 1
    command = [sys.executable, "-P", "-c", _SURVEY, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, mb, found = done.stdout.split()
    return float(seconds), float(mb), int(found), made


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", type=Path)
    parser.add_argument("--profile", default="base")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--archive", type=int, default=0)
    parser.add_argument("--files", type=int, default=0)
    options = parser.parse_args()
    profile = load_profile(options.profile)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store.create(folder / "store", profile)
        prepared = preprocess(read_volume(options.series), profile)
        taken = stages(options.series, profile, options.repeat, store)
        for stage, value in taken.items():
            print(
                f"{stage:28} {1000 * value:8.1f} ms   {value / taken['bare SimpleITK']:5.2f} x bare"
            )
        print()
        got = reading(store, prepared.hu_zyx, folder, options.repeat)
        for source, value in got.items():
            print(f"{source:28} {1000 * value:8.2f} ms   {value / got['store']:6.3f} x store")
        raw = peak_memory(options.series, options.profile, folder / "peak")
        print(f"\npeak memory above idle         {raw:5.2f} x the raw volume")
        if options.archive or options.files:
            archive = copies(options.series, max(1, options.archive), folder / "archive")
        if options.archive:
            one, two = two_workers(archive, options.profile, folder / "workers").values()
            print(
                f"{options.archive} series: {one:.1f} s, two workers {two:.1f} s, {one / two:.2f} x"
            )
        if options.files:
            cpu, mb, found, made = survey_of_many(archive, options.files)
            print(
                f"survey of {made:,} files: {cpu:.0f} s, {mb:.0f} MB above idle, {found:,} series"
            )


if __name__ == "__main__":
    main()
