"""A bundle: a folder with everything a prediction needs, `bundle.json` and `weights.safetensors`.

`model_card.md` beside them is for people alone.

JSON and plain tensors only: nothing in it can be executed.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from torch import Tensor, nn

from configs import files
from configs.contracts import InputError
from configs.profile import Profile
from model.calibration import Calibration
from model.card import ModelCard
from model.card_markdown import card_markdown
from model.ensemble import as_one
from model.evidence import map_affine
from model.networks import build_network
from model.networks.sizes import Size
from model.prediction import Prediction
from model.volumes.preprocess import PREPROCESS_VERSION, PreparedVolume
from model.volumes.volume import HuArray

BUNDLE_FORMAT = 3
CONVENTION_NAME = "[a-z0-9_]+"
"""What a convention may be called in a label of a bundle, `convention:label`; a pattern."""

_JSON, _WEIGHTS, _CARD = "bundle.json", "weights.safetensors", "model_card.md"


@dataclass(frozen=True, slots=True)
class Member:
    """One of the networks that a bundle averages."""

    seed: int = 0
    macro_auroc: float | None = None
    """On validation, alone."""
    epoch: int | None = None
    """That was kept, from 1; 0 is the start."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A trained network with its preprocessing, labels, calibration and model card.

    `labels` are `convention:label`, in the order of every per-label array. `network` is one
    network, or the average of those of several seeds (`members`).
    """

    profile: Profile
    network_name: str
    size: Size
    labels: tuple[str, ...]
    calibrations: tuple[Calibration, ...]
    card: ModelCard
    network: nn.Module = field(repr=False)
    members: tuple[Member, ...] = (Member(),)
    """The networks that `network` averages."""

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or len(self.labels) != len(self.calibrations):
            raise ValueError("labels must be unique, with one calibration each")

    @property
    def has_evidence(self) -> bool:
        """True when predictions carry maps."""
        return hasattr(self.network, "evidence")

    def predict(self, prepared: PreparedVolume) -> Prediction:
        """Logits, probabilities and evidence; raises InputError on a volume of another profile."""
        if prepared.profile != self.profile:
            raise InputError(
                f"the scan was prepared for profile {prepared.profile.name!r}, the bundle wants "
                f"{self.profile.name!r}"
            )
        hu_bzyx = _batch([prepared.hu_zyx], self._device)
        self.network.eval()
        with torch.inference_mode():
            if not self.has_evidence:
                logits = _numpy(self.network(hu_bzyx)[0])
                return Prediction(self.labels, logits, self.probabilities(logits))
            evidence = self.network.evidence  # a Tensor or Module, as far as torch's types say
            logits_bl, maps_blzyx, bias_l = evidence(hu_bzyx)  # type: ignore[operator]
        logits, maps = _numpy(logits_bl[0]), _numpy(maps_blzyx[0])
        cells = (maps.shape[1], maps.shape[2], maps.shape[3])
        affine = map_affine(prepared.affine_lps, self.profile.grid_zyx, cells)
        return Prediction(
            self.labels, logits, self.probabilities(logits), maps, affine, _numpy(bias_l)
        )

    def logits(self, volumes: list[HuArray]) -> NDArray[np.float32]:
        """Logits (n, labels) of prepared `hu_zyx` arrays, as one batch."""
        self.network.eval()
        with torch.inference_mode():
            return _numpy(self.network(_batch(volumes, self._device)))

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Calibrated probabilities of logits whose last axis is the labels."""
        columns = [c.probability(logits[..., i]) for i, c in enumerate(self.calibrations)]
        return np.stack(columns, axis=-1)

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device


def _batch(volumes: list[HuArray], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack(volumes).astype(np.int16, copy=False)).to(device)


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array


class _LabelEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(pattern=f"^{CONVENTION_NAME}:.+$")]
    calibration: Calibration


class _NetworkEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: Size
    members: Annotated[list[Member], Field(min_length=1, max_length=64)]


