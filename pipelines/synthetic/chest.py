"""Draw a case: the patient's chest, its variants, its findings, and the scan of it all."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic import (
    airway_findings,
    body,
    build,
    device_findings,
    lungs,
    mediastinal_findings,
    mediastinum,
    nodule_findings,
    opacity_findings,
    pleural_findings,
    scanner,
    scar_findings,
    trees,
)
from pipelines.synthetic.anatomy import Chest
from pipelines.synthetic.canvas import Box
from pipelines.synthetic.case import Case, DrawnFinding, PlannedFinding

Drawer = Callable[[Chest, PlannedFinding, np.random.Generator], Box | None]

# In the order of drawing: haze before what lies in it, fluid and air between the layers last.
DRAWERS: dict[str, Drawer] = {
    "mosaic_attenuation": airway_findings.draw_mosaic_attenuation,
    "emphysema": airway_findings.draw_emphysema,
    "ground_glass": opacity_findings.draw_ground_glass,
    "septal_thickening": airway_findings.draw_septal_thickening,
    "fibrotic_sequela": scar_findings.draw_fibrotic_sequela,
    "peribronchial_thickening": airway_findings.draw_peribronchial_thickening,
    "bronchiectasis": airway_findings.draw_bronchiectasis,
    "consolidation": opacity_findings.draw_consolidation,
    "atelectasis": opacity_findings.draw_atelectasis,
    "mass": nodule_findings.draw_mass,
    "nodule": nodule_findings.draw_nodule,
    "cardiomegaly": mediastinal_findings.draw_cardiomegaly,
    "pericardial_effusion": mediastinal_findings.draw_pericardial_effusion,
    "hiatal_hernia": mediastinal_findings.draw_hiatal_hernia,
    "lymphadenopathy": mediastinal_findings.draw_lymphadenopathy,
    "arterial_calcification": mediastinal_findings.draw_arterial_calcification,
    "coronary_calcification": mediastinal_findings.draw_coronary_calcification,
    "pleural_effusion": pleural_findings.draw_pleural_effusion,
    "pneumothorax": pleural_findings.draw_pneumothorax,
    "medical_device": device_findings.draw_medical_device,
}


def draw(
    case: Case,
) -> tuple[NDArray[np.int16], NDArray[np.float64], tuple[DrawnFinding, ...]]:
    """Draw and scan one study.

    Returns `hu_zyx` (int16 HU, canonical axes: +x left, +y posterior, +z head), `affine_lps` (4x4:
    column, row, slice to LPS mm), and where each finding lies. A finding whose place the scan does
    not reach is left out.
    """
    patient = build.build_of(case)
    field = scanner.field_of(case, patient)
    chest = _draw_healthy(case, patient, field)
    drawn = []
    order = list(DRAWERS)
    for finding in sorted(case.present, key=lambda f: order.index(f.finding)):
        rng = np.random.default_rng([case.patient.seed, finding.place_seed])
        box = DRAWERS[finding.finding](chest, finding, rng)
        if box is not None:
            drawn.append(DrawnFinding(finding, _to_lps(box, field)))
    return scanner.scan(case, field), field.affine_lps, tuple(drawn)


def _draw_healthy(case: Case, patient: build.Build, field: scanner.Field) -> Chest:
    canvas, seed = field.canvas, case.patient.seed
    body.draw_body(canvas, patient, case.variants, seed)
    lung = lungs.find_lungs(canvas, patient)
    lungs.draw_abdomen(canvas, patient, case.variants, seed)
    lungs.draw_lungs(canvas, patient, lung, seed)
    mediastinum.draw_mediastinum(canvas, patient)
    grown = trees.grow_trees(patient, lung, seed)
    trees.draw_trees(canvas, patient, lung, grown)
    chest = Chest(canvas, patient, lung, grown)
    _draw_variants(chest, case)
    return chest


def _draw_variants(chest: Chest, case: Case) -> None:
    rng = np.random.default_rng([case.patient.seed, 7])
    lung = chest.lungs
    if "normal_nodes" in case.variants:
        mediastinal_findings.draw_normal_nodes(chest, rng, calcified=False)
    if "calcified_nodes" in case.variants:
        mediastinal_findings.draw_normal_nodes(chest, rng, calcified=True)
    if "ecg_leads" in case.variants:
        device_findings.draw_leads(chest, rng)
    if "granuloma" in case.variants:
        place = lung.points[lung.pick(rng, 1, depth=(4.0, 1e3))]
        chest.canvas.stamp(place, np.array([chest.canvas.units(2.0)]), 700.0)
    if "azygos_fissure" in case.variants:
        lungs.draw_azygos_fissure(chest.canvas, chest.lungs)


def _to_lps(box: Box, field: scanner.Field) -> Box:
    scale = field.canvas.scale
    x, y, z = field.offset_mm
    return (
        round(x + scale * box[0], 1),
        round(y + scale * box[1], 1),
        round(z + scale * box[2], 1),
        round(x + scale * box[3], 1),
        round(y + scale * box[4], 1),
        round(z + scale * box[5], 1),
    )
