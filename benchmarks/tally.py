"""What a proof of `robustness` counts, and where it works."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Tally:
    """What one proof found."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    most_mb: float = 0.0

    def note(self, outcome: str, *, wrong: str = "") -> None:
        """Count a case, and say what was wrong about it."""
        self.cases += 1
        self.outcomes[outcome] += 1
        if wrong:
            self.wrong.append(wrong)

    def add(self, part: "Tally") -> None:
        """Count in what another process found."""
        self.cases += part.cases
        self.outcomes += part.outcomes
        self.wrong += part.wrong
        self.slowest = max(self.slowest, part.slowest)
        self.most_mb = max(self.most_mb, part.most_mb)


@dataclass(frozen=True, slots=True)
class Setting:
    """How much is tried, and where."""

    share: float
    seed: int
    folder: Path
    corpus: Path

    def count(self, full: int) -> int:
        """How many of the full number of cases."""
        return max(1, round(full * self.share))


@contextmanager
def fresh(setting: Setting) -> Iterator[Path]:
    """A new folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(dir=setting.folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
