"""Whether the volumes of a run fit into memory, asked before hours are spent."""

from pathlib import Path

import psutil

from configs.contracts import InputError
from configs.profile import Profile

_CGROUP = Path("/sys/fs/cgroup")
_BYTES_A_VOXEL = 2
_SHARE = 0.8  # the rest is for everything else


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


def too_little(batch_size: int) -> InputError:
    """What to say where a step found no memory."""
    return InputError(
        f"a step of {batch_size} scans needs more memory than the device has; lower batch_size, "
        "set gradient_checkpointing: true, or train a smaller profile"
    )
