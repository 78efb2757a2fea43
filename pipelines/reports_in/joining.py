"""Several messages of one report, joined by status and time.

A final version replaces preliminary ones, a correction replaces the final, addenda are appended
under a head "ADDENDUM:". The archive is read twice: the first pass notes 33 bytes a message, from
which a plan is made for the identifiers that come more than once; the second holds only texts
that wait for an addendum. A message that is no report of its own comes as a Rejected saying why.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import inf, isnan, nan
from typing import NamedTuple

import numpy as np

from configs.contracts import RecordReason
from pipelines.reports_in.headings import opens_as_addendum
from pipelines.reports_in.rows import Report, unreadable
from pipelines.reports_in.status import Status
from pipelines.running.run import Rejected

_DIGEST_BYTES = 12
_ADDENDUM_HEAD = "ADDENDUM"
_REPEATED = "ORIGINAL REPORT"
_WHOLE_REPORT_HEADS = ("FINDINGS:", "IMPRESSION:", "TECHNIQUE:", "COMPARISON:")
_MANY_HEADS = 2  # an addendum may name the impression that it changes
_Fate = tuple[RecordReason, str]


class _Note(NamedTuple):
    """What the plan knows of a message."""

    number: int
    """Its place among the archive's messages."""
    status: Status
    opens_with_addendum: bool
    time: float | None
    text: bytes
    """A digest."""


def joined(
    read: Callable[[], Iterable[Report | Rejected]], *, preliminary: bool
) -> Iterator[Report | Rejected]:
    """The records of an archive with its messages joined; `read` starts a pass over it.

    With `preliminary`, a report of which there is only a preliminary version is kept.
    """
    plan = _Notebook.of(read()).plan(preliminary=preliminary)
    waiting: dict[int, Report] = {}
    number = -1
    for record in read():
        if isinstance(record, Rejected):
            yield record
            continue
        number += 1
        fate = plan.fates.get(number) or _fate_alone(record.status, preliminary=preliminary)
        if fate is not None:
            yield unreadable(record.place, *fate, record.id)
        base = plan.base_of.get(number)
        if base is not None:
            waiting[number] = record
            if number == max(plan.parts[base]):
                yield _appended([waiting.pop(part) for part in plan.parts[base]])
        elif fate is None:
            yield record


def _appended(messages: Sequence[Report]) -> Report:
    """The first message with the others' texts after it."""
    report, *addenda = messages
    text = report.text.rstrip()
    for addendum in addenda:
        added = addendum.text.strip()
        if added not in report.text:
            head = "" if opens_as_addendum(added) else f"{_ADDENDUM_HEAD}:\n"
            text += f"\n\n{head}{added}"
    start = len(report.text.rstrip())
    if len(text) == start:
        return report
    return replace(report, text=text, addendum_at=start + 2)


@dataclass(slots=True)
class _Plan:
    """What becomes of the messages whose identifier comes more than once."""

    fates: dict[int, _Fate] = field(default_factory=dict)
    """Why a message is no report of its own."""
    parts: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """For a report with addenda: its own number and theirs, in the order of the text."""
    base_of: dict[int, int] = field(default_factory=dict)

    def decide(self, notes: Sequence[_Note], *, preliminary: bool) -> None:
        """Settle one report's messages."""
        notes = _with_partial_settled(notes)
        whole, addenda = _whole_and_addenda(notes)
        fate = _common_fate(notes, whole, preliminary=preliminary)
        candidates = [note for note in whole if note.status == max(n.status for n in whole)]
        base = None if fate else _latest(candidates)
        if base is None:
            conflict = (RecordReason.CONFLICT, "versions that differ, and no time says which holds")
            self.fates |= dict.fromkeys((note.number for note in notes), fate or conflict)
            return
        for note in whole:
            if note is not base:
                self.fates[note.number] = (
                    (RecordReason.DUPLICATE_ID, "identifier seen before, same text")
                    if note.text == base.text and note.status == base.status
                    else (RecordReason.SUPERSEDED, "a later version replaces it")
                )
        kept: dict[bytes, int] = {}
        for note in addenda:
            known = kept.setdefault(note.text, note.number) != note.number
            self.fates[note.number] = (
                (RecordReason.DUPLICATE_ID, "identifier seen before, same text")
                if known
                else (RecordReason.JOINED, "part of its report now")
            )
        if kept:
            self.parts[base.number] = (base.number, *kept.values())
            self.base_of |= dict.fromkeys(self.parts[base.number], base.number)


def _with_partial_settled(notes: Sequence[_Note]) -> list[_Note]:
    """The messages with partial ones as preliminary, if all finished ones follow, or as addenda."""
    finished = [note.time for note in notes if note.status in (Status.FINAL, Status.CORRECTED)]

    def settled(note: _Note) -> _Note:
        if note.status is not Status.PARTIAL:
            return note
        precedes = note.time is not None and all(t is not None and t > note.time for t in finished)
        is_draft = bool(finished) and precedes and not note.opens_with_addendum
        return note._replace(status=Status.PRELIMINARY if is_draft else Status.ADDENDUM)

    return [settled(note) for note in notes]


