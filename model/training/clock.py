"""The time that a run takes: over its interruptions, and within an epoch."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Minutes of a run since its beginning, pauses left out, and the speed of its epoch."""

    def __init__(self) -> None:
        self.scans = 0
        """Scans taken in this epoch."""
        self.start(0.0)

    def start(self, minutes: float) -> None:
        """Go on after so many minutes."""
        self._began = time.monotonic() - 60 * minutes
        self.saved()
        self.new_epoch()

    def new_epoch(self) -> None:
        """Measure speed from here."""
        self._epoch_began, self._waited, self.scans = time.monotonic(), 0.0, 0

    def saved(self) -> None:
        """A checkpoint is written."""
        self._saved = time.monotonic()

    def minutes(self) -> float:
        """Minutes since the beginning."""
        return (time.monotonic() - self._began) / 60

    def epoch_minutes(self) -> float:
        """Minutes since the epoch began."""
        return (time.monotonic() - self._epoch_began) / 60

    def minutes_since_saved(self) -> float:
        """Minutes since the last checkpoint."""
        return (time.monotonic() - self._saved) / 60

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count what passes meanwhile as waiting for volumes.

        Each step ends when the device has computed its loss, so the device waits as well.
        """
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    def speed(self) -> tuple[float, float]:
        """Scans a second, and the share of time waited for volumes, over this epoch."""
        took = max(time.monotonic() - self._epoch_began, 1e-9)
        return self.scans / took, self._waited / took
