"""What reading, checking and preparing a scan takes, against the common readers, in one run.

    OMP_NUM_THREADS=1 BLOSC_NTHREADS=1 python benchmarks/volumes.py SERIES [--profile base]

SERIES is a folder with one DICOM CT series. Everything runs on one thread with files in the page
cache; each figure is the median of the repeats. "bare" is SimpleITK reading the series and
resampling it linearly to the profile's spacing: no checks, no crop, no store.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import SimpleITK as sitk  # noqa: N813 (the field's usual name)

from configs.profile import Profile, load_profile
from model.volumes import assess, read_volume
from model.volumes.anatomy import find_anatomy
from model.volumes.find import survey_folder
from model.volumes.preprocess import preprocess
from model.volumes.store import Store, VolumeIds


def seconds(function: Callable[[], object], repeat: int) -> float:
    """The median wall time of a call."""
    function()
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return median(taken)


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

    return {
        "headers": seconds(lambda: survey_folder(folder), repeat),
        "pixels to canonical HU": seconds(candidate.read, repeat),
        "body and lungs": seconds(lambda: find_anatomy(volume), repeat),
        "content judged": seconds(lambda: assess(volume, anatomy), repeat),
        "resample and crop": seconds(lambda: preprocess(volume, profile, anatomy), repeat),
        "compress and write": seconds(lambda: store.add(prepared, ids), repeat),
        "read, check, resample": seconds(to_prepared, repeat),
        "the whole way": seconds(to_store, repeat),
        "bare SimpleITK": seconds(lambda: bare(folder, profile), repeat),
    }


def reading(store: Store, hu_zyx: np.ndarray, folder: Path, repeat: int) -> dict[str, float]:
    """Seconds to get a prepared volume back, from the store and from the usual formats."""
    np.savez_compressed(folder / "x.npz", hu_zyx)
    sitk.WriteImage(sitk.GetImageFromArray(hu_zyx), str(folder / "x.nii.gz"))
    crop = tuple(slice((size - 64) // 2, (size + 64) // 2) for size in hu_zyx.shape)
    z, y, x = crop
    return {
        "store, verified": seconds(lambda: store.read("a"), repeat),
        "store, crop of 64 cubed": seconds(lambda: store.read_crop("a", (z, y, x)), repeat),
        "npz": seconds(lambda: np.load(folder / "x.npz")["arr_0"], repeat),
        "nii.gz": seconds(
            lambda: sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "x.nii.gz"))), repeat
        ),
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", type=Path)
    parser.add_argument("--profile", default="base")
    parser.add_argument("--repeat", type=int, default=5)
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
        stored = got["store, verified"]
        for source, value in got.items():
            print(f"{source:28} {1000 * value:8.1f} ms   {value / stored:5.2f} x store")


if __name__ == "__main__":
    main()
