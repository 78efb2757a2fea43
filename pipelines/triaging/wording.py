"""The sentences and cells of a worklist, the same for CSV and page."""

import csv
import io

from model.operating import MIN_VALIDATED_POSITIVES
from pipelines.labelled.tables import spreadsheet_cell
from pipelines.rendering.content import MARK, Decision, TrainingData, marked, percent
from pipelines.rendering.finding_wording import counted
from pipelines.triaging.coverage import Basis
from pipelines.triaging.worklist import Flag, Row, Standing, WatchedLabel, Worklist

STANDINGS = {
    Standing.NOT_READ: "not read",
    Standing.PENDING: "not read yet",
    Standing.RANKED: "ranked",
}
HEADINGS = {
    Standing.NOT_READ: "Not read by the network, a reader has to look",
    Standing.PENDING: "Waiting for the network",
    Standing.RANKED: "Read by the network, in the order of priority",
}
COLUMNS = (
    "rank", "standing", "priority", "urgency", "flags", "led_by", "not_calibrated",
    "threshold_not_validated", "waited_hours", "overdue",
    "series", "study", "patient_id", "accession", "date", "reasons", "not_assessable",
    "notes", "page",
)  # fmt: skip
MARK_MEANING = (
    "behind a percentage: its label had too few validation scans to be calibrated (read it as a "
    f"rank), or fewer than {MIN_VALIDATED_POSITIVES} with the finding, so that the threshold which "
    "flags it is not validated (read the flag as a guess)."
)
NOTICE_LINES = 4
"""Lines of the CSV before its header: `pandas.read_csv(path, skiprows=4)`."""


def notices(worklist: Worklist) -> tuple[str, ...]:
    """What must be read before any row; what the model cannot see comes first."""
    data = {
        TrainingData.SYNTHETIC: "Trained on synthetic scans only: the order shows that the "
        "software works, it says nothing about a patient.",
        TrainingData.MIXED: "Trained partly on synthetic scans.",
        TrainingData.PATIENTS: "Trained on reports and scans of patients.",
    }[worklist.model.training_data]
    if any(row.scan.synthetic for row in worklist.rows):
        data += " SYNTHETIC SCANS are in this list, drawn by chestct."
    data += _two_verdicts(worklist) + _guesses(worklist)
    return (worklist.cannot_see, worklist.intended_use, data, worklist.no_flag_meaning)


def _two_verdicts(worklist: Worklist) -> str:
    """Why a flag and a scan report may differ, where one does."""
    if not any(verdict(found) for row in worklist.rows for found in row.flags):
        return ""
    return (
        " Flags go by a sensitive threshold, to miss few scans; a scan report goes by a balanced "
        "one, which weighs misses against false alarms. Where the two differ, the flag says so."
    )


def _guesses(worklist: Worklist) -> str:
    """What the mark means, where a flag has one."""
    flags = [found for row in worklist.rows for found in row.flags]
    led = [row.leading for row in worklist.rows if row.leading]
    if all(found.calibrated and found.threshold_validated for found in flags) and all(
        found.calibrated for found in led
    ):
        return ""
    return f" {MARK} {MARK_MEANING}"


def summary(worklist: Worklist) -> str:
    """How many scans stand where."""
    rows = worklist.rows
    failed = len(worklist.having(Standing.NOT_READ))
    pending = len(worklist.having(Standing.PENDING))
    flagged = sum(bool(row.flags) for row in rows)
    overdue = sum(row.overdue for row in rows)
    return (
        f"{counted(len(rows), 'scan')}: {failed} not read, {pending} not read yet, {flagged} "
        f"flagged, {overdue} waiting longer than {worklist.max_wait_hours:g} h"
    )


def flag(found: Flag) -> str:
    """A flag in one line."""
    return f"{found.name} {chance(found)}{_where(found)}"


def led_by(found: Flag) -> str:
    """The label that made the urgency, flagged or not: no threshold speaks of it."""
    return f"{found.name} {marked(found.probability, trusted=found.calibrated)}{_where(found)}"


def _where(found: Flag) -> str:
    where = f", {found.place}" if found.place else ""
    slice_ = f", slice {found.slice}" if found.slice is not None else ""
    return f"{where}{slice_}"


def flag_with_verdict(found: Flag) -> str:
    """The flag, and what the scan report says where that is another thing."""
    other = verdict(found)
    return f"{flag(found)} ({other})" if other else flag(found)