class _BundleFile(BaseModel):
    """The schema of bundle.json."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[3]
    preprocess_version: int
    profile: Profile
    network: _NetworkEntry
    labels: list[_LabelEntry]
    weights_sha256: str
    card: ModelCard


def save(path: Path, bundle: Bundle) -> None:
    """Write a bundle's files; bundle.json last, so that it always describes whole weights."""
    weights = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in bundle.network.state_dict().items()
    }
    with files.atomic_path(path / _WEIGHTS) as temporary:
        # The label order stands in both files: one edited alone is found out. save_file would
        # make it unreadable for others, whatever the umask.
        temporary.write_bytes(as_bytes(weights, metadata={"labels": json.dumps(bundle.labels)}))
    entries = [
        {"label": label, "calibration": asdict(calibration)}
        for label, calibration in zip(bundle.labels, bundle.calibrations, strict=True)
    ]
    content = {
        "format": BUNDLE_FORMAT,
        "preprocess_version": PREPROCESS_VERSION,
        "profile": bundle.profile.model_dump(mode="json"),
        "network": {
            "name": bundle.network_name,
            "size": asdict(bundle.size),
            "members": [asdict(member) for member in bundle.members],
        },
        "labels": entries,
        "weights_sha256": files.sha256_of(path / _WEIGHTS),
        "card": bundle.card.model_dump(mode="json"),
    }
    files.write_text(path / _CARD, card_markdown(bundle))
    files.write_json(path / _JSON, content)


def is_there(path: Path) -> bool:
    """Whether a folder holds a bundle, of whatever format."""
    return (path / _JSON).is_file()


def load(path: Path) -> Bundle:
    """Read a bundle onto the CPU, ready to predict.

    Raises InputError, in one line, for a missing file, another format or preprocessing version,
    weights that are not the ones hashed, or labels in another order than the weights were saved in.
    """
    if path.is_file():
        raise InputError(f"{path}: a bundle is a folder; give the one that {_JSON} lies in")
    if not is_there(path):
        raise InputError(f"{path}: not a bundle (no {_JSON}); `chestct train` makes one")
    content = _parse(path / _JSON, files.read_json(path / _JSON))
    labels = tuple(entry.label for entry in content.labels)
    weights = _read_weights(path / _WEIGHTS, content.weights_sha256, labels)
    described = content.network
    network = as_one(
        [
            build_network(described.name, content.profile, len(labels), described.size)
            for _ in described.members
        ]
    )
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise InputError(
            f"{path / _WEIGHTS}: the weights do not fit the network that {_JSON} names"
        ) from None
    return Bundle(
        content.profile,
        described.name,
        described.size,
        labels,
        tuple(entry.calibration for entry in content.labels),
        content.card,
        network.eval(),
        tuple(described.members),
    )


def _parse(path: Path, content: Any) -> _BundleFile:
    found = content if isinstance(content, dict) else {}
    if found.get("format") != BUNDLE_FORMAT:
        raise InputError(
            f"{path}: bundle format {found.get('format')!r}, this chestct reads {BUNDLE_FORMAT}; "
            "train again or use the chestct that wrote it"
        )
    if found.get("preprocess_version") != PREPROCESS_VERSION:
        raise InputError(
            f"{path}: trained on preprocessing version {found.get('preprocess_version')!r}, this "
            f"chestct prepares version {PREPROCESS_VERSION}; train again"
        )
    try:
        return _BundleFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{path}: {place}: {first['msg']}") from None


def _read_weights(path: Path, sha256: str, labels: tuple[str, ...]) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: missing; copy the whole bundle folder")
    if files.sha256_of(path) != sha256:
        raise InputError(f"{path}: not the weights that {_JSON} describes (their hash differs)")
    try:
        with safe_open(path, framework="pt") as opened:
            saved_labels = json.loads((opened.metadata() or {}).get("labels", "null"))
        weights = load_file(path)
    except (SafetensorError, json.JSONDecodeError):
        raise InputError(f"{path}: not a safetensors file") from None
    if saved_labels != list(labels):
        raise InputError(
            f"{path.parent}: {_JSON} lists other labels than the weights were saved with"
        )
    return weights
