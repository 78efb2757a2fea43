r"""Reading a YAML file that people write into a pydantic model, with mistakes answered by line.

>>> from pathlib import Path
>>> import tempfile
>>> class Size(BaseModel, extra="forbid"):
...     width_mm: float
>>> with tempfile.TemporaryDirectory() as folder:
...     path = Path(folder) / "size.yaml"
...     _ = path.write_text("width_mm: 3\ncolour: red\n")
...     try:
...         load_yaml(path, Size)
...     except InputError as error:
...         print(str(error).replace(folder, "."))
./size.yaml:2: 'colour' is not a field; expected width_mm
"""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from configs.contracts import InputError

Model = TypeVar("Model")

# libyaml's parser where PyYAML was built with it: eight times faster, and as safe.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 100


def load_yaml(path: Path, model: type[Model], *, keyed_by: str | None = None) -> Model:
    """Read one YAML file as `model`, a pydantic model or a type built of them.

    With `keyed_by`, the file maps a key to each entry and the key is written into the entry's field
    of that name. Raises InputError with file, line, what is wrong and what is expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    try:
        root, content = _parse(path, text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not valid YAML ({error.problem})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from None
    if keyed_by is not None:
        content = _with_keys(path, content, keyed_by)
    try:
        return TypeAdapter(model).validate_python(content)
    except ValidationError as error:
        raise InputError(_explain(path, root, error, model)) from None


def where(path: Path, *steps: int | str) -> str:
    """File and line of an entry, for mistakes that only a reader of several files can see.

    `where(path, "wheeze", "parents", 0)` is "findings/ours.yaml:7".
    """
    root, _ = _parse(path, path.read_text(encoding="utf-8"))
    return f"{path}:{_line_of(root, steps)}"


def _parse(path: Path, text: str) -> tuple[yaml.Node, Any]:
    """The nodes, which know their lines, and the content made from them."""
    _refuse_depth(path, text)
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise InputError(f"{path}:1: the file is empty")
        # Before the content is made: that resolves merged mappings (<<) within the nodes.
        _refuse_doubled_keys(path, root)
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _refuse_depth(path: Path, text: str) -> None:
    """Before nodes are made: libyaml makes them by recursion, which ends the process far down."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise InputError(f"{path}:{line}: nested more than {_MAX_DEPTH} levels deep")


def _refuse_doubled_keys(path: Path, node: yaml.Node) -> None:
    pending = [node]
    known: set[int] = set()
    while pending:
        current = pending.pop()
        if id(current) in known:
            continue  # an alias, perhaps of what it stands in
        known.add(id(current))
        if isinstance(current, yaml.SequenceNode):
            pending.extend(current.value)
        elif isinstance(current, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in current.value:
                pending.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue  # cannot be a key: making the content says so
                line = key.start_mark.line + 1
                if key.value in seen:
                    raise InputError(
                        f"{path}:{line}: {key.value!r} stands twice, first in line "
                        f"{seen[key.value]}; keep one"
                    )
                seen[key.value] = line


def _with_keys(path: Path, content: Any, field: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"{path}:1: expected a mapping from {field} to entry")
    return {
        key: {field: key, **entry} if isinstance(entry, dict) else entry
        for key, entry in content.items()
    }


def _explain(path: Path, root: yaml.Node, error: ValidationError, model: Any) -> str:
    first = error.errors()[0]
    location = first["loc"]
    line = _line_of(root, location)
    if first["type"] == "extra_forbidden":
        expected = ", ".join(_fields_at(model, location[:-1]))
        return f"{path}:{line}: {location[-1]!r} is not a field; expected {expected}"
    if first["type"] == "missing":
        return f"{path}:{line}: {location[-1]!r} is missing"
    place = ".".join(str(step) for step in location)
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}:{line}: {place}: {message}" if place else f"{path}:{line}: {message}"


def _line_of(root: yaml.Node, location: tuple[int | str, ...]) -> int:
    node, line = root, root.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is None:
                continue
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _fields_at(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The field names of the model that stands at `location`, found by walking annotations."""
    current = model
    for step in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(step))
            current = field.annotation if field else current
        elif arguments := getattr(current, "__args__", ()):
            current = next(
                (a for a in reversed(arguments) if a not in (type(None), ...)), arguments[-1]
            )
    for candidate in (current, *getattr(current, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return list(candidate.model_fields)
    return ["something else"]
