"""A training recipe: the typed, documented form of configs/train/*.yaml."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from configs.contracts import InputError
from configs.yaml_file import load_yaml

RECIPES = Path(__file__).parent / "train"
"""The recipes that come with the package, one YAML file each."""

_ALIKE = 0.75  # "lr" shall not be taken for "blur"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelPolicy(_Section):
    """What a label that is neither 1 nor 0 teaches. A weight of 0 leaves it out of the loss."""

    blank_weight: Share | None = None
    """Weight of a label the report does not mention, taken as absent. None: one of .5, .75 and 1,
    by the validation AUROC of the regional reading; 1 for a network that has none."""
    uncertain_weight: Share = 0.0
    """Weight of an uncertain label."""
    uncertain_target: Share = 0.5
    """What an uncertain label is taken as, where its weight is not 0."""
    not_assessable_weight: Share = 0.0
    """Weight of a label that is blank because the examination could not show it, taken as absent.
    The facts beside the label table tell it from one that the report does not mention."""
    soft_labels: Literal["fill", "replace"] = "fill"
    """Where soft labels count: `fill` where the label is blank or uncertain, `replace` wherever
    there is one. The target is their probability, the weight their confidence."""


class Augmentation(_Section):
    """Random changes that leave a chest a chest. Never flips along z or front to back."""

    rotation_deg: NotNegative = 8.0
    scale: Share = 0.08
    """Zoom by 1 ± scale, drawn per axis."""
    shift: Share = 0.06
    """Move by up to this share of the grid, along each axis."""
    elastic: Annotated[float, Field(ge=0, le=0.05)] = 0.0
    """Bend by up to this share of the grid, smoothly between 4x4x4 points."""
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
    sharpen: Share = 0.0
    """How often it is sharpened instead, as a harder kernel would."""
    thick_slices: Share = 0.1
    """How often pairs of slices are averaged."""

    @model_validator(mode="after")
    def _one_kernel(self) -> Self:
        if self.blur + self.sharpen > 1:
            raise ValueError("blur and sharpen together exceed 1: a volume has one kernel")
        return self


class TrainConfig(_Section):
    """One training run: what is learned, by which network, how long, and from which labels."""

    profile: str = "tiny"
    """The profile that the store was prepared with."""
    network: Literal["additive", "resnet3d", "ctnet83", "axialnet"] = "additive"
    size: str | None = None
    """Width and depth of the network by name; default: the profile's."""
    norm: Literal["batch", "group"] = "batch"
    """Normalisation. Over several processes batch norm is synchronised, which needs GPUs."""
    start_weights: str | None = None
    """What the trunk starts from. Weights (.safetensors, .pt): a stock ResNet's state dict, for
    `size: video` and the slice networks, or an earlier bundle's. Features (.npz, .parquet): an
    external encoder's, one row a `volume_id`, which the trunk first learns to imitate."""
    seeds: tuple[Seed, ...] = (0,)
    """One network a seed, all in one bundle: its logits and maps are their averages."""

    epochs: Count = 30
    max_minutes: Positive | None = None
    """Ends the schedule early by the clock; runs that hit it are not repeatable bit by bit."""
    batch_size: Annotated[int, Field(ge=2)] = 16
    """Scans a step, over all devices together; batch norm needs two."""
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
    labels: LabelPolicy = LabelPolicy()
    augmentation: Augmentation = Augmentation()
    on_nan: Literal["stop", "skip"] = "stop"
    """At a loss or gradient that is not a number: stop, or skip that step and stop at a second
    one in a row. The message names volume, label or layer either way."""

    checkpoint_steps: Count | None = None
    """Steps after which the run's state is written, beside every end of an epoch."""
    checkpoint_minutes: Positive = 15.0
    """Minutes after which it is written at the latest."""
    logger: Literal["csv", "tensorboard", "mlflow", "wandb"] = "csv"
    """Where figures go besides history.csv, which is always written."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Count | Literal["auto"] = 1
    """Processes on each machine, one a device. Under torchrun or srun theirs count."""
    nodes: Count = 1
    """Machines. Under torchrun or srun theirs count."""
    bf16: bool = True
    """Mixed precision in bfloat16; evidence and loss stay float32."""
    channels_last: bool = True
    """Keep weights and activations channel by channel of each voxel."""
    compile: bool = False
    """Compile the network with torch.compile: slow to start, faster steps on a GPU."""
    gradient_checkpointing: bool = False
    """Compute activations again on the way back: about a third slower, much less memory."""
    threads: Count | None = None
    """CPU threads of one process; default: PyTorch's choice."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that read the store, for each device; 0 reads in the training process."""
    in_memory: bool = True
    """Read every volume once and keep it in memory (tiny: 0.5 MiB a volume)."""

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: name at least one, and each once")
        if self.in_memory and self.workers:
            raise ValueError(
                "in_memory and workers contradict each other: each worker would keep a copy; "
                "set in_memory: false or workers: 0"
            )
        if self.compile and self.gradient_checkpointing:
            raise ValueError("compile and gradient_checkpointing cannot be combined; set one")
        several = self.nodes > 1 or (self.devices != "auto" and self.devices > 1)
        if several and self.accelerator == "cpu" and self.norm == "batch":
            raise ValueError(
                "norm: batch over several CPU processes is impossible (synchronised batch norm "
                "needs GPUs); set norm: group or devices: 1"
            )
        return self


