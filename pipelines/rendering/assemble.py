"""From a volume, its assessment and a bundle's prediction to the content of the report."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs import files
from model.calibration import Calibration, CalibrationState
from model.volumes import Assessment, Volume
from model.volumes.anatomy import Anatomy
from model.volumes.assess import NOTES
from pipelines.rendering.content import (
    Alike,
    CautionCode,
    ContrastSource,
    Decision,
    Evidence,
    Finding,
    Geometry,
    Model,
    Quality,
    Remark,
    Scan,
    ScanReport,
    Status,
    TrainingData,
)
from pipelines.rendering.display import load_display
from pipelines.rendering.draft import draft
from pipelines.rendering.enhancement import is_enhanced
from pipelines.rendering.foci import SliceAxis, evidence
from pipelines.rendering.landmarks import Landmarks
from pipelines.rendering.ontology import meaning

if TYPE_CHECKING:  # torch, which the content model has no need of
    from model.bundle import Bundle
    from model.prediction import Prediction

_KERNEL = re.compile(
    r"[A-Za-z]{1,2}|[A-Za-z]{1,2}\d{2,3}[a-z]{0,2}(\\[0-5])?"
    r"|STANDARD|STND|SOFT|LUNG|CHEST|DETAIL|EDGE|BONE|BONEPLUS|ULTRA|SHARP|SMOOTH"
)
_AGE = "age_years"  # told under `scan`, and only in an identified report
INDETERMINATE_LOGIT = 0.25
"""Half the width of the band around a threshold, in logits, in which the network cannot tell: from
.44 to .56 around .50, from .08 to .12 around .10."""


def read(
    volume: Volume,
    assessment: Assessment,
    anatomy: Anatomy,
    bundle: "Bundle",
    prediction: "Prediction",
    bundle_path: Path,
    *,
    warnings: tuple[str, ...] = (),
    identified: bool = False,
    flagged_from: Mapping[str, float] | None = None,
) -> ScanReport:
    """The report of a scan that was read; `flagged_from` are a worklist's thresholds by label."""
    scan = _with_contrast(_scan(volume, identified=identified), anatomy)
    places = _Places(SliceAxis.of(volume, identified=identified), Landmarks.of(anatomy))
    report = ScanReport(
        status=Status.READ,
        created=_now(),
        scan=scan,
        geometry=_geometry(volume),
        quality=_quality(assessment, warnings),
        model=_model(bundle, bundle_path),
        findings=_findings(bundle, prediction, places, flagged_from or {}, contrast=scan.contrast),
        not_covered=load_display().lacking(bundle.labels),
    )
    return report.model_copy(update={"draft": draft(report)})


def unreadable(
    reason: Remark, bundle: "Bundle", bundle_path: Path, *, identified: bool = False
) -> ScanReport:
    """The report of files that hold no trustworthy volume."""
    quality = Quality(in_scope=False, reasons=(reason,), warnings=(), measurements={})
    return _refused(quality, None, bundle, bundle_path, identified=identified)


def refuse(
    volume: Volume,
    assessment: Assessment,
    bundle: "Bundle",
    bundle_path: Path,
    *,
    identified: bool = False,
) -> ScanReport:
    """The report of a volume out of scope: reasons, and no probabilities."""
    quality = _quality(assessment, volume.warnings)
    return _refused(quality, volume, bundle, bundle_path, identified=identified)


def _refused(
    quality: Quality,
    volume: Volume | None,
    bundle: "Bundle",
    bundle_path: Path,
    *,
    identified: bool,
) -> ScanReport:
    return ScanReport(
        status=Status.REFUSED,
        created=_now(),
        scan=_scan(volume, identified=identified),
        geometry=_geometry(volume) if volume else None,
        quality=quality,
        model=_model(bundle, bundle_path),
        findings=(),
        not_covered=(),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _scan(volume: Volume | None, *, identified: bool) -> Scan:
    if volume is None:
        return Scan(identified=identified)
    source = volume.source
    anonymous = Scan(
        identified=identified,
        series=_hashed(volume.series_uid),
        study=_hashed(source.study_uid),
        vendor=source.vendor,
        kernel=source.kernel if identified else _kernel_name(source.kernel),
        contrast=source.contrast,
        contrast_by=None if source.contrast is None else ContrastSource.HEADER,
        synthetic=source.synthetic,
        source_sha256=source.sha256,
    )
    if not identified:
        return anonymous
    return anonymous.model_copy(
        update={
            "series": volume.series_uid,
            "study": source.study_uid,
            "patient_id": source.patient_id or None,
            "accession": source.accession or None,
            "date": source.date or None,
            "sex": source.sex or None,
            "age_years": source.age_years,
        }
    )


def _with_contrast(scan: Scan, anatomy: Anatomy) -> Scan:
    """Where the header is silent, the density of the blood tells."""
    if scan.contrast is not None or (enhanced := is_enhanced(anatomy)) is None:
        return scan
    return scan.model_copy(update={"contrast": enhanced, "contrast_by": ContrastSource.IMAGE})


def _kernel_name(text: str) -> str:
    """The kernel where it looks like one; a header field that people can fill may hold a name.

    >>> [_kernel_name(kernel) for kernel in ("B70f", "FC52", "LUNG", "YA", "DOE^JANE")]
    ['B70f', 'FC52', 'LUNG', 'YA', '']
    """
    return text if _KERNEL.fullmatch(text) else ""


def _hashed(uid: str) -> str:
    """A UID's short hash: the same scan gets the same one, and a UID cannot be guessed from it."""
    return hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:16] if uid else ""


