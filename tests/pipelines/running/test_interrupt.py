"""An interrupt in the middle of a deletion still ends the program."""

import subprocess
import sys

_PROGRAM = """
import signal, time
from pipelines.running.interrupt import keep_interrupts

class Deleted:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

class Broken:
    def __del__(self):
        raise ValueError("told")

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
keep_interrupts()
Broken()
try:
    Deleted()
    time.sleep(20)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_that_a_deletion_drops_comes_again() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "interrupted\n"
    assert "ValueError: told" in ran.stderr
    assert "KeyboardInterrupt" not in ran.stderr
