"""Label values from a file, whoever wrote it: `labels.parquet`, or gold in CSV or Parquet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from configs import files
from configs.contracts import InputError, LabelValue
from configs.convention import Binary, load_convention
from pipelines.reports_in.columns import choose_id
from pipelines.reports_in.rows import Row
from pipelines.reports_in.tables import decoded_rows, open_table

_VALUES = {float(value): int(value) for value in LabelValue}
_BLANKS = ("", "nan", "na", "none", "null")


@dataclass(frozen=True, slots=True)
class LabelValues:
    """Labels: `frame` is indexed by identifier (text) and has a nullable Int8 column a label."""

    source: Path
    frame: pd.DataFrame
    unread: int
    """Rows that could not be read, and are not in the frame."""
    unwanted: tuple[str, ...] = ()
    """Columns of the table that are none of the labels asked for."""


def labels_file(path: Path) -> Path:
    """The table itself, where the output folder of `label` may be given for it."""
    inside = files.finished_table(path, "labels.parquet")
    if inside != path:
        return inside
    other = any((path / name).exists() for name in ("run.json", "store.json"))
    if path.is_dir() and (other or not list(path.glob("*.parquet"))):
        raise InputError(f"{path}: no labels.parquet here; give the output folder of chestct label")
    return path


def convention_of(path: Path) -> str | None:
    """The convention under which `label` wrote a file or folder, if its record says so.

    One from an overlay (`label --configs`) comes as the path of its file.
    """
    folder = path if path.is_dir() and (path / "run.json").exists() else path.parent
    record = folder / "run.json"
    if not record.exists():
        return None
    content = files.read_json(record)
    config = content.get("config", {}) if isinstance(content, dict) else {}
    name, overlay = config.get("convention"), config.get("configs")
    if not isinstance(name, str):
        return None
    own = Path(overlay or "") / "conventions" / f"{name}.yaml"
    return str(own) if overlay and own.exists() else name


def coding_of(convention: str | None) -> Binary:
    """What uncertain and blank become; without a convention, present and absent."""
    return load_convention(convention).binary if convention else Binary(uncertain=1, blank=0)


def read_label_values(
    path: Path, id_column: str | None = None, wanted: Sequence[str] | None = None
) -> LabelValues:
    """Read the `wanted` label columns that a table has, else all of them but the identifier.

    Raises InputError when there is none, when a value is not 1, 0, -1 or blank, or when an
    identifier stands twice with different values.
    """
    if path.suffix == ".parquet" or path.is_dir():
        table = files.read_table(path).to_pandas(types_mapper=pd.ArrowDtype)
        id_name = choose_id(list(table.columns), str(path), id_column)
        unread = 0
        texts, columns = table.astype("string"), list(table.columns)
    else:
        texts, columns, id_name, unread = _read_text(path, id_column, wanted)
    names = _found(columns, id_name, wanted)
    if not names:
        raise InputError(
            f"{path}: none of the labels has a column here; its columns are "
            f"{', '.join(map(str, columns[:20]))}"
        )
    frame = pd.DataFrame(
        {name: _values(texts[column], path, name) for name, column in names.items()}
    )
    frame.index = pd.Index(texts[id_name], name="report_id", dtype="string")
    unwanted = tuple(name for name in columns if name not in (id_name, *names.values()))
    return LabelValues(path, _unique(frame, path), unread, unwanted)


def _read_text(
    path: Path, id_column: str | None, wanted: Sequence[str] | None
) -> tuple[pd.DataFrame, list[str], str, int]:
    """The wanted columns, all columns' names, the identifier's, and the rows not read."""
    table = open_table(path)
    id_name = choose_id(table.columns, table.name, id_column)
    needed = (id_name, *_found(table.columns, id_name, wanted).values())
    rows, unread = [], 0
    for row in decoded_rows(table, needed):
        if isinstance(row, Row):
            rows.append(row.values)
        else:
            unread += 1
    texts = pd.DataFrame(rows, columns=list(needed), dtype="string")
    return texts, list(table.columns), id_name, unread


def _found(columns: Iterable[str], id_name: str, wanted: Sequence[str] | None) -> dict[str, str]:
    """Label names and the columns that hold them, in any case of letters."""
    if wanted is None:
        return {name: name for name in columns if name != id_name}
    spelled = {str(name).casefold(): name for name in columns}
    return {name: spelled[name.casefold()] for name in wanted if name.casefold() in spelled}


def _values(column: "pd.Series[str]", path: Path, name: str) -> "pd.Series[int]":
    text = column.str.strip().str.lower()
    text = text.mask(text.isin(_BLANKS)).replace({"true": "1", "false": "0"})
    numbers = pd.to_numeric(text, errors="coerce")
    values = numbers.map(_VALUES).astype("Int8")
    wrong = (values.isna() & text.notna()).to_numpy()
    if wrong.any():
        raise InputError(
            f"{path}: column {name!r}, record {int(wrong.argmax()) + 1}: "
            "not 1, 0, -1 or blank; is it a label?"
        )
    return values


def _unique(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    frame = frame[frame.index.notna()]
    repeated = frame.index.duplicated() & frame.reset_index().duplicated().to_numpy()
    once: pd.DataFrame = frame[~repeated]
    twice = int(once.index.duplicated().sum())
    if twice:
        raise InputError(f"{path}: {twice} identifiers stand twice with different values")
    return once


def read_errata(path: Path) -> list[tuple[str, str]]:
    """The (identifier, label) cells of a gold table that were judged wrong.

    A CSV with an identifier column and a column `label`; more columns, such as the reason, are
    for people. Raises InputError when a column is missing.
    """
    table = open_table(path)
    id_name = choose_id(table.columns, table.name, None)
    if "label" not in table.columns:
        raise InputError(f"{path}: an errata file needs a column 'label' beside {id_name!r}")
    records = decoded_rows(table, (id_name, "label"))
    cells = (record.values for record in records if isinstance(record, Row))  # noqa: PD011 - no frame
    return [(report_id or "", label or "") for report_id, label in cells]