def verdict(found: Flag) -> str:
    """What the scan report says of a flagged finding that it does not call present."""
    if found.report_decision not in (Decision.ABSENT, Decision.INDETERMINATE):
        return ""
    trusted = found.threshold_validated
    return (
        f"flagged at the sensitive threshold {marked(found.threshold, trusted=trusted)}; report: "
        f"{found.report_decision.value} at the balanced threshold "
        f"{marked(found.report_threshold, trusted=trusted)}"
    )


def chance(found: Flag) -> str:
    """The probability, marked where it, or the threshold that it is flagged by, is a guess."""
    return marked(found.probability, trusted=found.calibrated and found.threshold_validated)


def said(row: Row, most: int | None = None) -> str:
    """What the list says of a scan in words, with `most` flags."""
    if row.standing is Standing.NOT_READ:
        return "; ".join(f"{remark.code}: {remark.meaning}" for remark in row.reasons)
    if row.standing is Standing.PENDING:
        return "waits for the network"
    more = len(row.flags[most:]) if most else 0
    told = "; ".join(map(flag_with_verdict, row.flags[:most])) + (f"; {more} more" if more else "")
    return told or (f"no flag (led by {led_by(row.leading)})" if row.leading else "no flag")


def waited(row: Row) -> str:
    """Minutes, hours or days.

    >>> from pipelines.rendering.content import Scan
    >>> scan = Scan(identified=False)
    >>> for hours in (0.5, 7.25, 80):
    ...     print(waited(Row(rank=1, standing="ranked", scan=scan, waited_hours=hours,
    ...         overdue=False)))
    30 min
    7.2 h
    3.3 d
    """
    if row.waited_hours < 1:
        return f"{row.waited_hours * 60:.0f} min"
    return (
        f"{row.waited_hours:.1f} h" if row.waited_hours < 48 else f"{row.waited_hours / 24:.1f} d"
    )


def threshold(watched: WatchedLabel) -> str:
    """From where on a label flags, and what that did on validation scans."""
    if not watched.urgent:
        return "orders only, flags nothing"
    counted = watched.counted
    shown = marked(watched.threshold, trusted=watched.threshold_validated)
    if counted is None:
        why = {
            Basis.UNKNOWN: "too few validation scans, its sensitivity is not known",
            Basis.UNREACHED: "only flagging every scan would reach the stated sensitivity",
            Basis.BALANCED: "it flags more than the stated share of validation scans with it",
        }[watched.basis]
        return f"{shown}, the balanced threshold of the scan report: {why}"
    return (
        f"{shown}: flagged {counted.caught} of {counted.positives} validation "
        f"scans with it (of all such scans at least {percent(counted.sensitivity_low)}, with 95 % "
        f"confidence), and {counted.alarms} of {counted.negatives} without"
    )


def report_threshold(watched: WatchedLabel) -> str:
    """The threshold of a scan report, marked where it is not validated."""
    return marked(watched.report_threshold, trusted=watched.threshold_validated)


def as_csv(worklist: Worklist) -> str:
    """Four lines of notice that start with #, a header, a line a scan."""
    text = io.StringIO()
    for line in notices(worklist):
        text.write(f"# {' '.join(line.split())}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in worklist.rows:
        writer.writerow([spreadsheet_cell(cell) for cell in _cells(row)])
    return text.getvalue()


def _cells(row: Row) -> list[str]:
    scan = row.scan
    leading = (row.leading,) if row.leading and row.leading not in row.flags else ()
    told = (*row.flags, *leading)
    return [
        str(row.rank),
        row.standing.value,
        "" if row.priority is None else f"{row.priority:.2f}",
        "" if row.urgency is None else f"{row.urgency:.2f}",
        "; ".join(map(flag_with_verdict, row.flags)),
        led_by(row.leading) if row.leading else "",
        "; ".join(found.name for found in told if not found.calibrated),
        "; ".join(found.name for found in row.flags if not found.threshold_validated),
        f"{row.waited_hours:.2f}",
        str(row.overdue).lower(),
        scan.series,
        scan.study,
        scan.patient_id or "",
        scan.accession or "",
        scan.date or "",
        "; ".join(f"{remark.code}: {remark.meaning}" for remark in row.reasons),
        "; ".join(row.not_assessable),
        "; ".join(remark.meaning for remark in row.notes),
        row.page or "",
    ]
