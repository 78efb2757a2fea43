"""Any scan to a trusted HU volume, or a named refusal; and the store of prepared ones. No torch."""

from model.volumes.find import Candidate, Refused, find_volumes, read_volume
from model.volumes.volume import Source, Volume, VolumeError, VolumeReason

__all__ = [
    "Candidate",
    "Refused",
    "Source",
    "Volume",
    "VolumeError",
    "VolumeReason",
    "find_volumes",
    "read_volume",
]
