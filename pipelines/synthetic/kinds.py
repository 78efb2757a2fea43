"""The kinds of finding that a synthetic patient may have: how often, and in which shapes.

The rates are near those of a large chest-CT archive (CT-RATE: 8 to 46 %), the rare ones raised a
little so that a small archive can teach them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.case import PlannedFinding, Side

RIGHT_LOBES = ("right upper lobe", "right middle lobe", "right lower lobe")
LEFT_LOBES = ("left upper lobe", "left lower lobe")
LOBES = RIGHT_LOBES + LEFT_LOBES
LOWER_LOBES = ("right lower lobe", "left lower lobe")
SEVERITIES = ("mild", "moderate", "severe")

_SEED_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding: its base rate, which diseases raise it, and how one is planned."""

    rate: float
    chronic: bool  # stays or grows between studies; the others come and go
    raised_by: tuple[str, ...]  # patient traits that make it likelier
    plan: Callable[[np.random.Generator], list[PlannedFinding]]


def side_of(lobe: str) -> Side:
    """The side that a lobe's name says.

    >>> side_of("left upper lobe").value
    'left'
    """
    return Side.LEFT if lobe.startswith("left") else Side.RIGHT


def planned(
    rng: np.random.Generator,
    finding: str,
    side: Side,
    severity: str,
    *,
    lobe: str | None = None,
    size_mm: float | None = None,
    texture: str | None = None,
    count: int = 1,
) -> PlannedFinding:
    """A planned finding with a place of its own; sizes are rounded as a report would give them."""
    return PlannedFinding(
        finding=finding,
        side=side,
        lobe=lobe,
        size_mm=None if size_mm is None else float(round(size_mm)),
        severity=severity,
        texture=texture,
        count=count,
        place_seed=int(rng.integers(_SEED_LIMIT)),
    )


def _choose(rng: np.random.Generator, weights: dict[str, float]) -> str:
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))


def _severity(rng: np.random.Generator, mild: float = 0.25, severe: float = 0.35) -> str:
    return _choose(rng, {"mild": mild, "moderate": 1 - mild - severe, "severe": severe})


def _lobes(rng: np.random.Generator, count: int, among: tuple[str, ...] = LOBES) -> list[str]:
    return [str(lobe) for lobe in rng.choice(among, size=min(count, len(among)), replace=False)]


def _mostly_lower(rng: np.random.Generator, count: int) -> list[str]:
    """Lobes as gravity and infection choose them: the lower ones first, seven times in ten."""
    if rng.random() < 0.7:
        lower = _lobes(rng, 2, LOWER_LOBES)
        others = _lobes(rng, 3, tuple(lobe for lobe in LOBES if lobe not in LOWER_LOBES))
        return [*lower, *others][:count]
    return _lobes(rng, count)


def _side(rng: np.random.Generator, bilateral: float) -> Side:
    if rng.random() < bilateral:
        return Side.BILATERAL
    return Side.RIGHT if rng.random() < 0.5 else Side.LEFT


def _nodules(rng: np.random.Generator) -> list[PlannedFinding]:
    number = int(rng.choice([1, 2, 3, 8, 14, 24], p=[0.2, 0.12, 0.1, 0.18, 0.22, 0.18]))
    sizes = np.clip(rng.lognormal(np.log(17), 0.33, number), 6, 29)
    grade = ("mild", "moderate", "severe")[int(np.digitize(sizes.max(), [8, 16]))]
    if number > 3:
        finding = planned(
            rng, "nodule", Side.BILATERAL, grade, size_mm=sizes.max(), texture="solid", count=number
        )
        return [finding]
    nodules = []
    for size in sizes:
        lobe = _lobes(rng, 1)[0]
        texture = _choose(
            rng, {"solid": 5, "spiculated": 2, "part_solid": 1, "ground_glass": 1, "calcified": 1}
        )
        if texture in ("ground_glass", "part_solid"):
            size = max(size, 12.0)
        elif texture == "calcified":
            size = min(size, 14.0)
        severity = SEVERITIES[int(np.digitize(size, [8, 16]))]
        nodules.append(
            planned(
                rng, "nodule", side_of(lobe), severity, lobe=lobe, size_mm=size, texture=texture
            )
        )
    return nodules


def _mass(rng: np.random.Generator) -> list[PlannedFinding]:
    lobe = _lobes(rng, 1)[0]
    texture = _choose(rng, {"spiculated": 5, "solid": 3, "cavitary": 2})
    size = rng.uniform(32, 75)
    return [planned(rng, "mass", side_of(lobe), "severe", lobe=lobe, size_mm=size, texture=texture)]


