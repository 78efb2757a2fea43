"""What an output folder holds of an earlier report: replaced by one of the same scan alone."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import files
from configs.contracts import INTENDED_USE, InputError
from pipelines.rendering.reading import Reading

FACT = "scan"
"""Where run.json keeps which scan the report is of, in hashes."""
_FORMS = ("report.json", "report.html", "report.pdf", "over_time.json", "over_time.html")


@dataclass(frozen=True, slots=True)
class Named:
    """Which scan a report is of, as a hash: it tells scans apart and names none."""

    content: str = ""
    """Of study and series, or of the bytes of a volume file; empty where it could not be read."""
    path: str = ""
    """Only where there is no content: folder names are few enough to be guessed."""

    @classmethod
    def of(cls, scan: Path, reading: Reading) -> "Named":
        """The name of a scan that was read, or of its path where it could not be."""
        if reading.volume is None:
            return cls(path=_hashed(str(scan.resolve())))
        source = reading.volume.source
        series = f"{source.study_uid}\0{reading.volume.series_uid}"
        return cls(_hashed(series if source.study_uid else source.sha256))

    @classmethod
    def recorded(cls, record: Any) -> "Named | None":
        """The scan that a run.json is of; None where it does not say."""
        found = record.get(FACT) if isinstance(record, dict) else None
        if not isinstance(found, dict):
            return None
        content = str(found.get("content") or "")
        return cls(content, "" if content else str(found.get("path") or ""))

    def facts(self) -> dict[str, Any]:
        """For run.json."""
        return {FACT: {"content": self.content} if self.content else {"path": self.path}}


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def check_ours(out: Path) -> None:
    """Raise InputError for files of such names that `report` did not leave: never replaced."""
    if (out / "run.json").exists():  # which another verb's is refused by
        return
    if (foreign := next(_forms(out), None)) and not _unfinished(out):
        raise InputError(
            f"{foreign}: not known to be a report of chestct, so it is not replaced; move it away "
            "or choose another --out"
        )


def check_same(out: Path, named: Named, reading: Reading, *, restart: bool) -> None:
    """Raise InputError where a report of another scan, or maybe of another, would be replaced.

    A path alone says little: one folder may hold scan after scan. So a scan that cannot be read
    takes the place of no report of one that was.
    """
    if restart or not next(_forms(out), None):
        return
    record, unfinished = out / "run.json", _unfinished(out) or {}
    known = Named.recorded(files.read_json(record)) if record.exists() else None
    source, held = reading.content.scan.source_sha256, unfinished.get("source_sha256")
    if named == known or (source and source == held):
        return
    another = named.content and known.content if known else source and held
    whose = "the report of another scan" if another else "a report not known to be of this scan"
    raise InputError(
        f"{out}: holds {whose}, which is left as it is; choose another --out, or replace it with "
        "--restart"
    )


def clear(out: Path) -> None:
    """Remove an earlier report, so that never another scan's numbers stand beside this one's."""
    for path in _forms(out):
        path.unlink()


def _unfinished(out: Path) -> dict[str, Any] | None:
    """What an interrupted run's report.json says of its scan; None where it is none of ours."""
    try:
        found = files.read_json(out / "report.json")
    except (InputError, OSError):
        return None
    if not isinstance(found, dict) or found.get("intended_use") != INTENDED_USE:
        return None
    scan = found.get("scan")
    return scan if isinstance(scan, dict) else None


def _forms(out: Path) -> Iterator[Path]:
    yield from (path for name in _FORMS if (path := out / name).exists())
    yield from sorted((out / "dicom").glob("*.dcm"))
