"""Signals that end watching, and leave what comes before and after it whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Self

_ENDING = (signal.SIGINT, signal.SIGTERM)


class EndingSignals:
    """SIGTERM ends as Ctrl-C does, and so does Ctrl-C where a shell had it ignored (`&`, nohup).

    The first that comes within `interrupting` ends that block; any other is only noted, so that
    the list and its record are written. Use as a context manager; nothing happens unless `taken`.
    """

    def __init__(self, *, taken: bool) -> None:
        self.came = False
        self._taken = taken
        self._interrupts = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if self._taken:
            with suppress(ValueError):  # not the main thread: signals go elsewhere
                for number in _ENDING:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Until the first signal, which ends the block and goes no further."""
        try:
            self._interrupts = True
            yield
        except KeyboardInterrupt:
            pass
        finally:
            self._interrupts = False

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