def _emphysema(rng: np.random.Generator) -> list[PlannedFinding]:
    texture = _choose(rng, {"centrilobular": 6, "paraseptal": 2, "bullous": 2})
    size = rng.uniform(30, 80) if texture == "bullous" else None
    return [
        planned(rng, "emphysema", Side.BILATERAL, _severity(rng), size_mm=size, texture=texture)
    ]


def _ground_glass(rng: np.random.Generator) -> list[PlannedFinding]:
    if rng.random() < 0.45:
        texture = _choose(rng, {"patchy": 2, "diffuse": 1, "peripheral": 2})
        return [planned(rng, "ground_glass", Side.BILATERAL, _severity(rng), texture=texture)]
    return [
        planned(rng, "ground_glass", side_of(lobe), _severity(rng), lobe=lobe, texture="patchy")
        for lobe in _lobes(rng, int(rng.integers(1, 4)))
    ]


def _consolidation(rng: np.random.Generator) -> list[PlannedFinding]:
    return [
        planned(
            rng,
            "consolidation",
            side_of(lobe),
            _severity(rng),
            lobe=lobe,
            size_mm=rng.uniform(45, 105),
            texture="air_bronchogram",
        )
        for lobe in _mostly_lower(rng, 1 + int(rng.random() < 0.45))
    ]


def _atelectasis(rng: np.random.Generator) -> list[PlannedFinding]:
    texture = _choose(rng, {"lobar": 6, "linear": 2, "dependent": 4})
    if texture == "dependent":
        return [planned(rng, "atelectasis", Side.BILATERAL, _severity(rng), texture=texture)]
    among = LOWER_LOBES if rng.random() < 0.6 else LOBES
    number = 1 if texture == "lobar" else int(rng.integers(1, 3))
    return [
        planned(rng, "atelectasis", side_of(lobe), _severity(rng), lobe=lobe, texture=texture)
        for lobe in _lobes(rng, number, among)
    ]


def _pleural_effusion(rng: np.random.Generator) -> list[PlannedFinding]:
    side = _side(rng, bilateral=0.4)
    thickness = float(np.clip(rng.lognormal(np.log(26), 0.45), 10, 65))
    severity = SEVERITIES[int(np.digitize(thickness, [18, 40]))]
    return [planned(rng, "pleural_effusion", side, severity, size_mm=thickness)]


def _pericardial_effusion(rng: np.random.Generator) -> list[PlannedFinding]:
    thickness = rng.uniform(6, 20)
    severity = SEVERITIES[int(np.digitize(thickness, [9, 15]))]
    return [planned(rng, "pericardial_effusion", Side.MIDLINE, severity, size_mm=thickness)]


def _cardiomegaly(rng: np.random.Generator) -> list[PlannedFinding]:
    return [planned(rng, "cardiomegaly", Side.MIDLINE, _severity(rng))]


def _coronary_calcification(rng: np.random.Generator) -> list[PlannedFinding]:
    severity = _severity(rng, mild=0.2)
    vessels = {"mild": 1, "moderate": 2, "severe": 3}[severity]
    return [planned(rng, "coronary_calcification", Side.MIDLINE, severity, count=vessels)]


def _arterial_calcification(rng: np.random.Generator) -> list[PlannedFinding]:
    return [planned(rng, "arterial_calcification", Side.MIDLINE, _severity(rng, mild=0.2))]


def _lymphadenopathy(rng: np.random.Generator) -> list[PlannedFinding]:
    station = _choose(rng, {"mediastinal": 7, "hilar": 2, "axillary": 1})
    side = Side.MIDLINE if station == "mediastinal" else _side(rng, bilateral=0.4)
    size = float(np.clip(rng.lognormal(np.log(21), 0.28), 11, 38))
    severity = SEVERITIES[int(np.digitize(size, [15, 24]))]
    return [
        planned(
            rng,
            "lymphadenopathy",
            side,
            severity,
            size_mm=size,
            texture=station,
            count=int(rng.integers(4, 10)),
        )
    ]


def _hiatal_hernia(rng: np.random.Generator) -> list[PlannedFinding]:
    size = rng.uniform(35, 95)
    severity = SEVERITIES[int(np.digitize(size, [45, 70]))]
    return [planned(rng, "hiatal_hernia", Side.MIDLINE, severity, size_mm=size)]


