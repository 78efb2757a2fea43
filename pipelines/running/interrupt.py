"""Ctrl-C that is never lost."""

import _thread
import sys
import threading
from typing import Any

_SECONDS = 0.01  # till the deletion that dropped it is over


def keep_interrupts() -> None:
    """Interrupt again where Python drops an interrupt: it came while an object was being deleted.

    An exception in `__del__` is printed and forgotten (https://docs.python.org/3/reference/
    datamodel.html#object.__del__), and libraries that compile thousands of patterns delete all the
    time.
    """
    sys.unraisablehook = _noticed


def _noticed(found: Any) -> None:
    if issubclass(found.exc_type, KeyboardInterrupt):
        threading.Timer(_SECONDS, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(found)
