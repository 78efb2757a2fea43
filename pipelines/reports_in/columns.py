"""Which columns of a table hold the report's identifier and its text."""

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
    """The columns asked for, else the usual names in any case.

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
    """The identifier's column: the one asked for, else the first usual name in any case."""
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
    spelled = {name.casefold(): name for name in reversed(columns)}
    for names in candidates:
        found = tuple(spelled.get(name.casefold()) for name in names)
        if all(found):
            return tuple(name for name in found if name)
    return None


def _missing(columns: Sequence[str], source: str, what: str, flag: str) -> InputError:
    shown = ", ".join(columns[:_SHOWN]) + (", ..." if len(columns) > _SHOWN else "")
    return InputError(f"{source}: {what}; its columns are {shown}; name the right one with {flag}")
