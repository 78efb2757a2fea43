"""Whether a run fits into memory: asked before hours are spent, and said where it does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from configs.contracts import InputError
from configs.profile import Profile
from configs.training import TrainConfig

_CGROUP = Path("/sys/fs/cgroup")
_BYTES_A_VOXEL = 2
_SHARE = 0.8  # the rest is for everything else
_NO_MEMORY = ("can't allocate memory", "not enough memory")
"""What PyTorch's CPU allocator says, as a plain RuntimeError."""


def check_memory(profile: Profile, volumes: int, processes: int) -> None:
    """Raise InputError where `in_memory: true` would need more than there is.

    Each process on the machine comes to keep every volume.
    """
    z, y, x = profile.grid_zyx
    needed = volumes * z * y * x * _BYTES_A_VOXEL * processes
    available = available_bytes()
    if needed > _SHARE * available:
        raise InputError(
            f"in_memory: {volumes} volumes of profile {profile.name} in {processes} processes take "
            f"{needed / 2**30:.1f} GiB and {available / 2**30:.1f} GiB are free; set in_memory: "
            "false and workers: 4 (--override in_memory=false --override workers=4)"
        )


def available_bytes() -> int:
    """What this process may still take: of the machine's memory, or its container's if less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - used))


@contextmanager
def memory_said(config: TrainConfig) -> Iterator[None]:
    """Where memory ends, or takes a process that reads the store: say which fields help.

    Raises InputError in place of what PyTorch raises then.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise _too_little(config) from None
    except MemoryError:
        held = "set in_memory: false, " if config.in_memory else ""
        raise InputError(
            "memory: this computer has no more of it for volumes or for a step of "
            f"{config.batch_size} scans; {held}lower workers or batch_size, or give more"
        ) from None
    except RuntimeError as error:
        if any(told in str(error) for told in _NO_MEMORY):
            raise _too_little(config) from None
        if "DataLoader worker" in str(error):
            raise InputError(
                f"workers: one of {config.workers} processes that read the store was ended from "
                "outside, mostly because memory or shared memory (/dev/shm) is full; lower "
                "workers or batch_size, or give a container more (docker run --shm-size 16g)"
            ) from None
        raise


def _too_little(config: TrainConfig) -> InputError:
    return InputError(
        f"a step of {config.batch_size} scans needs more memory than the device has; lower "
        "batch_size, set gradient_checkpointing: true, or train a smaller profile"
    )
