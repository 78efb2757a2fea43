"""How far a report's message has come, and when: the words of HL7, FHIR, DICOM and exports."""

import re
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum


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
    Status.CORRECTED: "c corrected correction amended amendment revised modified",
    Status.PARTIAL: "a",
    Status.ADDENDUM: "b addendum addended appended supplement supplementary",
    Status.WITHDRAWN: (
        "d x w n cancelled canceled deleted withdrawn retracted wrong void entered-in-error"
    ),
}
_STATUS_OF = {word: status for status, words in _WORDS.items() for word in words.split()}
_NOT_A_WORD = re.compile(r"[^a-z-]+")


def status_of(text: str) -> Status:
    """The status that a word or an HL7 code stands for; blank is final.

    >>> status_of("Final report"), status_of("P"), status_of("")
    (<Status.FINAL: 1>, <Status.PRELIMINARY: 0>, <Status.FINAL: 1>)
    """
    words = _NOT_A_WORD.sub(" ", text.lower()).split()
    known = [_STATUS_OF[word] for word in words if word in _STATUS_OF and len(word) > 1]
    if len(words) == 1 and not known:
        known = [_STATUS_OF[word] for word in words if word in _STATUS_OF]
    if known:
        unfinished = known[0] is Status.FINAL and "not" in words
        return Status.PRELIMINARY if unfinished else known[0]
    return Status.UNKNOWN if text.strip() else Status.FINAL


_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d{1,9})?)?)?)?"
    r" ?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)


def seconds_of(text: str) -> float | None:
    """A time of HL7, DICOM or ISO 8601 in seconds since 1970; None for another, or none.

    A time without a zone is taken as UTC: times of one archive are compared with each other.
    Dates such as 03/04/2024 are not guessed at.

    >>> seconds_of("20240102") == seconds_of("2024-01-02T01:00:00+01:00")
    True
    """
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


def _zone(text: str | None) -> timezone:
    if not text or text in "Zz":
        return UTC
    minutes = 60 * int(text[1:3]) + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
