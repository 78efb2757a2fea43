"""What a scan report takes, from a DICOM folder to all its forms, stage by stage.

    python benchmarks/report.py SERIES [--bundle BUNDLE] [--slices 300] [--boxes FOLDER]

For the profiles tiny and base, `chestct report` runs in a process of its own (seconds, memory),
and again in a process that has its model loaded; the PDF and the DICOM objects are written by
processes of their own, so stages add up to more than the clock's seconds, and memory is that of
the largest process. Without --bundle the networks are untrained: their arithmetic takes as long as
a trained one's, but nothing stands above its threshold, so no segmentation is written: give a
trained bundle for all that a scan takes. `--slices` also measures the same series interpolated to
that many slices. `--boxes` compares boxes that a person drew (VOC XML named by SOP instance UID, as
in Lung-PET-CT-Dx) with the evidence of a bundle.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from xml.etree import ElementTree as ET

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from configs.profile import load_profile
from model import bundle as bundles
from model.calibration import UNCALIBRATED
from model.card import ModelCard
from model.networks import build_network
from model.networks.sizes import size_of
from model.volumes import Volume, read_volume
from pipelines.rendering.foci import SliceAxis
from pipelines.rendering.forms import Form, lacking
from pipelines.rendering.reading import read_scan
from pipelines.report import report


def untrained(folder: Path, profile_name: str) -> Path:
    """A bundle of CT-RATE's labels whose network has learnt nothing."""
    from configs.convention import load_convention

    profile = load_profile(profile_name)
    labels = tuple(f"ct_rate:{name}" for name in load_convention("ct_rate").labels)
    size = size_of("additive", profile_name)
    card = ModelCard(
        training_data="synthetic", counts={}, metrics={}, label_source="ct_rate",
        train_config={}, seconds=0.0, versions={},
    )  # fmt: skip
    network = build_network("additive", profile, len(labels), size)
    path = folder / f"untrained_{profile_name}"
    bundles.save(
        path,
        bundles.Bundle(
            profile, "additive", size, labels, (UNCALIBRATED,) * len(labels), card, network
        ),
    )
    return path


def interpolated(series: Path, slices: int, folder: Path) -> Path:
    """The same series with this many slices, linearly between its own."""
    volume = read_volume(series)
    heights = np.linspace(0, len(volume.hu_zyx) - 1, slices)
    step_mm = volume.spacing_mm_zyx[0] * (heights[1] - heights[0])
    image = pydicom.dcmread(next(path for path in sorted(series.iterdir()) if path.is_file()))
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SeriesInstanceUID = generate_uid()
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.SliceThickness = round(step_mm, 4)
    image.RescaleSlope, image.RescaleIntercept, image.PixelRepresentation = 1, 0, 1
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        if keyword in image:
            delattr(image, keyword)
    folder.mkdir()
    x, y, z = volume.affine_lps[:3, 3]
    for number, height in enumerate(heights):
        low = min(int(height), len(volume.hu_zyx) - 2)
        part = height - low
        hu_yx = (1 - part) * volume.hu_zyx[low] + part * volume.hu_zyx[low + 1]
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber = number + 1
        image.ImagePositionPatient = [x, y, round(z + step_mm * number, 4)]
        image.SliceLocation = image.ImagePositionPatient[2]
        image.set_pixel_data(hu_yx.round().astype(np.int16), "MONOCHROME2", 16)
        image.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
    return folder


def in_a_process(series: Path, bundle: Path, forms: str, out: Path) -> tuple[float, float, float]:
    """Wall and processor seconds and peak memory in MB of the command, its imports included."""
    code = "from pipelines.cli import main; main()"
    command = [
        sys.executable, "-c", code, "report", str(series), "--model", str(bundle),
        "--out", str(out), "--form", forms, "--identified", "--quiet", "--restart",
    ]  # fmt: skip
    started = time.perf_counter()
    child = os.spawnv(os.P_NOWAIT, sys.executable, command)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"the report ended with status {status}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def loaded(series: Path, bundle: Path, forms: str, out: Path, repeat: int) -> float:
    """Median seconds of the verb in this process, whose imports are done and files are cached."""
    taken = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        report(series, model=bundle, out=out, form=forms, identified=True, quiet=True, restart=True)
        run = json.loads((out / "run.json").read_text())
        taken.append(time.perf_counter() - started - run["stage_seconds"]["load model"])
    return median(taken[1:])


