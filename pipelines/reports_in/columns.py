"""Which columns of a table hold the report's identifier and its text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from configs.contracts import InputError
from pipelines.reports_in.options import ReadOptions

ID_COLUMNS = ("report_id", "AccessionNo", "AccessionNumber", "VolumeName")
TEXT_COLUMNS = (
    ("report_text",),
    ("Findings_EN", "Impressions_EN"),
    ("findings", "impression"),
)
_SHOWN = 20
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")
_NAME_CHARS, _NAME_WORDS = 60, 6


def _is_name(text: str) -> bool:
    """Whether a cell of a first line may be a column's name; a number or a sentence is none."""
    is_short = len(text) <= _NAME_CHARS and len(text.split()) <= _NAME_WORDS
    return is_short and (not text or any(map(str.isalpha, text)))


@dataclass(frozen=True, slots=True)
class ReportColumns:
    """The chosen columns, as the table spells them."""

    id: str
    texts: tuple[str, ...]
    exam: str | None = None
    status: str | None = None
    time: str | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """All of them, once each."""
        names = (self.id, *self.texts, self.exam, self.status, self.time)
        return tuple(dict.fromkeys(name for name in names if name is not None))


def choose_columns(columns: Sequence[str], source: str, options: ReadOptions) -> ReportColumns:
    """The columns asked for, else the usual names in any spelling ("Report ID", "REPORT_ID").

    Raises InputError naming the source, its columns, and the flag that settles it.
    """
    id_column = choose_id(columns, source, options.id_column)
    text_columns: Sequence[str] | None = options.text_columns
    if not text_columns:
        text_columns = _first(columns, TEXT_COLUMNS)
        if text_columns is None:
            usual = ", ".join("+".join(names) for names in TEXT_COLUMNS)
            raise _missing(columns, source, f"no text column ({usual})", "--text-column")
    for name in text_columns:
        _check(columns, source, name, "--text-column")
    others = {
        "--exam-column": options.exam_column,
        "--status-column": options.status_column,
        "--time-column": options.time_column,
    }
    for flag, other in others.items():
        if other is not None:
            _check(columns, source, other, flag)
    return ReportColumns(id_column, tuple(text_columns), *others.values())


def choose_id(columns: Sequence[str], source: str, id_column: str | None) -> str:
    """The identifier's column: the one asked for, else the first usual name in any spelling."""
    if id_column is None:
        found = _first(columns, [(name,) for name in ID_COLUMNS])
        if found is None:
            raise _missing(
                columns, source, f"no id column ({', '.join(ID_COLUMNS)})", "--id-column"
            )
        (id_column,) = found
    _check(columns, source, id_column, "--id-column")
    return id_column


def _check(columns: Sequence[str], source: str, name: str, flag: str) -> None:
    if name not in columns:
        raise _missing(columns, source, f"no column {name!r}", flag)
    if columns.count(name) > 1:
        raise InputError(f"{source}: two columns are called {name!r}; rename one")


def _first(columns: Sequence[str], candidates: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    spelled = {_letters(name): name for name in reversed(columns)}
    for names in candidates:
        found = tuple(spelled.get(_letters(name)) for name in names)
        if all(found):
            return tuple(name for name in found if name)
    return None


def _letters(name: str) -> str:
    """What two spellings of a column's name have in common.

    >>> _letters("Report ID") == _letters("report_id") == _letters("ReportId")
    True
    """
    return _BETWEEN_WORDS.sub("", name.casefold())


def _missing(columns: Sequence[str], source: str, what: str, flag: str) -> InputError:
    if not all(map(_is_name, columns)):  # it may be a record, which is not to be told
        return InputError(
            f"{source}: {what}; its first line does not look like a header of column names: "
            f"add one, such as report_id,report_text, or name the right column with {flag}"
        )
    shown = ", ".join(columns[:_SHOWN]) + (", ..." if len(columns) > _SHOWN else "")
    return InputError(f"{source}: {what}; its columns are {shown}; name the right one with {flag}")
