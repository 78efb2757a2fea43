"""Training: from a cohort's arrays and labels to a network, on one device or many, resumable."""

from model.training.failure import Paused, TrainingError
from model.training.fit import Fitted, Member, check_parts, fit
from model.training.history import Epoch, Step, Watcher

__all__ = [
    "Epoch",
    "Fitted",
    "Member",
    "Paused",
    "Step",
    "TrainingError",
    "Watcher",
    "check_parts",
    "fit",
]
