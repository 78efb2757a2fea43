"""How a synthetic study is scanned: matrix, field of view, slices, noise, kernel, contrast."""

import numpy as np

from pipelines.synthetic.case import Acquisition, Patient

VENDORS = ("SYNTHETIC Alpha", "SYNTHETIC Beta", "SYNTHETIC Gamma", "SYNTHETIC Delta")

# (matrix, slice step in mm): small matrices carry the thin slices, so that a study stays small.
_GRIDS = (
    ((128, 1.0), 0.02),
    ((128, 1.5), 0.05),
    ((128, 2.0), 0.10),
    ((128, 2.5), 0.14),
    ((160, 2.5), 0.14),
    ((160, 3.0), 0.14),
    ((160, 5.0), 0.10),
    ((192, 3.0), 0.13),
    ((192, 5.0), 0.10),
    ((256, 5.0), 0.08),
)


def draw_acquisition(rng: np.random.Generator, patient: Patient) -> Acquisition:
    """Draw one study's acquisition; the field of view follows the patient's size, loosely."""
    weights = np.array([weight for _, weight in _GRIDS])
    matrix, slice_mm = _GRIDS[int(rng.choice(len(_GRIDS), p=weights / weights.sum()))][0]
    field_mm = 385.0 * patient.size_scale * rng.uniform(0.97, 1.15)
    kernel = "sharp" if rng.random() < 0.4 else "soft"
    noise = rng.uniform(25, 50) if kernel == "sharp" else rng.uniform(9, 22)
    return Acquisition(
        matrix=matrix,
        pixel_mm=round(float(field_mm / matrix), 4),
        slice_mm=slice_mm,
        noise_hu=round(float(noise), 1),
        kernel=kernel,
        contrast=bool(rng.random() < 0.45),
        patient_position="FFS" if rng.random() < 0.2 else "HFS",
        vendor=str(rng.choice(VENDORS)),
    )
