"""Plan a synthetic hospital: patients, their studies over time, and what each study shows.

Nothing is drawn or written here. A finding's place comes from its own seed, so that it stays where
it is in all of the patient's studies; traits such as smoking make findings travel together, weakly.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from configs.contracts import InputError
from pipelines.synthetic.acquisition import draw_acquisition
from pipelines.synthetic.case import Case, Course, Idiom, Patient, PlannedFinding
from pipelines.synthetic.kinds import KINDS, SEVERITIES, Kind

_FIRST_DAY = date(2019, 1, 7)
_TRAIT_RATES = {
    "smoker": 0.35,
    "cancer": 0.25,
    "infection": 0.30,
    "heart_failure": 0.22,
    "airways": 0.22,
}
_WITH_TRAIT, _WITHOUT_TRAIT = 1.6, 0.8
_INVISIBLE_SHARE = 0.05
_NEW_SHARE = 0.3  # of a kind's rate, at each later study
_SIZES_MM = {  # to which growth and shrinkage lead
    "nodule": (5.0, 30.0),
    "mass": (31.0, 95.0),
    "emphysema": (25.0, 90.0),
    "consolidation": (25.0, 110.0),
    "pleural_effusion": (8.0, 70.0),
    "pericardial_effusion": (6.0, 26.0),
    "lymphadenopathy": (11.0, 42.0),
    "hiatal_hernia": (30.0, 100.0),
    "fibrotic_sequela": (25.0, 80.0),
    "pneumothorax": (8.0, 55.0),
}
_COURSES = {
    True: {Course.STABLE: 0.6, Course.LARGER: 0.3, Course.SMALLER: 0.05, Course.RESOLVED: 0.05},
    False: {Course.STABLE: 0.25, Course.LARGER: 0.2, Course.SMALLER: 0.25, Course.RESOLVED: 0.3},
}
_LASTING = ("cardiomegaly", "emphysema", "medical_device", "hiatal_hernia")  # never shrink here

# Normal variants and look-alikes, by rate; an age-bound one counts fully from 75 years on.
_VARIANT_RATES = {
    "granuloma": 0.2,
    "calcified_nodes": 0.12,
    "normal_nodes": 0.6,
    "azygos_fissure": 0.05,
    "ecg_leads": 0.65,
    "full_stomach": 0.45,
    "liver_cyst": 0.3,
    "plethora": 0.18,
    "oligaemia": 0.2,
    "gravity_haze": 0.4,
    "expiration": 0.25,
    "hyperinflation": 0.25,
    "epicardial_fat": 0.3,
    "pleural_fat": 0.25,
    "tortuous_aorta": 0.2,
    "arms_down": 0.12,
    "breathing_blur": 0.12,
}
_EXCLUSIVE = (("expiration", "hyperinflation"), ("plethora", "oligaemia"))
_AGEING_VARIANTS = {"cartilage_calcification": 0.7, "osteophytes": 0.6}


@dataclass(frozen=True, slots=True)
class _Person:
    patient: Patient
    traits: frozenset[str]
    variants: tuple[str, ...]
    idiom: Idiom


def plan(studies: int, seed: int) -> list[Case]:
    """Plan exactly `studies` studies: patient by patient, each patient's in order of date.

    Six patients in ten have one study, the others two or three. The same arguments give the same
    plan; a longer plan begins with the shorter one. Raises InputError for a number below one.
    """
    if studies < 1:
        raise InputError(f"{studies} studies asked for; a synthetic archive needs at least 1")
    cases: list[Case] = []
    number = 0
    while len(cases) < studies:
        number += 1
        rng = np.random.default_rng([seed, number])
        person = _person(rng, number)
        visits = int(rng.choice([1, 2, 3], p=[0.62, 0.24, 0.14]))
        cases.extend(_course(rng, person, visits, first_accession=len(cases) + 1, seed=seed))
    return cases[:studies]


def _person(rng: np.random.Generator, number: int) -> _Person:
    age = int(np.clip(rng.normal(60, 14), 24, 90))
    traits = {name for name, rate in _TRAIT_RATES.items() if rng.random() < rate}
    if age >= 62:
        traits.add("elderly")
    patient = Patient(
        patient_id=f"SYN-P{number:05d}",
        sex=str(rng.choice(["M", "F"])),
        age_years=age,
        size_scale=round(float(np.clip(rng.normal(1.0, 0.09), 0.82, 1.25)), 3),
        seed=int(rng.integers(2**31)),
    )
    ageing = float(np.clip((age - 35) / 40, 0, 1))
    rates = _VARIANT_RATES | {name: rate * ageing for name, rate in _AGEING_VARIANTS.items()}
    variants = tuple(name for name, rate in rates.items() if rng.random() < rate)
    for stays, goes in _EXCLUSIVE:
        if stays in variants:
            variants = tuple(name for name in variants if name != goes)
    idiom = Idiom.US if rng.random() < 0.5 else Idiom.TR_EN
    return _Person(patient, frozenset(traits), variants, idiom)


def _course(
    rng: np.random.Generator, person: _Person, visits: int, first_accession: int, seed: int
) -> list[Case]:
    cases: list[Case] = []
    day = _FIRST_DAY + timedelta(days=int(rng.integers(5 * 365)))
    findings: tuple[PlannedFinding, ...] = ()
    for visit in range(visits):
        if visit:
            day += timedelta(days=int(rng.integers(20, 400)))
            findings = _next_findings(rng, person, findings)
        else:
            findings = _first_findings(rng, person)
        accession = f"SYN{first_accession + visit:06d}"
        cases.append(
            Case(
                accession=accession,
                study_uid=deterministic_uid(seed, accession),
                patient=person.patient,
                date=day.strftime("%Y%m%d"),
                acquisition=draw_acquisition(rng, person.patient),
                findings=findings,
                variants=person.variants,
                idiom=person.idiom,
                seed=int(rng.integers(2**31)),
                prior_date=cases[-1].date if cases else None,
            )
        )
    return cases


def deterministic_uid(seed: int, *names: str) -> str:
    """A DICOM UID of the 2.25 form (PS3.5 B.2), always the same for the same seed and names."""
    digest = hashlib.sha256("\0".join(("chestct", str(seed), *names)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _rate(kind: Kind, traits: frozenset[str]) -> float:
    raised = any(name in traits for name in kind.raised_by)
    return kind.rate * (_WITH_TRAIT if raised else _WITHOUT_TRAIT)


def _planned(rng: np.random.Generator, kind: Kind, course: Course) -> list[PlannedFinding]:
    visible = rng.random() >= _INVISIBLE_SHARE
    return [replace(f, course=course, visible=visible) for f in kind.plan(rng)]


def _first_findings(rng: np.random.Generator, person: _Person) -> tuple[PlannedFinding, ...]:
    return tuple(
        finding
        for kind in KINDS.values()
        if rng.random() < _rate(kind, person.traits)
        for finding in _planned(rng, kind, Course.FIRST)
    )


def _next_findings(
    rng: np.random.Generator, person: _Person, before: tuple[PlannedFinding, ...]
) -> tuple[PlannedFinding, ...]:
    kept = [_followed(rng, f) for f in before if f.course is not Course.RESOLVED]
    known = {f.finding for f in kept}
    fresh = [
        finding
        for name, kind in KINDS.items()
        if name not in known and rng.random() < _NEW_SHARE * _rate(kind, person.traits)
        for finding in _planned(rng, kind, Course.NEW)
    ]
    return (*kept, *fresh)


def _followed(rng: np.random.Generator, before: PlannedFinding) -> PlannedFinding:
    shares = _COURSES[KINDS[before.finding].chronic]
    course = list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]
    if before.finding in _LASTING and course in (Course.SMALLER, Course.RESOLVED):
        course = Course.STABLE
    if before.finding == "medical_device":
        course = Course.STABLE
    prior = replace(before, course=course, prior_size_mm=before.size_mm)
    if course is Course.LARGER:
        return _scaled(prior, float(rng.uniform(1.3, 1.7)), +1)
    if course is Course.SMALLER:
        return _scaled(prior, float(rng.uniform(0.5, 0.75)), -1)
    return prior


def _scaled(finding: PlannedFinding, factor: float, step: int) -> PlannedFinding:
    severity = SEVERITIES[int(np.clip(SEVERITIES.index(finding.severity) + step, 0, 2))]
    size = finding.size_mm
    if size is None:
        course = Course.STABLE if severity == finding.severity else finding.course
        return replace(finding, severity=severity, course=course)
    smallest, largest = _SIZES_MM[finding.finding]
    scaled = float(round(np.clip(size * factor, min(smallest, size), max(largest, size))))
    if scaled == size:
        return replace(finding, course=Course.STABLE)
    return replace(finding, severity=severity, size_mm=scaled)
