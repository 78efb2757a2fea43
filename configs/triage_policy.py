"""A triage policy: how much a finding's wait costs; `triage/*.yaml` or a site's own."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from configs.contracts import InputError
from configs.finding import load_findings
from configs.yaml_file import load_yaml

_FOLDER = Path(__file__).parent / "triage"

HIGHEST_WEIGHT = 100.0

Weight = Annotated[float, Field(gt=0, le=HIGHEST_WEIGHT, allow_inf_nan=False)]


class TriagePolicy(BaseModel):
    """Weights by finding, and how far sensitivity and waiting count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = ""
    sensitivity: Annotated[float, Field(gt=0, lt=1)]
    """The share of validation scans with a finding that its threshold must catch."""
    max_wait_hours: Annotated[float, Field(gt=0, le=24 * 365, allow_inf_nan=False)]
    """After so long a scan without any flag ranks as high as the most urgent new one."""
    urgent_weight: Weight
    """From here on a finding is urgent: it flags a scan, and is named where no label has it."""
    flagged_first: bool = False
    """Every flagged scan stands before every other that is not overdue, whatever their points."""
    findings: Annotated[dict[str, Weight], Field(min_length=1)]
    """Weight by the ontology's finding id."""

    @model_validator(mode="after")
    def _known_findings(self) -> Self:
        if unknown := sorted(self.findings.keys() - load_findings().keys()):
            raise ValueError(f"findings: no finding {unknown[0]!r} in configs/findings")
        return self

    @property
    def urgent(self) -> tuple[str, ...]:
        """The urgent findings, heaviest first.

        >>> load_triage_policy("default").urgent[0]
        'aortic_dissection'
        """
        heavy = [f for f, weight in self.findings.items() if weight >= self.urgent_weight]
        return tuple(sorted(heavy, key=lambda finding: -self.findings[finding]))


def triage_policy_names() -> list[str]:
    """The policies that come with the package.

    >>> triage_policy_names()
    ['default']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_triage_policy(name: str) -> TriagePolicy:
    """Load a packaged policy by its name, or a site's own by the path of its YAML file.

    Raises InputError with file, line and what is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        return load_yaml(Path(name), TriagePolicy)
    if name not in triage_policy_names():
        raise InputError(
            f"no triage policy {name!r}; there are {', '.join(triage_policy_names())}, "
            "or name a .yaml file"
        )
    return load_yaml(_FOLDER / f"{name}.yaml", TriagePolicy)
