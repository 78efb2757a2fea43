"""What a file format's reader hands on: numbers and where they lie, before the common rules."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.volumes.volume import Affine


@dataclass(frozen=True, slots=True, eq=False)
class Voxels:
    """Values of any real type, scaled as the file says, and their affine (column, row, slice)."""

    values_kji: np.ndarray = field(repr=False)
    affine_lps: Affine
    warnings: tuple[str, ...] = ()
    note: str = field(default="", repr=False)
    """Free text of the header, searched only for the mark of synthetic scans."""
    data_file: Path | None = field(default=None, repr=False)
    """A detached file with the values."""
