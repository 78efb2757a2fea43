"""A training recipe, as the user writes it in configs/train/*.yaml."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from configs.contracts import InputError
from configs.yaml_file import load_yaml

RECIPES = Path(__file__).parent / "train"
"""The recipes that come with chestct."""

RECIPES = Path(__file__).parent / "train"
"""The recipes that come with the package, one YAML file each."""

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelPolicy(_Section):
    """What a label that is neither 1 nor 0 teaches. A weight of 0 leaves it out of the loss."""

    blank_weight: Share = 1.0
    """Weight of a label the report does not mention, taken as absent."""
    uncertain_weight: Share = 0.0
    """Weight of an uncertain label."""
    uncertain_target: Share = 0.5
    """What an uncertain label is taken as, where its weight is not 0."""


class Augmentation(_Section):
    """Random changes that leave a chest a chest. Never flips along z or front to back."""

    rotation_deg: NotNegative = 8.0
    scale: Share = 0.08
    """Zoom by 1 ± scale, drawn per axis."""
    shift: Share = 0.06
    """Move by up to this share of the grid, along each axis."""
    flip_left_right: Share = 0.0
    """How often left and right are swapped; keep 0 where a label has a side."""
    hu_shift: NotNegative = 15.0
    """HU added to the whole volume, standard deviation."""
    hu_scale: Share = 0.03
    """Factor on HU + 1000 of 1 ± hu_scale, standard deviation."""
    noise_hu: NotNegative = 20.0
    """Largest standard deviation of added noise."""
    blur: Share = 0.2
    """How often a volume is smoothed over neighbouring voxels, as a softer kernel would."""
    thick_slices: Share = 0.1
    """How often pairs of slices are averaged."""


class TrainConfig(_Section):
    """One training run: what is learned, by which network, how long, and from which labels."""

    profile: str = "tiny"
    """The profile that the store was prepared with."""
    network: Literal["additive", "resnet3d", "ctnet83", "axialnet"] = "additive"
    size: str | None = None
    """Width and depth of the network by name; default: the profile's."""
    start: str | None = None
    """A file of weights that the trunk starts from: a stock ResNet's state dict (`size: video`, or
    a network over slices), or an earlier bundle's weights.safetensors. Default: fresh weights."""
    epochs: Count = 30
    max_minutes: Positive | None = None
    """Ends the schedule early by the clock; runs that hit it are not repeatable bit by bit."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    """Scans a step; batch norm needs two."""
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.05
    warmup: Share = 0.1
    """Share of the schedule in which the rate rises; then it falls along a cosine."""
    label_smoothing: Share = 0.03
    max_pos_weight: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    """Positives weigh sqrt(negatives / positives), within 1 and this."""
    ema_decay: Share = 0.995
    gradient_clip: Positive = 1.0
    patience: Count | None = None
    """Validations without a better macro AUROC after which training stops."""
    margin: Share = 0.0
    """A later epoch replaces the kept one unless its macro AUROC is lower by more than this: on a
    few dozen validation scans the highest of many is mostly luck."""
    validate_every: Count = 1
    """Epochs between validations; the last epoch is always validated."""
    bf16: bool = True
    """Mixed precision in bfloat16; evidence and loss stay float32."""
    labels: LabelPolicy = LabelPolicy()
    augmentation: Augmentation = Augmentation()
    seed: Annotated[int, Field(ge=0)] = 0
    threads: Count | None = None
    """CPU threads of one process; default: PyTorch's choice."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read the store; 0 reads in the training process."""
    in_memory: bool = True
    """Read every volume once and keep it in memory (tiny: 0.5 MiB a volume)."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Count = 1


def load_train(path: Path, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """Read a recipe; `overrides` replaces fields, `section.field` within a section.

    Raises InputError naming file and line, or the override, that is wrong.
    """
    config = load_yaml(path, TrainConfig)
    if not overrides:
        return config
    content = config.model_dump()
    for name, value in overrides.items():
        section, _, field = name.rpartition(".")
        target = content.get(section) if section else content
        if not isinstance(target, dict) or field not in target:
            raise InputError(f"{name!r} is not a field of the train config ({path})")
        target[field] = value
    try:
        return TypeAdapter(TrainConfig).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{place}: {first['msg']} (override of {path})") from None