def _bronchiectasis(rng: np.random.Generator) -> list[PlannedFinding]:
    texture = _choose(rng, {"cylindrical": 4, "varicose": 2, "cystic": 3})
    return [
        planned(rng, "bronchiectasis", side_of(lobe), _severity(rng), lobe=lobe, texture=texture)
        for lobe in _mostly_lower(rng, int(rng.integers(2, 5)))
    ]


def _peribronchial_thickening(rng: np.random.Generator) -> list[PlannedFinding]:
    side = _side(rng, bilateral=0.8)
    return [planned(rng, "peribronchial_thickening", side, _severity(rng))]


def _septal_thickening(rng: np.random.Generator) -> list[PlannedFinding]:
    side = _side(rng, bilateral=0.85)
    return [planned(rng, "septal_thickening", side, _severity(rng), texture="smooth")]


def _mosaic_attenuation(rng: np.random.Generator) -> list[PlannedFinding]:
    return [planned(rng, "mosaic_attenuation", Side.BILATERAL, _severity(rng, mild=0.2))]


def _fibrotic_sequela(rng: np.random.Generator) -> list[PlannedFinding]:
    texture = _choose(rng, {"apical_scar": 4, "band": 3, "reticular": 4})
    if texture == "apical_scar":
        side = _side(rng, bilateral=0.6)
        return [planned(rng, "fibrotic_sequela", side, _severity(rng), texture=texture)]
    if texture == "reticular":
        return [planned(rng, "fibrotic_sequela", Side.BILATERAL, _severity(rng), texture=texture)]
    return [
        planned(
            rng,
            "fibrotic_sequela",
            side_of(lobe),
            _severity(rng),
            lobe=lobe,
            size_mm=rng.uniform(30, 70),
            texture=texture,
        )
        for lobe in _lobes(rng, int(rng.integers(1, 4)))
    ]


def _medical_device(rng: np.random.Generator) -> list[PlannedFinding]:
    texture = _choose(rng, {"port": 4, "pacemaker": 3, "sternal_wires": 4, "stent": 1})
    side = {
        "port": Side.RIGHT if rng.random() < 0.7 else Side.LEFT,
        "pacemaker": Side.LEFT if rng.random() < 0.8 else Side.RIGHT,
    }.get(texture, Side.MIDLINE)
    return [planned(rng, "medical_device", side, "moderate", texture=texture)]


def _pneumothorax(rng: np.random.Generator) -> list[PlannedFinding]:
    thickness = rng.uniform(10, 45)
    severity = SEVERITIES[int(np.digitize(thickness, [15, 30]))]
    return [planned(rng, "pneumothorax", _side(rng, bilateral=0.0), severity, size_mm=thickness)]


KINDS: dict[str, Kind] = {
    "nodule": Kind(0.36, True, ("cancer", "smoker"), _nodules),
    "mass": Kind(0.08, True, ("cancer", "smoker"), _mass),
    "emphysema": Kind(0.22, True, ("smoker",), _emphysema),
    "ground_glass": Kind(0.30, False, ("infection", "heart_failure"), _ground_glass),
    "consolidation": Kind(0.20, False, ("infection",), _consolidation),
    "atelectasis": Kind(0.27, False, ("heart_failure", "cancer"), _atelectasis),
    "pleural_effusion": Kind(0.18, False, ("heart_failure", "infection"), _pleural_effusion),
    "pericardial_effusion": Kind(0.13, False, ("heart_failure",), _pericardial_effusion),
    "cardiomegaly": Kind(0.15, True, ("heart_failure", "elderly"), _cardiomegaly),
    "coronary_calcification": Kind(0.19, True, ("elderly", "smoker"), _coronary_calcification),
    "arterial_calcification": Kind(0.21, True, ("elderly", "smoker"), _arterial_calcification),
    "lymphadenopathy": Kind(0.27, False, ("cancer", "infection"), _lymphadenopathy),
    "hiatal_hernia": Kind(0.15, True, ("elderly",), _hiatal_hernia),
    "bronchiectasis": Kind(0.16, True, ("airways",), _bronchiectasis),
    "peribronchial_thickening": Kind(0.17, False, ("airways", "smoker"), _peribronchial_thickening),
    "septal_thickening": Kind(0.17, False, ("heart_failure",), _septal_thickening),
    "mosaic_attenuation": Kind(0.16, False, ("airways",), _mosaic_attenuation),
    "fibrotic_sequela": Kind(0.21, True, ("elderly", "infection"), _fibrotic_sequela),
    "medical_device": Kind(0.12, True, ("cancer", "elderly"), _medical_device),
    "pneumothorax": Kind(0.06, False, ("smoker",), _pneumothorax),
}