def recipes_for(profile: str) -> list[str]:
    """The package's recipes that train on a profile's stores.

    >>> recipes_for("tiny"), recipes_for("no such")
    (['demo', 'quick'], [])
    """
    wanted = f"profile: {profile}"
    return sorted(
        path.stem
        for path in RECIPES.glob("*.yaml")
        if wanted in path.read_text(encoding="utf-8").splitlines()
    )


def find_recipe(path: Path) -> Path:
    """A recipe's file: `path`, or the package's own recipe of that name, wherever one stands.

    `small` and `configs/train/small.yaml` both name a recipe of the package. Raises InputError
    where there is neither.
    """
    if path.is_file():
        return path
    own = RECIPES / f"{path.stem}.yaml"
    if own.is_file() and path in (Path(path.stem), Path("configs/train") / own.name):
        return own
    known = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.yaml")))
    raise InputError(f"{path}: no such file, and no recipe of the package: there are {known}")


def load_train(path: Path, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """Read a recipe; `overrides` replaces fields, `section.field` within a section.

    Raises InputError naming file and line, or the override, that is wrong.
    """
    path = find_recipe(path)
    config = load_yaml(path, TrainConfig)
    if not overrides:
        return config
    content = config.model_dump()
    for name, value in overrides.items():
        if isinstance(fields := content.get(name), dict):
            raise InputError(
                f"--override {name}: a section; set its fields one by one, such as "
                f"{name}.{next(iter(fields))}"
            )
        section, _, field = name.rpartition(".")
        target = content.get(section) if section else content
        if not isinstance(target, dict) or field not in target:
            raise InputError(
                f"--override {name}: {name!r} is not a field of the train config"
                + _nearest(name, content)
            )
        target[field] = value
    try:
        return TypeAdapter(TrainConfig).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "tuple_type":
            message = "expected a list, such as [0, 1, 2]"
        told = f"{place}: {message}" if place else message
        raise InputError(f"{told} (override of {path})") from None


def _nearest(name: str, content: dict[str, Any]) -> str:
    """The field that was probably meant, as the end of a sentence."""
    fields = [field for field, value in content.items() if not isinstance(value, dict)]
    for section, inner in content.items():
        if isinstance(inner, dict):
            fields += [f"{section}.{field}" for field in inner]
    ends = {field.rpartition(".")[2]: field for field in fields}
    near = get_close_matches(name, fields, 1) or [
        ends[end] for end in get_close_matches(name.rpartition(".")[2], ends, 1, _ALIKE)
    ]
    return f"; did you mean {near[0]!r}?" if near else ""
