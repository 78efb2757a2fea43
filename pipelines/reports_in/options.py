"""How an archive is to be read: its columns, which examinations, which messages of a report."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says about an archive; every field has the value that suits most archives."""

    id_column: str | None = None
    """The identifier's column; None for the usual names. In HL7 a field, such as `OBR-18`."""
    text_columns: tuple[str, ...] = ()
    """The text's columns, joined under their names; none for the usual names."""
    exam_column: str | None = None
    """The column that names the examination; HL7 and DICOM SR name it themselves."""
    exam: tuple[str, ...] = ()
    """Patterns of words (`ct chest`, `thora*`, `71260`); none keeps every examination."""
    any_language: bool = False
    """Read reports that are not in English too, which are else rejected as LANGUAGE."""
    status_column: str | None = None
    """The column with each message's status; messages of one report are then joined."""
    time_column: str | None = None
    """The column with each message's time, which says which of several finals is the last."""
    time_format: str | None = None
    """Its form in the words of `strptime` (`%d.%m.%Y %H:%M`); None for ISO 8601 and HL7's."""
    status: tuple[str, ...] = ()
    """What words of the archive's own mean, such as `signiert=final`."""
    encoding: str | None = None
    """Of text files without a BOM and of HL7 messages that declare none; None for UTF-8."""
    preliminary: bool = False
    """Read reports of which there is only a preliminary version."""


PLAIN = ReadOptions()


@dataclass(slots=True)
class ReadNotes:
    """What reading an archive came across that is no record's fault, for people to be told."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Files of the folder that are no reports of the kind read, by their ending."""
    unread_times: Counter[str] = field(default_factory=Counter)
    """Times that were not understood, by their shape: digits are 9, letters a and A."""

    def as_json(self) -> dict[str, dict[str, int]]:
        """The counts as `run.json` keeps them."""
        return {"left_out": dict(self.left_out), "unread_times": dict(self.unread_times)}
