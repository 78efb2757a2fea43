"""What a scan report says, whatever form it takes: JSON is this model, HTML a rendering of it.

Every renderer reads a `ScanReport` and nothing else about the findings, so that all forms state
the same numbers and the same flags.
"""

from enum import StrEnum
from typing import Self

from pydantic import Field, FiniteFloat, model_validator

from configs.contracts import INTENDED_USE, PROBABILITY_MEANING
from model.calibration import CalibrationState
from pipelines.rendering.part import Part
from pipelines.rendering.text_report import TextReport

SCHEMA_VERSION = "1.3"
MAX_FOCI = 5


class Status(StrEnum):
    """Whether the scan was read by the network, or set aside before it."""

    READ = "read"
    REFUSED = "refused"


class Decision(StrEnum):
    """What the network says of a finding; *indeterminate* means too close to the threshold."""

    PRESENT = "present"
    ABSENT = "absent"
    INDETERMINATE = "indeterminate"
    NOT_ASSESSABLE = "not_assessable"  # the finding needs contrast, the scan has none


class ContrastSource(StrEnum):
    """How it is known whether contrast was given."""

    HEADER = "header"
    IMAGE = "image"  # by the density of the blood


class TrainingData(StrEnum):
    """What the network has learnt from."""

    SYNTHETIC = "synthetic"
    PATIENTS = "patients"
    MIXED = "mixed"


class CautionCode(StrEnum):
    """Why one finding's number is to be doubted."""

    OUTSIDE_BODY = "OUTSIDE_BODY"  # its strongest evidence lies in air or on the table


class Zone(StrEnum):
    """Thirds of the lungs' height; a place by height, not a lobe."""

    UPPER = "upper"
    MIDDLE = "middle"
    LOWER = "lower"
    ALL = "all"


class Side(StrEnum):
    """The patient's own side of the body's midline."""

    RIGHT = "right"
    LEFT = "left"
    BOTH = "both"
    MIDLINE = "midline"


class Scan(Part):
    """Which scan this is. Without `identified` the UIDs are hashes and the person's fields null."""

    identified: bool
    series: str = Field(default="", description="series instance UID, or its hash")
    study: str = Field(default="", description="study instance UID, or its hash")
    patient_id: str | None = None
    accession: str | None = None
    date: str | None = Field(default=None, description="YYYYMMDD")
    sex: str | None = None
    age_years: int | None = None
    vendor: str = ""
    kernel: str = ""
    contrast: bool | None = Field(default=None, description="null where nobody can tell")
    contrast_by: ContrastSource | None = None
    synthetic: bool = Field(default=False, description="the scan was drawn, not acquired")
    source_sha256: str = Field(default="", description="of the bytes of the files that were read")


class Geometry(Part):
    """The series as read: +x to the patient's left, +y to the back, +z to the head."""

    shape_zyx: tuple[int, int, int]
    spacing_mm_zyx: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    affine_lps: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...] = Field(
        min_length=4, max_length=4, description="(column, row, slice) indices to LPS mm"
    )
    slice_numbers: str = Field(description="how slices are counted in this report")


class Remark(Part):
    """A stable code and what it means."""

    code: str
    meaning: str


class Quality(Part):
    """Is it a chest CT that the network may read, and what is unusual about it."""

    in_scope: bool
    reasons: tuple[Remark, ...] = Field(description="why it was refused; empty when in scope")
    notes: tuple[Remark, ...] = Field(default=(), description="what is unusual about the scan")
    warnings: tuple[str, ...] = Field(description="from reading and preparing the scan")
    measurements: dict[str, FiniteFloat | str | bool | None]


class Model(Part):
    """The model card in short."""

    id: str = Field(description="the first 12 digits of the SHA-256 of bundle.json")
    network: str
    profile: str
    training_data: TrainingData
    training_patients: int
    training_scans: int
    validation_macro_auroc: FiniteFloat | None
    label_source: str = Field(description="the convention whose labels were taught")
    labels: int


class Box(Part):
    """An axis-parallel box in LPS mm: x to the patient's left, y to the back, z to the head."""

    low_xyz_mm: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    high_xyz_mm: tuple[FiniteFloat, FiniteFloat, FiniteFloat]

    @property
    def size_xyz_mm(self) -> tuple[float, float, float]:
        """Edge lengths: left-right, front-back, foot-head."""
        x, y, z = (high - low for low, high in zip(self.low_xyz_mm, self.high_xyz_mm, strict=True))
        return x, y, z


class Focus(Part):
    """A region from which the network drew evidence for a finding: not a segmentation of it."""

    box_lps: Box
    peak_xyz_mm: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    slices: tuple[int, int] = Field(description="first and last source slice number it spans")
    best_slice: int = Field(description="source slice number through the strongest evidence")
    best_instance_uid: str | None = Field(
        default=None, description="SOP instance UID of that slice; only in an identified report"
    )
    in_body: bool = Field(
        default=True,
        description="false where the strongest cell lies in air or on the table: no finding there",
    )
    side: Side
    zone: Zone | None = Field(description="null where the lungs' height could not be measured")
    share: FiniteFloat = Field(
        ge=0, le=1, description="its part of all evidence for the finding (positive contributions)"
    )


