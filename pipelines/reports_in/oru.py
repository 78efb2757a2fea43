"""HL7 v2 result messages (ORU, and others that carry OBR and OBX) to reports.

Segments and fields are those of HL7 v2.9 chapters 4 and 7; head codes those of `headings`.
"""

import base64
import binascii
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from configs.contracts import InputError, RecordReason
from pipelines.reports_in.headings import head_of, under
from pipelines.reports_in.hl7 import CharsetError, Message, RawMessage, messages
from pipelines.reports_in.markup import plain
from pipelines.reports_in.rows import Report, unreadable
from pipelines.reports_in.status import Status, seconds_of, status_of
from pipelines.running.run import Rejected

_USUAL_IDS = ("OBR-3", "OBR-18", "ORC-3", "OBR-2", "ORC-2")
_FIELD = re.compile(r"([A-Z][A-Z0-9]{2})-(\d{1,2})(?:\.(\d{1,2}))?")
_TEXT_TYPES = frozenset({"TX", "FT", "ST", ""})
_CODED_TYPES = frozenset({"CE", "CWE", "CNE", "CF"})
_CODES_AND_TEXTS = (1, 2, 4, 5, 9)  # of CWE: code, text, the alternate ones, original text
_RETRACTED = frozenset({"D", "W", "X"})  # OBX-11: deleted, wrong, not to be had
_DROPPED = _RETRACTED | {"N", "I", "O"}  # no result, or not any more
_PENDING = "N"  # OBR-25: performed, not yet reported; OBX-11's N is another
_Segment = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldName:
    """A field such as OBR-18, or a component of it such as OBR-3.2."""

    segment: str
    field: int
    component: int

    @classmethod
    def parse(cls, name: str) -> "FieldName":
        """Raises InputError for what is no field's name."""
        match = _FIELD.fullmatch(name.strip().upper())
        if match is None:
            raise InputError(
                f"--id-column {name!r}: HL7 has no columns; name a field, such as OBR-3 or OBR-18"
            )
        return cls(match[1], int(match[2]), int(match[3] or 1))


@dataclass(slots=True)
class _Group:
    """One examination's result: its order segments and observations."""

    order: _Segment  # ORC, or empty
    request: _Segment  # OBR
    observations: list[_Segment] = field(default_factory=list)


class OruReader:
    """Reads reports out of a stream of HL7 v2 messages."""

    def __init__(self, id_field: str | None = None, encoding: str | None = None) -> None:
        """`encoding` is that of messages that declare none, else UTF-8."""
        names = (id_field,) if id_field else _USUAL_IDS
        self._ids = tuple(FieldName.parse(name) for name in names)
        self._undeclared = encoding or "utf-8"
        self.others = 0
        """Messages that carry no results (ADT, ORM, ACK, ...)."""

    def read(
        self, chunks: Iterable[bytes], place: str, *, codec: str | None = None
    ) -> Iterator[Report | Rejected]:
        """Every report of a file's bytes, or the reason why a message gives none."""
        for raw in messages(chunks):
            where = f"{place}byte {raw.offset}"
            if raw.too_long:
                yield unreadable(where, RecordReason.TOO_LONG, "a message of more than 32 MB")
                continue
            try:
                yield from self._message(raw, where, codec)
            except CharsetError as error:
                yield unreadable(where, RecordReason.CHARSET, str(error), self._plain_id(raw))
            except ValueError as error:
                yield unreadable(where, RecordReason.UNREADABLE, str(error))

    def _message(
        self, raw: RawMessage, place: str, codec: str | None
    ) -> Iterator[Report | Rejected]:
        message = Message.decoded(raw, codec=codec, undeclared=self._undeclared)
        is_result = _field(message.segments[0], 8).split(message.component)[0] == "ORU"
        groups = [
            group
            for group in _groups(message)
            if group.observations or (is_result and _status(message, group) is Status.WITHDRAWN)
        ]
        if not groups:
            if is_result:
                yield unreadable(place, RecordReason.EMPTY, "a result message without OBX")
            else:
                self.others += 1
            return
        first = {segment[0]: segment for segment in reversed(message.segments)}
        yield from [
            self._report(
                message,
                group,
                ChainMap({"OBR": group.request, "ORC": group.order}, first),
                f"{place}, OBR {number}" if len(groups) > 1 else place,
            )
            for number, group in enumerate(groups, start=1)
        ]

    def _report(
        self, message: Message, group: _Group, named: Mapping[str, _Segment], place: str
    ) -> Report | Rejected:
        report_id = self._id(message, named)
        status = _status(message, group)
        try:
            text = "" if status is Status.WITHDRAWN else _text(message, group)
        except CharsetError as error:
            return unreadable(place, RecordReason.CHARSET, str(error), report_id)
        except ValueError as error:
            return unreadable(place, RecordReason.UNREADABLE, str(error), report_id)
        times = (
            _field(group.request, 22),
            _field(message.segments[0], 6),
            _field(group.request, 7),
        )
        return Report(
            report_id,
            text,
            place,
            _exam(message, group.request),
            status,
            next((time for text in times if (time := seconds_of(text)) is not None), None),
        )

    def _plain_id(self, raw: RawMessage) -> str:
        """The identifier of a message that does not decode, where there is one and it is ASCII."""
        try:
            message = Message.decoded(raw, codec="latin-1")
            found = {
                self._id(message, ChainMap({"OBR": group.request, "ORC": group.order}))
                for group in _groups(message)
            }
        except (CharsetError, ValueError):
            return ""
        report_id = found.pop() if len(found) == 1 else ""
        return report_id if report_id.isascii() and report_id.isprintable() else ""

    def _id(self, message: Message, named: Mapping[str, _Segment]) -> str:
        for name in self._ids:
            whole = _field(named.get(name.segment, ()), name.field).split(message.repetition)[0]
            found = _component(message, whole, name.component).strip()
            if found:
                return found
        return ""


