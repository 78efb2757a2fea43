"""What a run of `label` is going to do, in hashes: the same plan gives the same bytes."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from configs import files
from configs.contracts import InputError
from pipelines.labelling.parts import Parts

PLAN_FORMAT = 1
_CODE = ("configs", "labeler", "pipelines.reports_in", "pipelines.labelling")


def make_plan(
    reports: Path,
    options: Mapping[str, Any],
    convention: str,
    overlay: Path | None,
    stage: Path | None = None,
) -> dict[str, Any]:
    """The plan as it stands in JSON: hashes of archive, rules, stage and program, the options."""
    return {
        "format": PLAN_FORMAT,
        "archive": files.sha256_of(reports),
        "rules": rules_digest(convention, overlay),
        "stage": None if stage is None else files.sha256_of(stage),
        "program": _digest(_CODE, ".py"),
        "options": {name: _plain(value) for name, value in options.items()},
    }


def rules_digest(convention: str, overlay: Path | None) -> str:
    """A hash of the rules: chestct's version, findings, cues, conventions, anatomy, overlay."""
    digest = sha256(f"{version('chestct')} {_digest(('configs',), '.yaml')}".encode())
    for own in (overlay, Path(convention) if convention.endswith((".yaml", ".yml")) else None):
        digest.update(files.sha256_of(own).encode() if own is not None else b"-")
    return digest.hexdigest()


def _digest(packages: Sequence[str], suffix: str) -> str:
    """A hash of the files of some packages, by their names and contents."""
    digest = sha256()
    for package in packages:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        root = Path(spec.origin).parent
        for path in sorted(root.rglob(f"*{suffix}")):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(files.sha256_of(path).encode())
    return digest.hexdigest()


def is_finished(parts: Parts, plan: Mapping[str, Any]) -> bool:
    """Whether the folder holds the complete result of this plan.

    Raises InputError when it holds another plan's result, complete or not.
    """
    record = parts.out / "run.json"
    if record.exists():
        content = files.read_json(record)
        if not isinstance(content, dict) or content.get("verb") != "label":
            return False  # `Run` refuses it
        _compare(parts.out, content.get("plan"), plan)
        return parts.complete()
    if parts.exist():
        _compare(parts.out, parts.plan(), plan)
    return False


def _compare(out: Path, before: Any, plan: Mapping[str, Any]) -> None:
    """Refuse a folder whose plan was another, saying what has changed."""
    if before == plan:
        return
    advice = "--restart labels all anew, and another --out keeps both"
    if not isinstance(before, dict):
        raise InputError(f"{out}: holds labels whose making is not recorded; {advice}")
    if before.get("archive") != plan["archive"]:
        what = "the archive"
    elif before.get("options") != plan["options"]:
        old = before.get("options", {})
        changed = (name for name, value in plan["options"].items() if old.get(name) != value)
        what = ", ".join(f"--{name.replace('_', '-')}" for name in changed) or "an option"
    elif before.get("stage") != plan["stage"]:
        what = "the stage"
    else:
        what = "a finding, cue, convention or the program itself"
    raise InputError(f"{out}: {what} has changed since this folder was begun; {advice}")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
