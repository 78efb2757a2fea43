"""Made chests for tests: an ellipse of tissue, two lungs, a heart, and three findings."""

import numpy as np
from numpy.typing import NDArray

LABELS = ("effusion", "opacity", "cardiomegaly")


def make_chests(
    count: int, seed: int = 0, edge: int = 32
) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """`hu_nzyx` on a cube of 320 mm, and the values (n, `LABELS`) drawn into it, 1 or 0."""
    random = np.random.default_rng(seed)
    values = (random.random((count, len(LABELS))) < 0.4).astype(np.int8)
    return np.stack([_chest(row, random, edge) for row in values]), values


def _chest(findings: NDArray[np.int8], random: np.random.Generator, edge: int) -> NDArray[np.int16]:
    effusion, opacity, cardiomegaly = (bool(value) for value in findings)
    axis = (np.arange(edge) + 0.5) / edge * 2 - 1
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    z, y, x = (c + random.normal(0, 0.04) for c in (z, y, x))
    hu = np.full((edge,) * 3, -1000.0)
    hu[(x / 0.95) ** 2 + (y / 0.7) ** 2 < 1] = 40 + random.normal(0, 15)
    ill_side = random.choice((-1, 1))
    for side in (-1, 1):
        centre = 0.45 * side
        lung = ((x - centre) / 0.36) ** 2 + (y / 0.52) ** 2 + (z / 0.9) ** 2 < 1
        hu[lung] = -830 + random.normal(0, 40)
        if effusion and side == ill_side:
            hu[lung & (y > 0.22 + random.random() * 0.1) & (z < 0.3)] = 10
        if opacity and side == ill_side:
            place = random.uniform(-0.4, 0.4, 2)
            ball = (x - centre) ** 2 + (y - 0.5 * place[0]) ** 2 + (z - place[1]) ** 2 < 0.03
            hu[lung & ball] = -20
    size = 0.46 if cardiomegaly else 0.33
    hu[((x - 0.1) / size) ** 2 + ((y + 0.15) / 0.34) ** 2 + ((z + 0.3) / 0.4) ** 2 < 1] = 45
    hu += random.normal(0, 25, hu.shape)
    return np.clip(hu, -1024, 3071).astype(np.int16)
