"""What an archive answered to one file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file at one destination. `detail` is ours: never the archive's words or a tag's value."""

    path: Path
    stored: bool
    detail: str = ""
