"""What to do about records that were set aside, by their reason."""

from collections.abc import Iterable, Iterator

from configs.contracts import RecordReason

_ADVICE = {
    RecordReason.ENCODING: "not UTF-8; --encoding names what the export is in (windows-1252, …)",
    RecordReason.CHARSET: "HL7 that declares no character set is read as --encoding says",
    RecordReason.MALFORMED_ROW: "export them with every text in quotes, and quotes in it doubled",
    RecordReason.NO_ID: "--id-column names another column or field",
    RecordReason.DUPLICATE_ID: "--status-column and --time-column join versions of a report",
    RecordReason.LANGUAGE: "--any-language reads them too",
    RecordReason.STATUS: "docs/files.md lists the statuses that are known",
    RecordReason.PRELIMINARY: "--preliminary reads them too",
    RecordReason.CONFLICT: "--time-column tells which version is the last",
    RecordReason.NOT_A_REPORT: "reports are read here; `chestct prepare` reads scans",
}


def advice(reasons: Iterable[str]) -> Iterator[str]:
    """A line for each reason about which something can be done."""
    for reason in reasons:
        told = _ADVICE.get(RecordReason(reason))
        if told is not None:
            yield f"{reason}: {told}"
