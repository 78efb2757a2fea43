"""Any scan to a trusted HU volume, or a named refusal; and the store of prepared ones. No torch."""

from model.volumes.assess import Assessment, AssessReason, assess
from model.volumes.find import Candidate, Refused, find_volumes, read_volume
from model.volumes.volume import Source, Volume, VolumeError, VolumeReason

__all__ = [
    "AssessReason",
    "Assessment",
    "Candidate",
    "Refused",
    "Source",
    "Volume",
    "VolumeError",
    "VolumeReason",
    "assess",
    "find_volumes",
    "read_volume",
]
