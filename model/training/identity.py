"""What must not change between a run and its resumption, and the difference where it did."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from configs import files
from configs.contracts import InputError
from configs.training import TrainConfig
from model.data import Part

_NAME = "identity.json"
_MAY_CHANGE = {
    *("threads", "workers", "in_memory", "logger", "checkpoint_steps", "checkpoint_minutes"),
    *("accelerator", "devices", "nodes"),
}
_MOST_SHOWN = 4


def identity_of(
    config: TrainConfig, parts: Mapping[str, Part], sources: Mapping[str, str]
) -> dict[str, Any]:
    """A run as flat fields: its recipe, its data by hash, and the code's versions.

    `sources` are hashes of the files that the parts came from, by what they are.
    """
    recipe = config.model_dump(mode="json", exclude=_MAY_CHANGE)
    return {
        **_flat(recipe),
        **{f"{name} volumes": len(part) for name, part in parts.items()},
        **{f"{name} data": _digest(part) for name, part in parts.items()},
        **sources,
        **{f"{name} version": version(name) for name in ("chestct", "torch")},
    }


def claim(folder: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
    """Take a folder of states for a run, or, with `resume`, make sure that it is this run's.

    A run that was refused or ended before its first step leaves nothing to go on with. Raises
    InputError where an unfinished run lies there and is not resumed, or is another one.
    """
    path = folder / _NAME
    saved = files.read_json(path) if path.exists() else {}
    found = saved if isinstance(saved, dict) else {}
    changed = _difference(found, json.loads(json.dumps(identity)))
    if not is_begun(folder) and (changed or not resume):
        for left in folder.glob("*.safetensors"):
            left.unlink()
        files.write_json(path, identity)
        return
    if not resume:
        raise InputError(
            f"{folder}: an unfinished run; --resume goes on with it, --restart begins anew"
        )
    if changed:
        raise InputError(
            f"{folder}: belongs to another run ({changed}); "
            "undo the change, choose another --out, or begin anew with --restart"
        )


def is_claimed(folder: Path) -> bool:
    """Whether a run took a folder, be it that it was cut before its first state."""
    return (folder / _NAME).exists()


def is_begun(folder: Path) -> bool:
    """Whether a folder holds states to go on from."""
    return any(folder.glob("seed_*"))


def recipe_difference(saved: Any, config: TrainConfig) -> str:
    """What a recipe changes of one that was saved as JSON; empty where the run is the same."""
    recipe = config.model_dump(mode="json", exclude=_MAY_CHANGE)
    found = saved if isinstance(saved, dict) else {}
    kept = {name: value for name, value in found.items() if name not in _MAY_CHANGE}
    return _difference(_flat(kept), _flat(recipe))


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    names = [*wanted, *(name for name in found if name not in wanted)]
    changed = [
        f"{name}: was {found.get(name)}, is {wanted.get(name)}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]
    more = f" and {len(changed) - _MOST_SHOWN} more" if len(changed) > _MOST_SHOWN else ""
    return "; ".join(changed[:_MOST_SHOWN]) + more


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, dict):
            fields |= _flat(value, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = value
    return fields


def _digest(part: Part) -> str:
    """Which volumes, of whom, with which labels, in which order."""
    digest = hashlib.sha256()
    for names in (part.volume_ids, part.scan_ids, part.patient_ids):
        digest.update("\0".join(names).encode() + b"\1")
    digest.update(part.values_nl.tobytes())
    if part.soft is not None:
        digest.update(part.soft.probability_nl.tobytes() + part.soft.confidence_nl.tobytes())
    return digest.hexdigest()[:16]
