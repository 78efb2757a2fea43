"""Contrast by the blood's density, and what it means for a finding that needs it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configs.convention import load_convention
from model.calibration import Calibration, CalibrationState
from model.prediction import Prediction
from model.volumes import Assessment, Volume
from model.volumes.anatomy import Anatomy, find_anatomy
from pipelines.rendering import assemble
from pipelines.rendering.content import ContrastSource, Decision
from pipelines.rendering.enhancement import is_enhanced
from pipelines.rendering.ontology import included, meaning


def with_blood(volume: Volume, hu: int, contrast: bool | None = None) -> Volume:
    """The made chest with a heart of this density between its lungs, as a header of that word."""
    hu_zyx = volume.hu_zyx.copy()
    heart = hu_zyx[12:34, 26:46, 33:47]
    heart[heart > -200] = hu
    fields = {name: getattr(volume.source, name) for name in volume.source.__dataclass_fields__}
    source = type(volume.source)(**fields | {"contrast": contrast})
    return Volume(hu_zyx, volume.affine_lps, volume.series_uid, source)


@pytest.mark.parametrize(
    ("hu", "enhanced"), [(30, False), (60, False), (75, False), (130, True), (300, True)]
)
def test_blood_tells(volume: Volume, hu: int, enhanced: bool) -> None:
    assert is_enhanced(find_anatomy(with_blood(volume, hu))) is enhanced


def test_without_lungs_nobody_can_tell(volume: Volume) -> None:
    anatomy = find_anatomy(volume)
    none = np.zeros_like(anatomy.lungs_zyx)
    bare = Anatomy(anatomy.hu_zyx, anatomy.body_zyx, none, anatomy.step_zyx, anatomy.affine_lps)
    assert is_enhanced(bare) is None


@pytest.mark.parametrize(
    ("header", "blood_hu", "decision", "source"),
    [
        (None, 40, Decision.NOT_ASSESSABLE, ContrastSource.IMAGE),
        (None, 250, Decision.PRESENT, ContrastSource.IMAGE),
        (False, 40, Decision.NOT_ASSESSABLE, ContrastSource.HEADER),
        (True, 40, Decision.PRESENT, ContrastSource.HEADER),
    ],
)
def test_an_embolism_is_not_assessable_without_contrast(
    volume: Volume, bundle: Any, bundle_path: Any, header: bool | None, blood_hu: int,
    decision: Decision, source: ContrastSource,
) -> None:  # fmt: skip
    scan = with_blood(volume, blood_hu, header)
    labels = ("clinical:pulmonary_embolism", "clinical:emphysema")
    fitted = Calibration(CalibrationState.FITTED, 1.0, 0.0, 0.5, 40, 60)
    only = SimpleNamespace(**vars(bundle) | {"labels": labels, "calibrations": (fitted, fitted)})
    prediction = Prediction(labels, np.ones(2, np.float32), np.full(2, 0.9, np.float32))
    report = assemble.read(
        scan, Assessment(True, (), {}), find_anatomy(scan), only, prediction, bundle_path
    )
    assert [f.decision for f in report.findings] == [decision, Decision.PRESENT]
    assert report.scan.contrast_by is source
    assert (decision is Decision.NOT_ASSESSABLE) == ("NOT ASSESSABLE" in report.draft)


def test_the_ontology_knows_umbrellas_and_needs() -> None:
    labels = tuple(f"rad_chestct:{name}" for name in load_convention("rad_chestct").labels)
    assert "rad_chestct:scattered_calc" in included("rad_chestct:calcification", labels)
    # What a convention excepts from a broad label, the label does not include.
    assert "rad_chestct:consolidation" not in included("rad_chestct:opacity", labels)
    assert included("rad_chestct:emphysema", labels) == ()
    dissection = meaning("clinical:aortic_dissection")
    assert dissection is not None
    assert dissection.needs_contrast
    assert meaning("our_site:anything") is None