def _geometry(volume: Volume) -> Geometry:
    z, y, x = volume.hu_zyx.shape
    rows = [tuple(round(value, 6) for value in row) for row in volume.affine_lps.tolist()]
    numbers = f"axial slices counted from the head, 1 to {z}"
    if volume.source.instance_axis != 0:
        numbers += "; the series was stored in another plane"
    return Geometry(
        shape_zyx=(z, y, x),
        spacing_mm_zyx=volume.spacing_mm_zyx,
        affine_lps=tuple(rows),
        slice_numbers=numbers,
    )


def _quality(assessment: Assessment, warnings: tuple[str, ...]) -> Quality:
    meanings = load_display().assessment
    remarks = [Remark(code=code, meaning=meanings[code]) for code in assessment.reasons]
    measured = {name: value for name, value in assessment.measurements.items() if name != _AGE}
    return Quality(
        in_scope=assessment.in_scope,
        reasons=tuple(remark for remark in remarks if remark.code not in NOTES),
        notes=tuple(remark for remark in remarks if remark.code in NOTES),
        warnings=tuple(dict.fromkeys(warnings)),
        measurements={name: value for name, value in measured.items() if math.isfinite(value)},
    )


def _model(bundle: "Bundle", path: Path) -> Model:
    card = bundle.card
    train = card.counts.get("train")
    auroc = card.metrics.get("macro_auroc", math.nan)
    return Model(
        id=files.sha256_of(path / "bundle.json")[:12],
        network=bundle.network_name,
        profile=bundle.profile.name,
        training_data=TrainingData(card.training_data),
        training_patients=train.patients if train else 0,
        training_scans=train.scans if train else 0,
        validation_macro_auroc=auroc if math.isfinite(auroc) else None,
        label_source=card.label_source,
        labels=len(bundle.labels),
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """What evidence is placed by."""

    axis: SliceAxis
    landmarks: Landmarks


def _findings(
    bundle: "Bundle",
    prediction: "Prediction",
    places: _Places,
    flagged_from: Mapping[str, float],
    *,
    contrast: bool | None,
) -> tuple[Finding, ...]:
    display = load_display()
    found = []
    for index, (label, calibration) in enumerate(
        zip(bundle.labels, bundle.calibrations, strict=True)
    ):
        shown, known = display.of(label), meaning(label)
        probability = float(np.clip(prediction.probabilities_l[index], 0.0, 1.0))
        blind = contrast is False and known is not None and known.needs_contrast
        located = _evidence(prediction, index, places)
        found.append(
            Finding(
                label=label,
                name=shown.name,
                group=shown.group,
                logit=float(prediction.logits_l[index]),
                probability=probability,
                calibrated=calibration.state is CalibrationState.FITTED,
                calibration=calibration.state,
                alike=_alike(calibration, probability),
                threshold=calibration.threshold,
                threshold_validated=calibration.validated,
                flagged_from=flagged_from.get(label),
                decision=Decision.NOT_ASSESSABLE
                if blind
                else decide(probability, calibration.threshold),
                umbrella_of=display.umbrella_of(label, bundle.labels),
                variant=known is not None and known.variant,
                cautions=_cautions(located),
                evidence=located,
            )
        )
    return tuple(found)


def _cautions(located: Evidence | None) -> tuple[Remark, ...]:
    """Said of a finding whose strongest focus is no place in the patient."""
    if located is None or not located.foci or located.foci[0].in_body:
        return ()
    code = CautionCode.OUTSIDE_BODY
    return (Remark(code=code, meaning=load_display().cautions[code]),)


def _alike(calibration: Calibration, probability: float) -> Alike | None:
    found = calibration.alike(probability)
    if found is None or calibration.state is not CalibrationState.FITTED:
        return None
    return Alike(low=found.low, high=found.high, scans=found.scans, said_so=found.positives)


def _evidence(prediction: "Prediction", index: int, places: _Places) -> Evidence | None:
    maps, affine, bias = prediction.maps_lzyx, prediction.map_affine_lps, prediction.bias_l
    if maps is None or affine is None or bias is None:
        return None
    return evidence(maps[index], affine, float(bias[index]), places.axis, places.landmarks)


def decide(probability: float, threshold: float) -> Decision:
    """Present from the threshold on, indeterminate within `INDETERMINATE_LOGIT` of it.

    >>> [decide(p, 0.3).value for p in (0.1, 0.29, 0.31, 0.4)]
    ['absent', 'indeterminate', 'indeterminate', 'present']
    """
    distance = _logit(probability) - _logit(threshold)
    if abs(distance) < INDETERMINATE_LOGIT:
        return Decision.INDETERMINATE
    return Decision.PRESENT if distance > 0 else Decision.ABSENT


def _logit(probability: float) -> float:
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(inside / (1 - inside))
