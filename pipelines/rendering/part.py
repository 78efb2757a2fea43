"""What every part of a report's content has in common."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of the report: closed, immutable, without NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
