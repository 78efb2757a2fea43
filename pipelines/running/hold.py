"""One run at a time in an output folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.contracts import InputError


@contextmanager
def held(folder: Path, out: Path) -> Iterator[None]:
    """Hold a folder of the output folder `out`, or this itself; the lock ends with the process.

    Raises InputError while another run holds it. Where a file system has no locks for folders,
    such as NFS, nothing is held.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{out}: another run is at work here; wait, or choose another --out"
            ) from None
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
