"""What people decided: the file that a page saves, as JSON, CSV, or Label Studio's export."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs.contracts import InputError
from pipelines.reviewing import label_studio

_LARGEST_BYTES = 256 << 20
_CSV_FIRST = ("worksheet", "sheet", "reader", "id", "verdict")
_GUARDED = re.compile(r"^'(?=[=+\-@\t\r\n])")
"""The apostrophe that keeps a spreadsheet from taking a cell for a formula."""
_CSV_VALUES: dict[str, int | None] = {"1": 1, "0": 0, "-1": -1, "": None}

Value = Annotated[int, Field(ge=-1, le=1, strict=True)]


class Decision(BaseModel):
    """What one person said of one item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    verdict: Literal["judged", "unsure"]
    labels: dict[str, Value | None] = {}
    """1 present, 0 absent, -1 uncertain, None not said; a label that is not here is not said."""


class Decisions(BaseModel):
    """One person's decisions on one sheet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    worksheet: str
    sheet: str
    reader: str = ""
    decisions: tuple[Decision, ...]


def read_decisions(path: Path, worksheet: str, labels: Sequence[str]) -> Decisions:
    """Read a saved file; raises InputError when it is none, or of another worksheet."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give one that the sheet saved")
    if path.stat().st_size > _LARGEST_BYTES:
        raise InputError(f"{path}: too large for decisions of people")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    try:
        content = _from_csv(text, path) if path.suffix.lower() == ".csv" else json.loads(text)
        if isinstance(content, list):
            content = label_studio.from_export(content)
        found = Decisions.model_validate(content)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not a JSON file (line {error.lineno})") from None
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        raise InputError(
            f"{path}: {place}: {error.errors()[0]['msg']}; docs/files.md describes the file"
        ) from None
    except label_studio.ExportError as error:
        raise InputError(f"{path}: {error}") from None
    return _checked(found, path, worksheet, frozenset(labels))


def _checked(found: Decisions, path: Path, worksheet: str, labels: frozenset[str]) -> Decisions:
    if found.worksheet != worksheet:
        raise InputError(f"{path}: decisions on another worksheet than this folder's")
    seen: set[str] = set()
    for number, decision in enumerate(found.decisions, 1):
        if unknown := next((name for name in decision.labels if name not in labels), None):
            raise InputError(f"{path}: decision {number}: no label is called {unknown!r}")
        if decision.id in seen:
            raise InputError(f"{path}: decision {number}: its item was decided before")
        seen.add(decision.id)
    return found


def _from_csv(text: str, path: Path) -> dict[str, Any]:
    """The CSV that the page saves, also when a spreadsheet has saved it again."""
    try:
        delimiter = ";" if text.split("\n", 1)[0].count(";") > 4 else ","
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    head = [_GUARDED.sub("", name) for name in rows[0]] if rows else []
    if missing := next((name for name in _CSV_FIRST if name not in head), None):
        raise InputError(f"{path}: no column {missing!r}; give the CSV that the sheet saved")
    labels = [name for name in head if name not in (*_CSV_FIRST, "text")]
    if len(set(head)) < len(head):
        raise InputError(f"{path}: a column stands twice")
    decisions = []
    first: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) != len(head):
            raise InputError(f"{path}: record {number}: {len(row)} cells where {len(head)} belong")
        cells = dict(zip(head, row, strict=True))
        first = first or cells
        if any(cells[name] != first[name] for name in ("worksheet", "sheet", "reader")):
            raise InputError(f"{path}: record {number}: of another worksheet, sheet or reader")
        wrong = next((name for name in labels if cells[name].strip() not in _CSV_VALUES), None)
        if wrong is not None:
            raise InputError(f"{path}: record {number}: {wrong!r} is not 1, 0, -1 or blank")
        values = {name: _CSV_VALUES[cells[name].strip()] for name in labels}
        decisions.append({"id": cells["id"], "verdict": cells["verdict"], "labels": values})
    if not decisions:
        raise InputError(f"{path}: no decisions")
    named = {name: first[name] for name in ("worksheet", "sheet", "reader")}
    return {"format": 1, **named, "decisions": decisions}
