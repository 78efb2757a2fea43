"""A taught stage on disk: `stage.json`, `weights.safetensors`, `tokenizer.json`.

JSON and plain tensors only: nothing in it can be executed. It is read strictly: another format, a
changed file or other labels are refused.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from tokenizers import Tokenizer

from configs import files
from configs.contracts import InputError
from labeler.neural.encoder import config_of, encoder_from_config
from labeler.neural.fusion import Combination, Fusion
from labeler.neural.network import SentenceNetwork
from labeler.neural.stage import NeuralStage, best_device
from labeler.neural.tokens import Tokens

STAGE_FORMAT = 1
_JSON, _WEIGHTS, _TOKENIZER = "stage.json", "weights.safetensors", "tokenizer.json"

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _CombinationFile(_Part):
    weight: list[list[Finite]]
    threshold: list[Annotated[float, Field(ge=0, le=1)]]


class _StageFile(_Part):
    format: Literal[1]
    convention: str
    labels: tuple[str, ...] = Field(min_length=1)
    encoder: dict[str, Any]
    pad: Annotated[int, Field(ge=0)]
    longest: Annotated[int, Field(ge=4)]
    combinations: dict[Fusion, _CombinationFile]
    card: dict[str, Finite | str]
    weights_sha256: str
    tokenizer_sha256: str

    @model_validator(mode="after")
    def _one_row_a_label(self) -> "_StageFile":
        for fusion, combination in self.combinations.items():
            widths = {len(row) for row in combination.weight}
            if widths != {_FEATURES.get(fusion, -1)}:
                raise ValueError(f"{fusion}: a combination of other features")
            if {len(combination.weight), len(combination.threshold)} != {len(self.labels)}:
                raise ValueError(f"{fusion}: not one row a label")
        return self


_FEATURES = {Fusion.NEURAL: 2, Fusion.FUSED: 5}


def save(folder: Path, stage: NeuralStage) -> None:
    """Write a stage; `stage.json` comes last, so that it never names files that are not there."""
    weights = {name: value.contiguous() for name, value in stage.network.state_dict().items()}
    with files.atomic_path(folder / _WEIGHTS) as temporary:
        temporary.write_bytes(as_bytes(weights))  # save_file would make it mode 0600
    files.write_text(folder / _TOKENIZER, stage.tokens.tokenizer.to_str(pretty=False))
    content = _StageFile(
        format=STAGE_FORMAT,
        convention=stage.convention,
        labels=stage.labels,
        encoder=config_of(stage.network.encoder),
        pad=stage.tokens.pad,
        longest=stage.tokens.longest,
        combinations={
            fusion: _CombinationFile(
                weight=combination.weight_lf.tolist(), threshold=combination.threshold_l.tolist()
            )
            for fusion, combination in stage.combinations.items()
        },
        card=dict(stage.card),
        weights_sha256=files.sha256_of(folder / _WEIGHTS),
        tokenizer_sha256=files.sha256_of(folder / _TOKENIZER),
    )
    files.write_json(folder / _JSON, content.model_dump(mode="json"))


def load(folder: Path) -> NeuralStage:
    """Read a stage that `chestct teach` wrote; raises InputError where anything does not fit."""
    content = _read_content(folder / _JSON)
    for name, expected in (
        (_WEIGHTS, content.weights_sha256),
        (_TOKENIZER, content.tokenizer_sha256),
    ):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: missing; copy the whole folder")
        if files.sha256_of(folder / name) != expected:
            raise InputError(f"{folder / name}: not the file that {_JSON} describes (its hash)")
    network = SentenceNetwork(
        encoder_from_config(content.encoder), len(content.labels), content.pad
    )
    try:
        network.load_state_dict(load_file(folder / _WEIGHTS), strict=True)
    except (SafetensorError, RuntimeError):
        raise InputError(f"{folder / _WEIGHTS}: not the weights of this network") from None
    try:
        tokenizer = Tokenizer.from_str((folder / _TOKENIZER).read_text(encoding="utf-8"))
    except Exception:  # tokenizers raises no narrower kind
        raise InputError(f"{folder / _TOKENIZER}: not a tokenizer") from None
    return NeuralStage(
        content.convention,
        content.labels,
        network.eval().to(best_device()),
        Tokens(tokenizer, content.pad, content.longest),
        {
            fusion: Combination(np.array(saved.weight), np.array(saved.threshold))
            for fusion, saved in content.combinations.items()
        },
        content.card,
    )


def _read_content(path: Path) -> _StageFile:
    if not path.is_file():
        raise InputError(f"{path.parent}: not a stage; `chestct teach` writes one")
    content = files.read_json(path)
    found = content if isinstance(content, dict) else {}
    if found.get("format") != STAGE_FORMAT:
        raise InputError(
            f"{path}: format {found.get('format')!r}, this chestct reads {STAGE_FORMAT}; teach anew"
        )
    try:
        return _StageFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{path}: {place}: {first['msg']}") from None
