"""Where the encoder comes from: a small BERT of our own, or a Hugging Face one from disk or hub."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig

from configs.contracts import InputError
from configs.files import first_line
from labeler.neural.tokens import LONGEST, PAD, SPECIAL, learn_tokenizer

_WIDTH, _LAYERS, _HEADS = 128, 2, 4
_OFTEN_RESERVED = 2  # RoBERTa's positions begin at 2


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A transformers model with its tokenizer."""

    model: Any
    tokenizer: Tokenizer
    pad: int
    longest: int
    """Tokens that a sentence may have."""


def new_encoder(sentences: Iterable[str]) -> Encoder:
    """A BERT of 0.3 million weights beside its embeddings, not yet trained, for these sentences."""
    tokenizer = learn_tokenizer(sentences)
    pad = SPECIAL.index(PAD)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=_WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        intermediate_size=2 * _WIDTH,
        max_position_embeddings=LONGEST,
        pad_token_id=pad,
    )
    return Encoder(_built(config), tokenizer, pad, LONGEST)


def pretrained_encoder(name: str, *, online: bool = False) -> Encoder:
    """An encoder from a local folder or by a hub's name; nothing is fetched unless `online`.

    Code that comes with a model is never run, and weights are read from safetensors only. Raises
    InputError where the model is not there, needs its own code, or has no fast tokenizer.
    """
    safe: dict[str, Any] = {"local_files_only": not online, "trust_remote_code": False}
    try:
        words = AutoTokenizer.from_pretrained(name, **safe)
        model = AutoModel.from_pretrained(name, use_safetensors=True, **safe)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        hint = "" if online else "; it must be on this disk, or --online lets it be fetched"
        raise InputError(f"encoder {name}: {first_line(error)}{hint}") from None
    tokenizer = getattr(words, "backend_tokenizer", None)
    if tokenizer is None or words.pad_token_id is None:
        raise InputError(f"encoder {name}: needs a fast tokenizer with a padding token")
    positions = getattr(model.config, "max_position_embeddings", LONGEST + _OFTEN_RESERVED)
    longest = min(LONGEST, positions - _OFTEN_RESERVED)
    return Encoder(_without_pooler(model), tokenizer, words.pad_token_id, longest)


def config_of(encoder: Any) -> dict[str, Any]:
    """A model's settings as plain values, without the path it was read from."""
    content: dict[str, Any] = json.loads(encoder.config.to_json_string(use_diff=True))
    content["model_type"] = encoder.config.model_type
    return {name: value for name, value in content.items() if name != "_name_or_path"}


def encoder_from_config(content: dict[str, Any]) -> Any:
    """The model that a saved config describes, its weights still to be loaded.

    Raises InputError for a kind that transformers has not built in, or settings that do not fit.
    """
    settings = dict(content)
    kind = settings.pop("model_type", None)
    if "auto_map" in settings:
        raise InputError("the encoder's config names code of its own; such a model is not loaded")
    try:
        return _built(AutoConfig.for_model(kind, **settings))
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"the encoder's config cannot be used: {first_line(error)}") from None


def _built(config: Any) -> Any:
    model = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]  # transformers has no types
    return _without_pooler(model)


def _without_pooler(model: Any) -> Any:
    """The layer that BERT adds for its first token is of no use to token states."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model
