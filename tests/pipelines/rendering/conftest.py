"""A made chest, a made prediction on it, and the report they give."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from model.calibration import Calibration, CalibrationState
from model.prediction import Prediction
from model.volumes import Assessment, Source, Volume
from model.volumes.anatomy import find_anatomy
from pipelines.rendering import assemble, pictures
from pipelines.rendering.content import ScanReport
from pipelines.rendering.pictures import Pictures

LABELS = tuple(
    f"ct_rate:{name}"
    for name in ("Lung nodule", "Lung opacity", "Consolidation", "Pleural effusion", "Emphysema")
)
PROBABILITIES = np.array([0.999, 0.8, 0.7, 0.5, 0.002], np.float32)


@pytest.fixture(scope="session")
def volume() -> Volume:
    """45 slices of 7 mm, 80 x 80 pixels of 4.5 mm: a body with two lungs, off the origin."""
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in (45, 80, 80)), indexing="ij")
    hu = np.full(z.shape, -1000.0)
    hu[((x - 39.5) / 34) ** 2 + ((y - 39.5) / 24) ** 2 < 1] = 40
    for centre in (24, 55):
        lung = ((x - centre) / 11) ** 2 + ((y - 39) / 16) ** 2 < 1
        hu[lung & (z >= 9) & (z < 39)] = -840
    affine = np.diag([4.5, 4.5, 7.0, 1.0])
    affine[:3, 3] = (-170.0, -150.0, -400.0)
    source = Source(
        "dicom",
        (45, 80, 80),
        affine,
        "ab" * 32,
        patient_id="PATIENT-CANARY",
        accession="ACCESSION-CANARY",
        study_uid="1.2.826.0.1.77",
        instance_uids=tuple(f"1.2.826.0.1.88.{index}" for index in range(45)),
        date="20200102",
        sex="F",
        age_years=61,
        vendor="Made",
        kernel="Soft",
        contrast=False,
        synthetic=True,
    )
    return Volume(hu.astype(np.int16), affine, "1.2.826.0.1.99", source)


@pytest.fixture(scope="session")
def prediction(volume: Volume) -> Prediction:
    """Five labels on 9 x 8 x 8 cells of 35 x 45 x 45 mm; the nodule has one cell, low left."""
    maps = np.full((5, 9, 8, 8), -0.001, np.float32)
    maps[0, 2, 4, 5] = 2.0
    maps[0, 6, 4, 1] = 1.5
    maps[1, 2:5, 3:6, 5:7] = 0.2
    maps[2, 2, 3:6, 5:7] = 0.3
    maps[3, 1, 6, 2] = 0.4
    bias = np.full(5, -1.0, np.float32)
    affine = volume.affine_lps @ np.diag([10.0, 10.0, 5.0, 1.0])
    affine[:3, 3] = (volume.affine_lps @ [4.5, 4.5, 2.0, 1.0])[:3]
    logits = bias + maps.sum(axis=(1, 2, 3))
    return Prediction(LABELS, logits, PROBABILITIES, maps, affine, bias)


@pytest.fixture(scope="session")
def bundle() -> Any:
    """What a report reads of a bundle."""
    fitted = Calibration(CalibrationState.FITTED, 1.0, 0.0, 0.5, 40, 60)
    few = Calibration(CalibrationState.FEW_CASES, 1.0, 0.0, 0.4, 3, 60)
    return SimpleNamespace(
        labels=LABELS,
        calibrations=(fitted, fitted, fitted, fitted, few),
        network_name="additive",
        profile=SimpleNamespace(name="tiny"),
        card=SimpleNamespace(
            training_data="synthetic",
            counts={"train": SimpleNamespace(patients=120, scans=160)},
            metrics={"macro_auroc": 0.78},
            label_source="ct_rate",
        ),
    )


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle.json to be hashed."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "bundle.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def report(volume: Volume, prediction: Prediction, bundle: Any, bundle_path: Path) -> ScanReport:
    return assemble.read(
        volume,
        Assessment(True, ("THICK_SLICES",), {"lungs_ml": 4000.0}),
        find_anatomy(volume),
        bundle,
        prediction,
        bundle_path,
        warnings=("another series refused: GAP",),
    )


@pytest.fixture(scope="session")
def astray(
    volume: Volume, prediction: Prediction, bundle: Any, bundle_path: Path
) -> tuple[ScanReport, Pictures]:
    """The same report with the nodule's strongest evidence in the air beside the body."""
    assert prediction.maps_lzyx is not None
    maps = prediction.maps_lzyx.copy()
    maps[0, 4, 0, 0] = 3.0
    moved = replace(prediction, maps_lzyx=maps)
    anatomy, assessment = find_anatomy(volume), Assessment(True, (), {})
    made = assemble.read(volume, assessment, anatomy, bundle, moved, bundle_path)
    return made, pictures.draw(made, volume, moved)


@pytest.fixture(scope="session")
def drawn(report: ScanReport, volume: Volume, prediction: Prediction) -> Pictures:
    return pictures.draw(report, volume, prediction)


UNPRINTABLE = (
    "a NUL \0 inside",
    "\x01\x1b[31m red \x7f",
    "\x85 next line \x9b",
    "\u2028 line \u2029 paragraph",
    "\u202e an override that never ends",
    "\u2066 an isolate that never ends",
    "\u202a\u202b\u202d nested \u202c",
    "\ufeff a byte order mark",
    "zero\u200bwidth\u200djoined",
    "e" + 400 * "\u0301",
    "\ufffe\uffff no characters",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 <b>right to left</b>",
    50_000 * "x",
    2_000 * "<script>window.struck=1</script>",
)


@pytest.fixture(scope="session")
def hostile_strings() -> list[str]:
    """Strings that try to become markup, script, style, template or request, or break a line."""
    text = Path(__file__).with_name("hostile_strings.txt").read_text(encoding="utf-8")
    return [*text.removesuffix("\n").split("\n"), *UNPRINTABLE]
