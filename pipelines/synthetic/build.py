"""How one synthetic patient is built: the numbers behind the shapes, moved organs included."""

from dataclasses import dataclass, replace

import numpy as np

from pipelines.synthetic.case import Case, PlannedFinding, Side

HEART_CENTRE = (12.0, -24.0, -44.0)
_SEVERITY = {"mild": 0.0, "moderate": 0.5, "severe": 1.0}


@dataclass(frozen=True, slots=True)
class Build:
    """The measures of one patient in one study, in chest millimetres and HU."""

    scale: float  # millimetres per chest millimetre
    fat: float  # subcutaneous fat thickness
    breast: float  # 0 for none
    blood: float  # HU of arteries and the left heart
    venous_blood: float  # HU of veins and the right heart
    muscle: float
    tissue: float  # nodes, masses, collapsed lung: brighter after contrast
    lung: float  # base HU of air-filled lung
    haze: float  # how much denser the lowest-lying lung is
    bone: float
    heart: float  # scale of the heart
    heart_fat: float  # epicardial fat
    pericardial_fluid: float  # its thickness
    dome_right: float  # height of the diaphragm's domes
    dome_left: float
    dome_depth: float  # how steep they fall
    shift: float  # mediastinal shift towards the patient's left
    hernia: float  # radius of a hiatal hernia; 0 for none
    aorta: float  # scale of the aorta's calibre
    tortuosity: float
    fissure: float  # offset of the fissures
    vessel: float  # scale of the lung vessels' calibre
    fluid: float  # HU of effusions and other clear fluid
    spine_curve: float


def build_of(case: Case) -> Build:
    """The build of the case's patient, and what its findings do to heart and diaphragm."""
    body = np.random.default_rng(case.patient.seed)  # the same in every study
    day = np.random.default_rng(case.seed)
    size = case.patient.size_scale
    female = case.patient.sex == "F"
    contrast = case.acquisition.contrast
    scale = (0.93 if female else 1.0) * (1 + 0.4 * (size - 1)) * body.uniform(0.96, 1.04)
    blood = day.uniform(120, 300) if contrast else day.uniform(28, 50)
    breath = 1.0 * ("expiration" in case.variants) - 1.0 * ("hyperinflation" in case.variants)
    build = Build(
        scale=scale,
        fat=float(np.clip(12 + 110 * (size - 1) + body.normal(0, 4), 4, 40)),
        breast=body.uniform(0.7, 1.2) if female else 0.0,
        blood=blood,
        venous_blood=blood * day.uniform(0.75, 1.3) if contrast else blood,
        muscle=body.uniform(22, 60) + 10 * contrast,
        tissue=day.uniform(70, 100) if contrast else day.uniform(30, 45),
        lung=day.uniform(-885, -815) + 65 * breath,
        haze=day.uniform(90, 260) if "gravity_haze" in case.variants else day.uniform(10, 50),
        bone=body.uniform(150, 260) - 1.2 * (case.patient.age_years - 60),
        heart=body.uniform(0.86, 1.04),
        heart_fat=body.uniform(2, 5) + 5.0 * ("epicardial_fat" in case.variants),
        pericardial_fluid=0.0,
        dome_right=body.uniform(-76, -50) + 18 * breath,
        dome_left=body.uniform(-88, -62) + 18 * breath,
        dome_depth=body.uniform(60, 78) - 10 * ("hyperinflation" in case.variants),
        shift=body.normal(0, 2),
        hernia=0.0,
        aorta=body.uniform(0.88, 1.12),
        tortuosity=body.uniform(5, 12) if "tortuous_aorta" in case.variants else 0.0,
        fissure=body.normal(0, 6),
        vessel=1 + 0.22 * ("plethora" in case.variants) - 0.2 * ("oligaemia" in case.variants),
        fluid=day.uniform(2, 28),
        spine_curve=body.normal(0, 5),
    )
    for finding in case.present:
        build = _moved(build, finding)
    return build


def strength(finding: PlannedFinding) -> float:
    """How marked a finding is drawn: 0 (mild) to 1 (severe); an invisible one lies far below."""
    return _SEVERITY[finding.severity] if finding.visible else -0.8


def _moved(build: Build, finding: PlannedFinding) -> Build:
    marked = strength(finding)
    size = (finding.size_mm or 0.0) / build.scale * (1.0 if finding.visible else 0.4)
    match finding.finding:
        case "cardiomegaly":
            return replace(build, heart=max(build.heart, 0.98) * (1.19 + 0.17 * marked))
        case "pericardial_effusion":
            return replace(build, pericardial_fluid=size)
        case "hiatal_hernia":
            return replace(build, hernia=size / 2)
        case "atelectasis" if finding.texture == "lobar":
            return _collapsed(build, finding.side, 9 + 9 * max(marked, 0))
        case "pleural_effusion" if finding.side is not Side.BILATERAL and size > 40:
            away = -1 if finding.side is Side.LEFT else 1
            return replace(build, shift=build.shift + 0.15 * away * size)
    return build


def _collapsed(build: Build, side: Side, loss: float) -> Build:
    """Volume loss: the diaphragm rises and the mediastinum moves to the collapsed side."""
    if side is Side.LEFT:
        return replace(build, dome_left=build.dome_left + loss, shift=build.shift + 0.6 * loss)
    return replace(build, dome_right=build.dome_right + loss, shift=build.shift - 0.6 * loss)
