"""Reports to facts to labels."""

from labeler.fact import Fact, ReportLabels
from labeler.labeler import Labeler, load_labeler

__all__ = ["Fact", "Labeler", "ReportLabels", "load_labeler"]
