"""What the network said of one scan, kept as JSON; it knows no policy."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, FiniteFloat, ValidationError

from configs import files
from configs.contracts import InputError
from pipelines.rendering import finding_wording
from pipelines.rendering.content import Decision, Finding, Remark, Scan, ScanReport, Status
from pipelines.rendering.part import Part

RECORD_FORMAT: Literal[1] = 1


class Score(Part):
    """One label of the bundle in one scan."""

    label: str
    name: str
    probability: FiniteFloat = Field(ge=0, le=1)
    assessable: bool = Field(description="false where it needs contrast and the scan has none")
    place: str = Field(default="", description="of the strongest evidence: side and zone")
    slice: int | None = Field(default=None, description="source slice number, from the head")


class Record(Part):
    """A scan that was dealt with: read, or not read with its reasons."""

    format: Literal[1] = RECORD_FORMAT
    key: str
    status: Status
    scan: Scan
    reasons: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    warnings: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    page: str | None = Field(default=None, description="the scan's report, relative to the list")


def record_of(key: str, report: ScanReport, page: str | None = None) -> Record:
    """What a worklist needs of a report."""
    return Record(
        key=key,
        status=report.status,
        scan=report.scan,
        reasons=report.quality.reasons,
        notes=report.quality.notes,
        warnings=report.quality.warnings,
        scores=tuple(map(_score, report.findings)),
        page=page,
    )


def _score(finding: Finding) -> Score:
    first = finding.foci[0] if finding.foci else None
    return Score(
        label=finding.label,
        name=finding.name,
        probability=finding.probability,
        assessable=finding.decision is not Decision.NOT_ASSESSABLE,
        place=finding_wording.place(first) if first else "",
        slice=first.best_slice if first else None,
    )


def not_read(key: str, scan: Scan, code: str, meaning: str) -> Record:
    """The record of a scan that gave no probabilities."""
    return Record(
        key=key, status=Status.REFUSED, scan=scan, reasons=(Remark(code=code, meaning=meaning),)
    )


def record_path(out: Path, key: str) -> Path:
    """Where a scan's record lies."""
    return out / "scans" / f"{key}.json"


def write_record(out: Path, record: Record) -> None:
    """Keep a finished scan: it is not read again."""
    files.write_json(record_path(out, record.key), record.model_dump(mode="json"))


def finished(out: Path, key: str) -> Record | None:
    """The record that an earlier run left; None where there is none of this format."""
    try:
        return Record.model_validate(files.read_json(record_path(out, key)))
    except (InputError, ValidationError):
        return None


def name_of(identifier: str, *, identified: bool) -> str:
    """A UID, or its hash as it stands in an anonymous scan report."""
    if identified or not identifier:
        return identifier
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:16]
