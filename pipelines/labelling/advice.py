"""What to do about records that were set aside, by their reason."""

from collections.abc import Iterable, Iterator, Mapping

from configs.contracts import RecordReason

_ADVICE = {
    RecordReason.ENCODING: "not UTF-8; --encoding names what the export is in (windows-1252, …)",
    RecordReason.CHARSET: "HL7 that declares no character set is read as --encoding says",
    RecordReason.MALFORMED_ROW: "export them with every text in quotes, and quotes in it doubled",
    RecordReason.NO_ID: "--id-column names another column or field",
    RecordReason.LANGUAGE: "--any-language reads them too",
    RecordReason.STATUS: "--status WORD=final says what a status means; see docs/files.md",
    RecordReason.PRELIMINARY: "--preliminary reads them too",
    RecordReason.CONFLICT: "several texts have one identifier: --status-column and --time-column "
    "(with --time-format) tell which holds, or --id-column names what each report has for itself",
    RecordReason.NOT_A_REPORT: "reports are read here; `chestct prepare` reads scans",
}

_AS_MEANT = {
    RecordReason.DUPLICATE_ID,
    RecordReason.NOT_A_REPORT,
    RecordReason.EXAM,
    RecordReason.PRELIMINARY,
    RecordReason.SUPERSEDED,
    RecordReason.JOINED,
    RecordReason.WITHDRAWN,
}
"""Reasons by which no report is lost: it is read elsewhere, or is none that was asked for."""


def lost(reasons: Mapping[str, int]) -> dict[str, int]:
    """Of the reasons with their counts, those that cost reports which should have been read."""
    return {reason: count for reason, count in reasons.items() if reason not in _AS_MEANT}


def advice(reasons: Iterable[str]) -> Iterator[str]:
    """A line for each reason about which something can be done."""
    for reason in reasons:
        told = _ADVICE.get(RecordReason(reason))
        if told is not None:
            yield f"{reason}: {told}"
