"""Any scan to a trusted HU volume, or a named refusal; and the store of prepared ones. No torch."""

from model.volumes.volume import Source, Volume, VolumeError, VolumeReason

__all__ = ["Source", "Volume", "VolumeError", "VolumeReason"]
