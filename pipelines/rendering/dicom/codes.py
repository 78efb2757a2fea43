"""The codes in a report's DICOM objects: the standard's own where it has the term, else private.

Public terms are those that PS3.16 itself lists, so that their meaning is certain and DICOM's
licence for SNOMED CT covers them (a test holds them against pydicom's dictionary of the standard).
"""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.coding import Code

from model.calibration import CalibrationState
from pipelines.rendering.content import Decision, Finding, Side, Zone

SCHEME = "99CHESTCT"
_LONGEST_MEANING = 64

FINDINGS: Mapping[str, Code] = {
    "aortic dissection": Code("308546005", "SCT", "Dissection of aorta"),
    "cirrhosis": Code("19943007", "SCT", "Cirrhosis of liver"),
    "coronary artery disease": Code("53741008", "SCT", "Coronary Artery Disease"),
    "fibrosis": Code("112674009", "SCT", "Fibrosis"),
    "ground glass opacity": Code("112120", "DCM", "Ground glass opacity"),
    "gynecomastia": Code("4754008", "SCT", "Gynecomastia"),
    "heart failure": Code("84114007", "SCT", "Heart failure"),
    "hepatomegaly": Code("80515008", "SCT", "Large liver"),
    "lymphadenopathy": Code("30746006", "SCT", "Lymphadenopathy"),
    "mass": Code("4147007", "SCT", "Mass"),
    "nodule": Code("27925004", "SCT", "Nodule"),
    "pericardial effusion": Code("373945007", "SCT", "Pericardial effusion"),
    "pleural effusion": Code("60046008", "SCT", "Pleural effusion"),
    "pneumothorax": Code("36118008", "SCT", "Pneumothorax"),
    "pulmonary edema": Code("19242006", "SCT", "Pulmonary edema"),
    "pulmonary embolism": Code("59282003", "SCT", "Pulmonary embolism"),
    "pulmonary hypertension": Code("70995007", "SCT", "Pulmonary hypertension"),
    "thyroid nodule": Code("237495005", "SCT", "Thyroid Nodule"),
}
"""By a label's words in lower case. A label that says more or less than a term is not here."""

SIDES: Mapping[Side, Code] = {
    Side.RIGHT: Code("24028007", "SCT", "Right"),
    Side.LEFT: Code("7771000", "SCT", "Left"),
    Side.BOTH: Code("51440002", "SCT", "Bilateral"),
}
THORAX = Code("816094009", "SCT", "Thorax")
NO_UNITS = Code("1", "UCUM", "no units")
SPATIAL_CONCEPT = Code("309825002", "SCT", "Spatial and Relational Concept")


def _private(value: str, meaning: str) -> CodedConcept:
    assert len(value) <= 16
    return CodedConcept(value, SCHEME, meaning[:_LONGEST_MEANING])


PROBABILITY = _private("PROBABILITY", "Chance that a training-site report states the finding")
THRESHOLD = _private("THRESHOLD", "Probability from which the finding counts as present")
LOGIT = _private("LOGIT", "Logit of the network before calibration")
SHARE = _private("SHARE", "Share of the evidence for the finding")
DECISION = _private("DECISION", "Decision of the network")
CALIBRATION = _private("CALIBRATION", "Calibration of the probability")
ZONE = _private("ZONE", "Third of the height of the lungs")
PLACE = _private("PLACE", "Whether the place lies in the body")
IN_BODY = {True: _private("IN_BODY", "In the body"), False: _private("OUT_OF_BODY", "Outside it")}
STRONGEST = _private("STRONGEST", "Whether the strongest evidence lies in the body")
EVIDENCE = _private("EVIDENCE", "Region that a network drew evidence from")
EVIDENCE_FOR = _private("EVIDENCE_FOR", "Finding that the region spoke for")
INTENDED_USE = _private("INTENDED_USE", "Intended use")
MEANING = _private("MEANING", "What a probability means")
CAUTION = _private("CAUTION", "Caution")
NOT_COVERED = _private("NOT_COVERED", "Findings that the network was never taught")

CALIBRATIONS: Mapping[CalibrationState, CodedConcept] = {
    CalibrationState.FITTED: _private("FITTED", "Calibrated"),
    CalibrationState.FEW_CASES: _private("FEW_CASES", "Calibrated on few cases: a rank"),
    CalibrationState.NONE: _private("UNCALIBRATED", "Not calibrated: a rank"),
}
DECISIONS: Mapping[Decision, Code | CodedConcept] = {
    Decision.PRESENT: Code("52101004", "SCT", "Present"),
    Decision.ABSENT: Code("272519000", "SCT", "Absent"),
    Decision.INDETERMINATE: Code("82334004", "SCT", "Indeterminate"),
    Decision.NOT_ASSESSABLE: _private("NOT_ASSESSABLE", "Not assessable without contrast"),
}
ZONES: Mapping[Zone, CodedConcept] = {
    Zone.UPPER: _private("UPPER", "Upper third"),
    Zone.MIDDLE: _private("MIDDLE", "Middle third"),
    Zone.LOWER: _private("LOWER", "Lower third"),
    Zone.ALL: _private("ALL_ZONES", "All thirds"),
}


def finding_code(finding: Finding) -> CodedConcept:
    """The standard's code for a label, or a private one that is the same in every report."""
    words = finding.label.rpartition(":")[2].replace("_", " ").lower()
    if words in FINDINGS:
        return CodedConcept.from_code(FINDINGS[words])
    digest = hashlib.sha256(finding.label.encode("utf-8", "surrogatepass")).hexdigest()
    return _private(f"L{digest[:12].upper()}", finding.name)


def coding_schemes() -> list[CodingSchemeIdentificationItem]:
    """Names the private scheme (PS3.3 C.12.1.1.1)."""
    return [
        CodingSchemeIdentificationItem(
            SCHEME,
            name="chestct",
            version=version("chestct"),
            responsible_organization="chestct (docs/dicom.md)",
        )
    ]
