"""UIDs that follow from what a report says, so that the same report is the same objects."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pydicom.uid import UID

from pipelines.rendering.content import ScanReport

_SPACE = uuid.UUID("5f7c3a52-70c5-4b7d-9c53-2a4c6ff1d0f4")
_DIGITS = 6  # as exact as the forms agree with one another


@dataclass(frozen=True, slots=True)
class Uids:
    """A UID for every role in one report's objects (PS3.5 B.2: a UUID under 2.25)."""

    content_sha256: str

    @classmethod
    def of(cls, report: ScanReport) -> "Uids":
        """From all that the objects say but the time at which it was said."""
        said_elsewhere = {"created", "text_report", "draft"}
        content = _rounded(report.model_dump(mode="json", exclude=said_elsewhere))
        text = json.dumps([version("chestct"), content], sort_keys=True)
        return cls(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())

    def of_role(self, role: str) -> UID:
        """The UID of one object, series or tracked thing, by a name for its role."""
        return UID(f"2.25.{uuid.uuid5(_SPACE, f'{self.content_sha256} {role}').int}")


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return round(content, _DIGITS)
    if isinstance(content, dict):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return content
