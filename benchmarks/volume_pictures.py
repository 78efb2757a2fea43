"""What becomes of each scan below a folder: a table in Markdown, and a thumbnail of each volume.

    OMP_NUM_THREADS=1 python -m benchmarks.volume_pictures DATA

A row a folder of DICOM files, or a file among folders, and a row a volume file. A thumbnail shows
the middle axial, coronal and sagittal slice in a wide window, +x to the right, the head up.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from model.volumes import Volume, VolumeError, assess, read_volume
from model.volumes.formats import is_volume_file

HEIGHT = 96
TIMES = " \N{MULTIPLICATION SIGN} "
WINDOW_HU = (-1000.0, 400.0)


def scans_below(root: Path) -> Iterator[Path]:
    """Folders that directly hold DICOM files, and volume files."""
    for folder in sorted([root, *(path for path in root.rglob("*") if path.is_dir())]):
        files = sorted(path for path in folder.iterdir() if path.is_file())
        volumes = [path for path in files if is_volume_file(path)]
        yield from volumes
        others = [path for path in files if path not in volumes]
        nested = any(path.is_dir() for path in folder.iterdir())
        yield from others if nested else [folder] * bool(others)


def thumbnail(volume: Volume) -> Image.Image:
    """The three middle slices side by side, all to one scale."""
    hu, (dz, dy, dx) = volume.hu_zyx, volume.spacing_mm_zyx
    z, y, x = (size // 2 for size in hu.shape)
    scale = HEIGHT / (hu.shape[1] * dy)
    tiles = [tile(hu[z], dy * scale, dx * scale)]
    if len(hu) > 1:
        tiles.append(tile(hu[::-1, y], dz * scale, dx * scale))
        tiles.append(tile(hu[::-1, :, x], dz * scale, dy * scale))
    size = (sum(part.width for part in tiles), max(part.height for part in tiles))
    sheet = Image.new("L", size)
    left = 0
    for part in tiles:
        sheet.paste(part, (left, 0))
        left += part.width
    return sheet


def tile(hu: np.ndarray, row_pixels: float, column_pixels: float) -> Image.Image:
    """A slice in grey, so many pixels a row and a column."""
    low, high = WINDOW_HU
    grey = np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    width, height = round(hu.shape[1] * column_pixels), round(hu.shape[0] * row_pixels)
    return Image.fromarray(grey).resize((max(1, width), max(1, height)), Image.Resampling.BOX)


def row(path: Path, root: Path, out: Path) -> str:
    """One line of the table; the thumbnail lies in `out`."""
    name = path.relative_to(root).as_posix()
    try:
        volume = read_volume(path)
    except VolumeError as error:
        return f"| {name} | | `{error.reason}` |"
    picture = out / f"{name.replace('/', '-').removesuffix('.gz').replace('.', '_')}.jpg"
    thumbnail(volume).save(picture, quality=75, optimize=True)
    spacing = TIMES.join(f"{value:.4g}" for value in volume.spacing_mm_zyx)
    seen = assess(volume)
    scope = "in scope" if seen.in_scope else "out of scope"
    reasons = " ".join(f"`{reason}`" for reason in seen.reasons)
    text = f"{TIMES.join(map(str, volume.hu_zyx.shape))} at {spacing} mm; {scope} {reasons}".strip()
    return f"| {name} | ![]({out.relative_to('docs').as_posix()}/{picture.name}) | {text} |"


def main() -> None:
    """Print the table and write the thumbnails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/volumes"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| scan | axial, coronal, sagittal | outcome |\n|---|---|---|")
    for path in scans_below(options.data):
        print(row(path, options.data, options.out), flush=True)


if __name__ == "__main__":
    main()
