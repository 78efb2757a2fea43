"""The position-coded phantom in a few voxels, and what reading a file of it must give."""

from pathlib import Path

import numpy as np
import pytest

from model.volumes import Volume, VolumeError, VolumeReason, read_volume
from tests.model.volumes.dicom_phantom import misplaced
from tests.model.volumes.phantom import affine_of, position_coded

SHAPE = (7, 9, 11)
AFFINE = affine_of()
HU = position_coded(SHAPE, AFFINE)


def refused(path: Path) -> VolumeReason:
    with pytest.raises(VolumeError) as caught:
        read_volume(path)
    return caught.value.reason


def assert_exact(volume: Volume) -> None:
    assert volume.hu_zyx.shape == SHAPE
    assert misplaced(volume) == 0
    assert np.allclose(volume.affine_lps, AFFINE, atol=1e-3)
