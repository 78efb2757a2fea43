"""A bundle for another site: the same network, calibrated on the site's own validation scans."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from configs.contracts import InputError
from model import bundle as bundles
from model.bundle import Bundle
from model.calibration import fit_calibrations
from model.card import SplitCounts
from model.data import Part, mean_by_scan
from model.losses import known_values
from pipelines.evaluating.reference import Reference


def recalibrated(
    bundle: Bundle,
    reference: Reference,
    part: Part,
    logits_nl: NDArray[np.float32],
    sources: Mapping[str, str],
    sensitivity: float,
) -> Bundle:
    """The bundle with curves and operating points fitted on `part`, scan by scan.

    Labels that the reference does not judge keep theirs. Raises InputError where no label has both
    values.
    """
    scan_logits_nl, values_nl, _, patients = mean_by_scan(logits_nl, part)
    known_nl = known_values(values_nl)
    if not ((known_nl == 1).any(axis=0) & (known_nl == 0).any(axis=0)).any():
        raise InputError(
            "no label has positives and negatives in the validation split; nothing to calibrate on"
        )
    fitted = fit_calibrations(
        scan_logits_nl[:, list(reference.columns)], known_nl, patients, sensitivity=sensitivity
    )
    calibrations = list(bundle.calibrations)
    for column, calibration in zip(reference.columns, fitted, strict=True):
        calibrations[column] = calibration
    counts = SplitCounts(
        patients=len(set(patients)),
        scans=len(patients),
        volumes=len(part),
        positives=dict(
            zip(reference.labels, (known_nl == 1).sum(axis=0).tolist(), strict=True),
        ),
    )
    card = bundle.card.model_copy(
        update={
            "recalibrated_on": counts,
            "sources": bundle.card.sources | {f"recalibration {k}": v for k, v in sources.items()},
        }
    )
    return replace(bundle, calibrations=tuple(calibrations), card=card)


def save_as(path: Path, bundle: Bundle) -> None:
    """Write a new bundle folder; raises InputError where there is one already."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path}: is not an empty folder; --recalibrate writes a new bundle")
    bundles.save(path, bundle)
