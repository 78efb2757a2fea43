"""How an archive is to be read: its columns, which examinations, which messages of a report."""

from dataclasses import dataclass


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
    encoding: str | None = None
    """Of text files without a BOM and of HL7 messages that declare none; None for UTF-8."""
    preliminary: bool = False
    """Read reports of which there is only a preliminary version."""


PLAIN = ReadOptions()
