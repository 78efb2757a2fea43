"""How far a report's message has come, and when: the words of HL7, FHIR, DICOM and exports."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum

from configs.contracts import InputError


class Status(IntEnum):
    """A message's standing; of two with the report's whole text, the higher one counts."""

    PRELIMINARY = 0
    FINAL = 1
    CORRECTED = 2
    ADDENDUM = 3
    WITHDRAWN = 4
    UNKNOWN = 5
    PARTIAL = 6
    """HL7's code A, some results of several: sent before the report, or as its addendum after."""


_WORDS = {
    # HL7 tables 0085 and 0123, FHIR DiagnosticReport.status, and words seen in exports
    Status.PRELIMINARY: (
        "p r s i o preliminary prelim partial registered draft dictated transcribed unverified "
        "unsigned provisional pending unapproved wet"
    ),
    Status.FINAL: "f u v final finalized finalised verified signed approved complete completed",
    Status.CORRECTED: "c corrected correction amended amendment revised modified edited",
    Status.PARTIAL: "a",
    Status.ADDENDUM: "b addendum addended appended supplement supplementary",
    Status.WITHDRAWN: (
        "d x w n cancelled canceled deleted withdrawn retracted wrong void entered-in-error"
    ),
}
_STATUS_OF = {word: status for status, words in _WORDS.items() for word in words.split()}
_NOT_A_WORD = re.compile(r"[\W\d_]+")
_NAMES = {"preliminary", "final", "corrected", "addendum", "withdrawn"}


def status_of(text: str, own: Mapping[str, Status] | None = None) -> Status:
    """The status that a word or an HL7 code stands for; blank is final.

    `own` has the meaning of an archive's own words, as `own_statuses` gives it; it comes first.

    >>> status_of("Final report"), status_of("P"), status_of("")
    (<Status.FINAL: 1>, <Status.PRELIMINARY: 0>, <Status.FINAL: 1>)
    """
    said = " ".join(text.casefold().split())
    if own and said in own:
        return own[said]
    if said in _STATUS_OF:
        return _STATUS_OF[said]
    words = _NOT_A_WORD.sub(" ", said).split()
    known = [_STATUS_OF[word] for word in words if word in _STATUS_OF and len(word) > 1]
    if len(words) == 1 and not known:
        known = [_STATUS_OF[word] for word in words if word in _STATUS_OF]
    if known:
        if known[0] is Status.FINAL and "not" in words:
            return Status.PRELIMINARY
        if known[0] is Status.FINAL:  # "Final-Edited"
            return Status.CORRECTED if Status.CORRECTED in known else Status.FINAL
        return known[0]
    return Status.UNKNOWN if text.strip() else Status.FINAL


def own_statuses(pairs: Iterable[str]) -> dict[str, Status]:
    """Words with their meaning; InputError for what is not WORD=STATUS.

    >>> own_statuses(["Signiert=final"])
    {'signiert': <Status.FINAL: 1>}
    """
    meant = {}
    for pair in pairs:
        word, _, name = pair.rpartition("=")
        if not word.strip() or name.strip().lower() not in _NAMES:
            raise InputError(
                f"--status {pair!r}: expected WORD=STATUS, where STATUS is one of "
                f"{', '.join(sorted(_NAMES))}"
            )
        meant[" ".join(word.casefold().split())] = Status[name.strip().upper()]
    return meant


_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d{1,9})?)?)?)?"
    r" ?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)


def seconds_of(text: str, form: str | None = None) -> float | None:
    """A time of HL7, DICOM or ISO 8601 in seconds since 1970; None for another, or none.

    A time without a zone is taken as UTC: times of one archive are compared with each other.
    Dates such as 03/04/2024 are not guessed at: `form`, as `strptime` takes it, reads them.

    >>> seconds_of("20240102") == seconds_of("2024-01-02T01:00:00+01:00")
    True
    """
    if form is not None:
        return _as_formed(text.strip(), form)
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            tzinfo=_zone(zone),
        )  # fmt: skip
        return moment.timestamp() + float(fraction or 0)
    except (ValueError, OverflowError):
        return None


def _as_formed(text: str, form: str) -> float | None:
    try:
        moment = datetime.strptime(text, form)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def known_time_format(form: str | None) -> str | None:
    """A form of `strptime` that reads a whole date; raises InputError for another."""
    if form is None:
        return None
    noon = datetime(2001, 12, 31, 12, 34, 56, tzinfo=UTC)
    try:
        read = datetime.strptime(noon.strftime(form), form)
    except (ValueError, re.error):
        read = None
    if read is None or read.date() != noon.date():
        raise InputError(
            f"--time-format {form!r}: does not say day, month and year; %d.%m.%Y %H:%M is one that "
            "does, for 31.12.2001 12:34"
        )
    return form


_SHAPE_CHARS = 24


def shape_of(text: str) -> str:
    """How a value is written, without what it says.

    >>> shape_of("03/04/2024 10:00"), shape_of("Jan 3")
    ('99/99/9999 99:99', 'Aaa 9')
    """
    shape = "".join(
        "9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c
        for c in text.strip()
    )
    return shape[:_SHAPE_CHARS] + ("..." if len(shape) > _SHAPE_CHARS else "")


def _zone(text: str | None) -> timezone:
    if not text or text in "Zz":
        return UTC
    minutes = 60 * int(text[1:3]) + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
