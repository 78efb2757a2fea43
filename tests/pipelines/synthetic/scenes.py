"""Small synthetic cases for tests: one patient, a coarse scan, the findings asked for."""

from dataclasses import replace

from pipelines.synthetic.case import Acquisition, Case, Idiom, Patient, PlannedFinding, Side

COARSE = Acquisition(
    matrix=96,
    pixel_mm=4.2,
    slice_mm=5.0,
    noise_hu=5.0,
    kernel="soft",
    contrast=False,
    patient_position="HFS",
    vendor="SYNTHETIC Alpha",
)


def finding(kind: str, **changes: object) -> PlannedFinding:
    planned = PlannedFinding(kind, Side.BILATERAL, None, None, "severe", place_seed=5)
    return replace(planned, **changes)  # type: ignore[arg-type]  # test code names the fields


def a_case(*findings: PlannedFinding, **changes: object) -> Case:
    case = Case(
        accession="SYN000001",
        study_uid="2.25.1234",
        patient=Patient("SYN-P00001", "M", 61, 1.0, seed=11),
        date="20240102",
        acquisition=COARSE,
        findings=findings,
        variants=(),
        idiom=Idiom.US,
        seed=17,
    )
    return replace(case, **changes)  # type: ignore[arg-type]  # test code names the fields
