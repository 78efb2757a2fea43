"""Key images: the slice that is named, patient right on the left, with a bar of 5 cm."""

import io

import numpy as np
from PIL import Image

from model.prediction import Prediction
from model.volumes import Volume
from pipelines.rendering import pictures
from pipelines.rendering.content import Decision, ScanReport
from pipelines.rendering.pictures import Pictures


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


def test_the_bar_is_five_centimetres(drawn: Pictures, volume: Volume) -> None:
    image = pixels(drawn.key_images[0].jpeg)
    bar = image[-9, -40:].min(axis=1) > 200  # the volume has 80 columns of 4.5 mm
    assert abs(bar.sum() * volume.spacing_mm_zyx[2] - 50.0) <= volume.spacing_mm_zyx[2]


def test_evidence_lies_on_the_side_that_is_named(drawn: Pictures) -> None:
    nodule = drawn.key_images[0]
    assert nodule.focus.side.value == "left"
    image = pixels(nodule.jpeg)
    amber = image[..., 0] - image[..., 2] > 80
    assert np.argwhere(amber)[:, 1].mean() > image.shape[1] / 2  # the patient's left: right


def test_only_what_is_above_or_close_to_its_threshold_has_a_picture(
    report: ScanReport, volume: Volume, prediction: Prediction
) -> None:
    drawn = pictures.key_images(report, volume, prediction)
    assert {key.finding.decision for key in drawn} <= {Decision.PRESENT, Decision.INDETERMINATE}
    assert [key.finding.label for key in drawn] == [
        f.label
        for f in report.having(Decision.PRESENT) + report.having(Decision.INDETERMINATE)
        if f.foci
    ]
