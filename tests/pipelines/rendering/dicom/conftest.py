"""A coarser chest: every second voxel of the report tests' one, so that few files are written."""

import numpy as np
import pytest

from model.volumes import Volume
from tests.pipelines.rendering.conftest import volume as fine_volume

__all__ = ["fine_volume"]


@pytest.fixture(scope="session")
def volume(fine_volume: Volume) -> Volume:
    """23 slices of 14 mm, 40 x 40 pixels of 9 mm."""
    hu_zyx = np.ascontiguousarray(fine_volume.hu_zyx[::2, ::2, ::2])
    affine = fine_volume.affine_lps @ np.diag([2.0, 2.0, 2.0, 1.0])
    return Volume(hu_zyx, affine, fine_volume.series_uid, fine_volume.source)
