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
    """Which scan a report is of, as hashes: they tell scans apart and name none."""

    path: str
    content: str = ""
    """Of study and series, or of the bytes of a volume file; empty where it could not be read."""

    @classmethod
    def of(cls, scan: Path, reading: Reading) -> "Named":
        """The name of a scan that was read, or of its path where it could not be."""
        path = _hashed(str(scan.resolve()))
        if reading.volume is None:
            return cls(path)
        source = reading.volume.source
        series = f"{source.study_uid}\0{reading.volume.series_uid}"
        return cls(path, _hashed(series if source.study_uid else source.sha256))

    def facts(self) -> dict[str, Any]:
        """For run.json."""
        return {FACT: {"path": self.path, "content": self.content}}

    def is_of(self, record: Any) -> bool:
        """Whether a run.json is of this scan; one that does not say so is not known to be."""
        earlier = record.get(FACT) if isinstance(record, dict) else None
        if not isinstance(earlier, dict):
            return False
        if self.content and earlier.get("content"):
            return bool(self.content == earlier["content"])
        return bool(self.path == earlier.get("path"))


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
    """Raise InputError where a report of another scan would be replaced unasked."""
    record, unfinished = out / "run.json", _unfinished(out)
    source = reading.content.scan.source_sha256
    if (
        restart
        or not next(_forms(out), None)
        or (record.exists() and named.is_of(files.read_json(record)))
        or (unfinished is not None and source and source == unfinished.get("source_sha256"))
    ):
        return
    raise InputError(
        f"{out}: holds the report of another scan, which is left as it is; choose another --out, "
        "or replace it with --restart"
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
