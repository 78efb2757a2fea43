"""What a network says of one scan, as arrays that need no network."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.volumes.volume import Affine


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a bundle says about one prepared volume.

    logit = bias + sum(map) per label (|difference| < 1e-4); probability is the calibrated logit.
    Maps and their affine are None for a network that has no evidence.
    """

    labels: tuple[str, ...]
    logits_l: NDArray[np.float32]
    probabilities_l: NDArray[np.float32]
    maps_lzyx: NDArray[np.float32] | None = field(default=None, repr=False)
    map_affine_lps: Affine | None = None
    bias_l: NDArray[np.float32] | None = None
