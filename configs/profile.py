"""A profile: the grid every volume is brought to, for training and for reports alike."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs.contracts import InputError

_FOLDER = Path(__file__).parent / "profiles"

Size = Annotated[int, Field(ge=8, le=1024)]
Millimetres = Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)]


class Profile(BaseModel):
    """The prepared grid: its size in voxels, its spacing, and the margin kept around the lungs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    grid_zyx: tuple[Size, Size, Size]
    spacing_mm_zyx: tuple[Millimetres, Millimetres, Millimetres]
    margin_mm: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]

    @property
    def extent_mm_zyx(self) -> tuple[float, float, float]:
        """The edge lengths of the grid's box.

        >>> load_profile("small").extent_mm_zyx
        (320.0, 288.0, 384.0)
        """
        (z, y, x), (dz, dy, dx) = self.grid_zyx, self.spacing_mm_zyx
        return (z * dz, y * dy, x * dx)


def profile_names() -> list[str]:
    """The profiles that come with the package.

    >>> profile_names()
    ['base', 'compact', 'large', 'published', 'small', 'tiny']
    """
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_profile(name: str) -> Profile:
    """Load a packaged profile by its name, or one's own by the path of its YAML file.

    Raises InputError naming the file and the field that is wrong.
    """
    own = name.endswith((".yaml", ".yml"))
    path = Path(name) if own else _FOLDER / f"{name}.yaml"
    if not own and name not in profile_names():
        raise InputError(f"no profile {name!r}; there are {', '.join(profile_names())}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: cannot be read; give a profile's name or its file") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise InputError(f"{path}:{line}: not YAML") from None
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{path}: {field}: {first['msg']}") from None