def boxes_lps(folder: Path, volume: Volume) -> NDArray[np.float64]:
    """The drawn boxes that belong to the volume: (n, 2, 3), low and high corners in LPS mm."""
    places = {uid: index for index, uid in enumerate(volume.source.instance_uids)}
    found = []
    for path in sorted(folder.glob("*.xml")):
        if path.stem not in places:
            continue
        for box in ET.parse(path).iter("bndbox"):
            low_x, low_y, high_x, high_y = (
                float(box.findtext(name) or "nan") for name in ("xmin", "ymin", "xmax", "ymax")
            )
            z = places[path.stem]
            corners = np.array([[low_x, low_y, z - 0.5, 1], [high_x, high_y, z + 0.5, 1]])
            corners = (volume.affine_lps @ corners.T).T[:, :3]
            found.append([corners.min(axis=0), corners.max(axis=0)])
    return np.array(found)


def compare(series: Path, bundle_path: Path, folder: Path) -> None:
    """Print for each label how much of its evidence lies where a person drew the boxes."""
    bundle = bundles.load(bundle_path)
    reading = read_scan(series, bundle, bundle_path)
    volume, prediction = reading.volume, reading.prediction
    assert volume is not None
    assert prediction is not None
    assert prediction.maps_lzyx is not None
    assert prediction.map_affine_lps is not None
    boxes = boxes_lps(folder, volume)
    if not len(boxes):
        raise SystemExit("no box belongs to a slice of this series")
    low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
    axis = SliceAxis.of(volume)
    affine, shape = prediction.map_affine_lps, prediction.maps_lzyx.shape[1:]
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)[..., ::-1]
    centres = index @ affine[:3, :3].T + affine[:3, 3]
    half = np.abs(affine[:3, :3]).sum(axis=1) / 2
    inside = ((centres + half > low) & (centres - half < high)).all(axis=-1)
    print(f"{len(boxes)} boxes, slices {axis.nearest(high[2])} to {axis.nearest(low[2])}, "
          f"{inside.sum()} of {inside.size} cells touch them")  # fmt: skip
    print(f"{'label':32} probability decision       inside  rank of best cell inside")
    for finding, map_zyx in zip(reading.content.findings, prediction.maps_lzyx, strict=True):
        positive = np.maximum(map_zyx, 0)
        share = positive[inside].sum() / max(positive.sum(), 1e-12)
        rank = int((positive > positive[inside].max()).sum()) + 1
        print(f"{finding.name:32} {finding.probability:11.2f} {finding.decision.value:14} "
              f"{share:6.1%}  {rank}")  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("series", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--profiles", default="tiny,base", help="of the untrained networks")
    parser.add_argument("--slices", type=int)
    parser.add_argument("--boxes", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if options.boxes:
        if options.bundle is None:
            parser.error("--boxes needs --bundle")
        compare(options.series, options.bundle, options.boxes)
        return
    forms = ",".join(form for form in Form if lacking(form) is None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scans = [options.series]
        if options.slices:
            scans.append(interpolated(options.series, options.slices, folder / "interpolated"))
        untaught = (untrained(folder, profile) for profile in options.profiles.split(","))
        models = [options.bundle] if options.bundle else untaught
        print(f"forms: {forms}")
        for bundle in models:
            for scan in scans:
                measure(scan, bundle, forms, folder / "out", options.repeat)


def measure(scan: Path, bundle: Path, forms: str, out: Path, repeat: int) -> None:
    """Print what one scan takes with one bundle."""
    seconds, processor, megabytes = in_a_process(scan, bundle, forms, out)
    warm = loaded(scan, bundle, forms, out, repeat)
    run = json.loads((out / "run.json").read_text())
    page = (out / "report.html").stat().st_size / 1e6
    count = json.loads((out / "report.json").read_text())["geometry"]["shape_zyx"][0]
    print(f"\n{bundle.name}, {count} slices: {seconds:.1f} s from the shell ({processor:.1f} of "
          f"processor time), {warm:.1f} s with the "
          f"model loaded, {megabytes:.0f} MB, report.html {page:.1f} MB")  # fmt: skip
    for stage, taken in run["stage_seconds"].items():
        print(f"  {stage:14} {taken:6.2f} s")


if __name__ == "__main__":
    main()
