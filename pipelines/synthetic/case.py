"""What a synthetic study holds before it is drawn or described: the plan that both follow.

`hospital` plans cases, `chest` and its neighbours draw them, `reporting` writes their reports; the
truth table is the same plan with the places that drawing found.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Idiom(StrEnum):
    """In which manner a report is written."""

    US = "us"
    TR_EN = "tr_en"


class Side(StrEnum):
    """The patient's own side."""

    RIGHT = "right"
    LEFT = "left"
    BILATERAL = "bilateral"
    MIDLINE = "midline"


class Course(StrEnum):
    """How a drawn finding stands to the same patient's earlier study."""

    FIRST = "first"  # no earlier study, or not comparable
    NEW = "new"
    LARGER = "larger"
    SMALLER = "smaller"
    STABLE = "stable"
    RESOLVED = "resolved"  # was in the earlier study and is not drawn in this one


@dataclass(frozen=True, slots=True)
class PlannedFinding:
    """One finding of one study, as drawn. Several of one kind may stand in a study."""

    finding: str  # an ontology id, e.g. "nodule"
    side: Side
    lobe: str | None  # "right upper lobe", ... or None where a lobe says nothing
    size_mm: float | None  # largest diameter or thickness, where one would be measured
    severity: str  # "mild", "moderate", "severe"
    texture: str | None = None  # "solid", "ground_glass", "calcified", "spiculated", ...
    count: int = 1
    course: Course = Course.FIRST
    prior_size_mm: float | None = None
    visible: bool = True  # False: too subtle to report; drawn all the same
    place_seed: int = 0  # the same in all of a patient's studies: a lesion stays where it is


@dataclass(frozen=True, slots=True)
class Patient:
    """A synthetic patient; every name says that it is one."""

    patient_id: str
    sex: str  # "M" or "F"
    age_years: int
    size_scale: float  # 1.0 is a 75 kg adult
    seed: int = 0  # what is drawn alike in all of the patient's studies


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a study was scanned."""

    matrix: int  # rows = columns
    pixel_mm: float
    slice_mm: float  # step between slices
    noise_hu: float
    kernel: str  # "soft" or "sharp"
    contrast: bool
    patient_position: str  # "HFS" or "FFS"
    vendor: str


@dataclass(frozen=True, slots=True)
class Case:
    """One study: the patient, the scan, what is there, and the manner of its report."""

    accession: str
    study_uid: str
    patient: Patient
    date: str  # YYYYMMDD
    acquisition: Acquisition
    findings: tuple[PlannedFinding, ...]
    variants: tuple[str, ...]  # look-alikes and normal variants drawn: "granuloma", "azygos_lobe"
    idiom: Idiom
    seed: int
    prior_date: str | None = None

    @property
    def present(self) -> tuple[PlannedFinding, ...]:
        """The findings that this study shows: all but the resolved ones."""
        return tuple(f for f in self.findings if f.course is not Course.RESOLVED)


@dataclass(frozen=True, slots=True)
class DrawnFinding:
    """Where drawing put a planned finding: a box in LPS mm (x0, y0, z0, x1, y1, z1)."""

    planned: PlannedFinding
    box_lps_mm: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class DrawnCase:
    """A case with the places of its findings."""

    case: Case
    drawn: tuple[DrawnFinding, ...] = field(default_factory=tuple)
