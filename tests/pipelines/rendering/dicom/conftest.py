"""A coarser chest, so that few files are written, its reading and the objects that it gives."""

from pathlib import Path

import numpy as np
import pytest

from model.volumes import Volume
from pipelines.rendering.reading import Reading
from tests.pipelines.rendering.conftest import volume as fine_volume
from tests.pipelines.rendering.dicom.made import read_made, write_series

__all__ = ["fine_volume"]


@pytest.fixture(scope="session")
def volume(fine_volume: Volume) -> Volume:
    """Every second voxel of the report tests' chest: 23 slices of 14 mm, 40 x 40 pixels of 9 mm."""
    hu_zyx = np.ascontiguousarray(fine_volume.hu_zyx[::2, ::2, ::2])
    affine = fine_volume.affine_lps @ np.diag([2.0, 2.0, 2.0, 1.0])
    return Volume(hu_zyx, affine, fine_volume.series_uid, fine_volume.source)


@pytest.fixture(scope="session")
def scan(volume: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_series(tmp_path_factory.mktemp("archive") / "scan", volume)


@pytest.fixture(scope="session")
def reading(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Reading:
    return read_made(scan, tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def written(reading: Reading, scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pipelines.rendering.dicom.write import write_dicom  # needs the extra dicom-sr

    folder = tmp_path_factory.mktemp("out") / "dicom"
    paths = write_dicom(reading, scan, folder)
    assert [path.name for path in paths] == ["seg-01.dcm", "seg-02.dcm", "sr.dcm", "kos.dcm"]
    return folder