class Evidence(Part):
    """Where a logit comes from: logit = bias + supporting + opposing, before calibration."""

    cell_mm_zyx: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = Field(
        description="the size of a cell of the evidence map: no place is finer than this"
    )

    bias: FiniteFloat
    supporting: FiniteFloat = Field(ge=0, description="sum of the positive contributions")
    opposing: FiniteFloat = Field(le=0, description="sum of the negative contributions")
    foci: tuple[Focus, ...] = Field(max_length=MAX_FOCI)


class Alike(Part):
    """The validation scans that were scored like this one: what stands behind a percentage."""

    low: FiniteFloat = Field(ge=0, le=1, description="scored from this probability")
    high: FiniteFloat = Field(ge=0, le=1, description="up to this one")
    scans: int = Field(ge=1)
    said_so: int = Field(ge=0, description="of these scans, the reports that stated the finding")


class Finding(Part):
    """One label of the model: what the network says, how sure, and where it looked."""

    label: str = Field(description="convention:label, as in the bundle")
    name: str
    group: str
    logit: FiniteFloat = Field(description="the network's own, before calibration")
    probability: FiniteFloat = Field(ge=0, le=1)
    calibrated: bool = Field(description="fitted on enough cases; else read it as a rank")
    calibration: CalibrationState
    alike: Alike | None = Field(
        default=None, description="null where it is not calibrated or the bundle has no counts"
    )
    threshold: FiniteFloat = Field(ge=0, le=1, description="the balanced one, of best F1")
    threshold_validated: bool = Field(
        default=False,
        description="fitted on enough positives; else a guess that only sorts findings into lists",
    )
    flagged_from: FiniteFloat | None = Field(
        default=None,
        ge=0,
        le=1,
        description="the sensitive threshold of a worklist, which is to miss few; never above "
        "`threshold`, and null where a worklist does not flag the finding",
    )
    decision: Decision
    umbrella_of: tuple[str, ...] = Field(
        default=(), description="labels of this model that this finding includes"
    )
    variant: bool = Field(default=False, description="normal anatomy that is worth a word")
    cautions: tuple[Remark, ...] = Field(
        default=(), description="why this finding's number is to be doubted in this scan"
    )
    evidence: Evidence | None = Field(description="null for a network that has no evidence maps")

    @property
    def foci(self) -> tuple[Focus, ...]:
        """Where the evidence lies, strongest first; empty where the network cannot say."""
        return self.evidence.foci if self.evidence else ()

    @property
    def only_flagged(self) -> bool:
        """A worklist flags it, and this report does not call it present: both must say so."""
        decided = self.decision in (Decision.ABSENT, Decision.INDETERMINATE)
        return decided and self.flagged_from is not None and self.probability >= self.flagged_from


class NotCovered(Part):
    """A finding that this model was never taught: its absence here says nothing."""

    name: str
    group: str
    urgent: bool = False
    note: str = ""


class ScanReport(Part):
    """The whole content of a report on one scan."""

    schema_version: str = SCHEMA_VERSION
    status: Status
    intended_use: str = INTENDED_USE
    probability_meaning: str = PROBABILITY_MEANING
    created: str = Field(description="ISO 8601, UTC")
    scan: Scan
    geometry: Geometry | None = Field(description="null when the scan could not be read")
    quality: Quality
    model: Model
    findings: tuple[Finding, ...] = Field(description="in the model's order; none when refused")
    not_covered: tuple[NotCovered, ...] = ()
    text_report: TextReport | None = Field(
        default=None, description="only where the radiologist's own report was given"
    )
    draft: str = Field(default="", description="findings in plain text: a draft, unverified")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {self.schema_version!r}, not {SCHEMA_VERSION!r}")
        if self.intended_use != INTENDED_USE or self.probability_meaning != PROBABILITY_MEANING:
            raise ValueError("intended_use and probability_meaning are fixed sentences")
        if self.status is Status.REFUSED and (self.findings or self.text_report or self.draft):
            raise ValueError("a refused scan has no findings")
        if self.status is Status.READ and not self.quality.in_scope:
            raise ValueError("an out-of-scope scan is refused")
        if self.status is Status.REFUSED and not self.quality.reasons:
            raise ValueError("a refused scan has its reasons")
        person = (self.scan.patient_id, self.scan.accession, self.scan.date, self.scan.sex)
        if not self.scan.identified and any(value is not None for value in person):
            raise ValueError("a report that is not identified names no person")
        return self

    def having(self, decision: Decision) -> tuple[Finding, ...]:
        """The findings with this decision, most probable first."""
        found = (finding for finding in self.findings if finding.decision is decision)
        return tuple(sorted(found, key=lambda finding: -finding.probability))


def percent(probability: float) -> str:
    """A probability as the reader sees it: whole per cents, never 0 or 100.

    >>> [percent(p) for p in (0.0, 0.004, 0.347, 0.999)]
    ['<1 %', '<1 %', '35 %', '>99 %']
    """
    if probability < 0.01:
        return "<1 %"
    if probability > 0.99:
        return ">99 %"
    return f"{probability * 100:.0f} %"


MARK = "*"
"""Behind a percentage that stands on too few validation cases; every form says what it means."""


def marked(probability: float, *, trusted: bool) -> str:
    """A percentage, with a mark where nothing stands behind it but a guess.

    >>> marked(0.93, trusted=False), marked(0.93, trusted=True)
    ('93 %*', '93 %')
    """
    return percent(probability) + ("" if trusted else MARK)


if __name__ == "__main__":  # the published schema: docs/report.schema.json
    import json

    print(json.dumps(ScanReport.model_json_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - it is the output
