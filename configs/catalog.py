"""Every typed loader of the data in this package, in one place."""

from configs.anatomy import load_anatomy
from configs.convention import load_convention
from configs.cue import load_cues
from configs.finding import load_findings
from configs.profile import load_profile
from configs.training import load_train

__all__ = [
    "load_anatomy",
    "load_convention",
    "load_cues",
    "load_findings",
    "load_profile",
    "load_train",
]