def _whole_and_addenda(notes: Sequence[_Note]) -> tuple[list[_Note], list[_Note]]:
    """The messages with a report's whole text, and the addenda by time."""
    texts = [note for note in notes if note.status <= Status.CORRECTED]
    plain = [note for note in texts if not note.opens_with_addendum]
    finished = any(note.status is not Status.PRELIMINARY for note in plain)
    whole = plain if finished else texts  # an addendum in all but name needs what it adds to
    addenda = [
        note
        for note in notes
        if note.status is Status.ADDENDUM or (note in texts and note not in whole)
    ]
    addenda.sort(key=lambda note: (inf if note.time is None else note.time, note.number))
    return whole, addenda


def _common_fate(
    notes: Sequence[_Note], whole: Sequence[_Note], *, preliminary: bool
) -> _Fate | None:
    """Why none of the messages makes a report, if so."""
    withdrawals = [note for note in notes if note.status is Status.WITHDRAWN]
    finished = [note for note in whole if note.status is not Status.PRELIMINARY]
    if withdrawals and not _is_later(finished, withdrawals):
        return RecordReason.WITHDRAWN, "withdrawn, cancelled or deleted"
    if not whole:
        return RecordReason.NO_REPORT, "an addendum without its report"
    if not finished and not preliminary:
        return RecordReason.PRELIMINARY, "preliminary or not verified (--preliminary keeps it)"
    return None


def _fate_alone(status: Status, *, preliminary: bool) -> _Fate | None:
    note = _Note(0, status, False, None, b"")
    whole = [note] if status <= Status.CORRECTED else []
    return _common_fate([note], whole, preliminary=preliminary)


def _is_later(some: Sequence[_Note], others: Sequence[_Note]) -> bool:
    """Whether one of some is surely later than all others."""
    latest = max((note.time for note in some if note.time is not None), default=-inf)
    return all(note.time is not None and note.time < latest for note in others)


def _latest(candidates: Sequence[_Note]) -> _Note | None:
    """The version that holds, or None where nothing says which."""
    if len({note.text for note in candidates}) == 1:
        return candidates[0]
    if any(note.time is None for note in candidates):
        return None
    end = max(note.time or 0.0 for note in candidates)
    last = [note for note in candidates if note.time == end]
    return last[0] if len({note.text for note in last}) == 1 else None


@dataclass(slots=True)
class _Notebook:
    """Notes of every message, packed."""

    ids: bytearray = field(default_factory=bytearray)
    texts: bytearray = field(default_factory=bytearray)
    statuses: "array[int]" = field(default_factory=lambda: array("b"))
    times: "array[float]" = field(default_factory=lambda: array("d"))

    @classmethod
    def of(cls, records: Iterable[Report | Rejected]) -> "_Notebook":
        book = cls()
        for record in records:
            if isinstance(record, Report):
                book.add(record)
        return book

    def add(self, report: Report) -> None:
        self.ids += _digest(report.id)
        self.texts += _digest(" ".join(report.text.split()))
        opens = _OPENS if _opens_with_addendum(report.text) else 0
        self.statuses.append(report.status + opens)
        self.times.append(nan if report.time is None else report.time)

    def plan(self, *, preliminary: bool) -> _Plan:
        plan = _Plan()
        ids = np.frombuffer(bytes(self.ids), dtype=f"S{_DIGEST_BYTES}")
        order = np.argsort(ids, kind="stable")
        is_first = np.ones(len(ids), dtype=bool)
        is_first[1:] = ids[order[1:]] != ids[order[:-1]]
        starts = np.flatnonzero(is_first)
        ends = np.append(starts[1:], len(ids))
        repeated = ends - starts > 1
        for start, end in zip(starts[repeated], ends[repeated], strict=True):
            notes = [self._note(int(number)) for number in order[start:end]]
            plan.decide(notes, preliminary=preliminary)
        return plan

    def _note(self, number: int) -> _Note:
        code, time = self.statuses[number], self.times[number]
        text = bytes(self.texts[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES])
        return _Note(
            number, Status(code % _OPENS), code >= _OPENS, None if isnan(time) else time, text
        )


_OPENS = 16  # added to the status of a message that opens with "ADDENDUM"


def _opens_with_addendum(text: str) -> bool:
    """Whether the text is an addendum by its own words, and does not repeat the whole report."""
    if not opens_as_addendum(text):
        return False
    text = text.upper()
    return _REPEATED not in text and sum(head in text for head in _WHOLE_REPORT_HEADS) < _MANY_HEADS


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