def _groups(message: Message) -> list[_Group]:
    """Examinations in order; requests for the same examination are one."""
    groups: list[_Group] = []
    order: _Segment = ()
    for segment in message.segments:
        if segment[0] == "ORC":
            order = segment
        elif segment[0] == "OBR":
            last = groups[-1].request if groups else None
            if last is None or not _same_request(last, segment):
                groups.append(_Group(order, segment))
        elif segment[0] == "OBX":
            if not groups:
                groups.append(_Group(order, ()))
            groups[-1].observations.append(segment)
    return groups


def _same_request(one: _Segment, other: _Segment) -> bool:
    identifying = [tuple(segment[2:5]) for segment in (one, other)]  # placer, filler, service
    return identifying[0] == identifying[1] and any(identifying[0][:2])


def _field(segment: _Segment, number: int) -> str:
    return segment[number] if number < len(segment) else ""


def _component(message: Message, raw: str, number: int) -> str:
    parts = raw.split(message.component)
    return message.text(parts[number - 1]) if number <= len(parts) else ""


def _exam(message: Message, request: _Segment) -> str:
    """Codes and texts of the service (OBR-4) and procedure (OBR-44), without coding systems."""
    parts = (
        _component(message, _field(request, number), component).strip()
        for number in (4, 44)
        for component in _CODES_AND_TEXTS
    )
    return " ".join(dict.fromkeys(filter(None, parts)))


def _status(message: Message, group: _Group) -> Status:
    stated = _field(group.request, 25).strip()
    results = {_field(segment, 11).strip() for segment in group.observations}
    if results and results <= _RETRACTED:
        return Status.WITHDRAWN
    if stated:
        status = Status.PRELIMINARY if stated == _PENDING else status_of(stated)
    else:
        known = {status_of(result) for result in results - _DROPPED}
        first = (
            *(Status.UNKNOWN, Status.PRELIMINARY, Status.PARTIAL),
            *(Status.CORRECTED, Status.FINAL, Status.ADDENDUM),
        )
        status = next((one for one in first if one in known), Status.PRELIMINARY)
    if status in (Status.FINAL, Status.CORRECTED, Status.PARTIAL) and _is_addendum(message, group):
        return Status.ADDENDUM
    return status


def _is_addendum(message: Message, group: _Group) -> bool:
    heads = {_head(message, segment) for segment in group.observations}
    return heads == {"ADDENDUM"}


def _head(message: Message, observation: _Segment) -> str | None:
    name = _field(observation, 3)
    pieces = re.split(
        f"[{re.escape(message.component)}{re.escape(message.subcomponent)}]", message.text(name)
    )
    return head_of(*pieces)


def _text(message: Message, group: _Group) -> str:
    """The observations' text, in order, each run of one kind under its head."""
    runs: list[tuple[str | None, list[str]]] = []
    for observation in group.observations:
        if _field(observation, 11).strip() in _DROPPED:
            continue
        value = _value(message, observation)
        if value is None:
            continue
        head = _head(message, observation)
        if not runs or runs[-1][0] != head:
            runs.append((head, []))
        runs[-1][1].append(value)
    texts = [under(head, plain("\n".join(values))) for head, values in runs]
    return "\n\n".join(text for text in texts if text.strip())


def _value(message: Message, observation: _Segment) -> str | None:
    """An observation as text; None for a kind that holds none, such as a PDF."""
    kind = _field(observation, 2).strip().upper()
    raw = _field(observation, 5)
    if kind in _TEXT_TYPES:
        return "\n".join(message.text(part) for part in raw.split(message.repetition))
    if kind == "ED":
        return _encapsulated(message, raw)
    if kind in _CODED_TYPES:
        value = ", ".join(_meaning(message, part) for part in raw.split(message.repetition))
    elif kind in ("NM", "SN"):
        unit = _component(message, _field(observation, 6), 1)
        value = f"{message.text(raw.replace(message.component, ''))} {unit}".strip()
    else:
        return None
    names = _field(observation, 3)
    name = _component(message, names, 2) or _component(message, names, 1)
    return f"{name}: {value}" if name and head_of(name) is None else value


def _meaning(message: Message, raw: str) -> str:
    """A coded value in words: its text, else the original text, else the code."""
    candidates = (_component(message, raw, number) for number in (2, 9, 1))
    return next((text for text in candidates if text.strip()), "")


def _encapsulated(message: Message, raw: str) -> str | None:
    """The text of encapsulated data (ED); None where it is no text."""
    parts = raw.split(message.component)
    if len(parts) < 5:
        return None
    encoding, data = parts[3].strip().lower(), message.component.join(parts[4:])
    if encoding == "a":
        return message.text(data)
    try:
        if encoding == "base64":
            content = base64.b64decode("".join(message.text(data).split()), validate=True)
        elif encoding == "hex":
            content = bytes.fromhex(message.text(data))
        else:
            return None
    except (binascii.Error, ValueError):
        raise ValueError("encapsulated data that do not decode") from None
    if content.startswith((b"%PDF", b"PK\x03\x04", b"\xff\xd8\xff", b"\x89PNG")):
        return None
    try:
        return content.decode(message.codec)
    except UnicodeDecodeError:
        raise CharsetError("encapsulated data that are not of its character set") from None
