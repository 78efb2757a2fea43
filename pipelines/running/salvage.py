"""A shard's result although some of its records crash or hang: those are found and set aside."""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from configs.contracts import RecordReason
from pipelines.running.child import Child, ChildCrashedError, ChildHungError

Record = TypeVar("Record")

_PARTS = 8  # a hanging record costs a deadline a level, so few levels: 8 to the 4th is 4,096


class Computation(Protocol):
    """A function of records that may be asked again for any stretch of them."""

    def compute(self, records: Sequence[Any]) -> Any:
        """The result for some neighbouring records, or none; runs in a child, maybe repeatedly."""
        ...

    def seconds(self, records: Sequence[Any]) -> float:
        """How long `compute` may take before it counts as hanging."""
        ...


@dataclass(frozen=True, slots=True)
class Lost(Generic[Record]):
    """A record that ends its process when it is computed alone."""

    record: Record
    reason: RecordReason
    """CRASH or TIMEOUT."""


class Salvage:
    """Computes records in a child, and splits them where it dies."""

    def __init__(self, work: Computation, child: Child) -> None:
        self._work = work
        self._child = child

    def pieces(self, packed: bytes, seconds: float) -> Iterator[Any]:
        """The results of the longest stretches that can be computed, in order, and each `Lost`.

        `packed` is the pickled records; `seconds` their deadline. Raises what the work raises,
        and RuntimeError when the child dies of no record at all.
        """
        try:
            yield self._child.call(packed, seconds)
        except (ChildCrashedError, ChildHungError) as error:
            records = pickle.loads(packed)  # noqa: S301  # packed by `pack`
            if len(records) == 1:
                yield self._alone(records, reason=_reason(error))
                return
            size = -(-len(records) // _PARTS)
            for start in range(0, len(records), size):
                part = records[start : start + size]
                yield from self.pieces(pack(part), self._work.seconds(part))

    def _alone(self, records: Sequence[Any], reason: RecordReason) -> Any:
        """A record's result after all, where its process was only killed from outside; or Lost."""
        if reason is RecordReason.CRASH:
            try:
                return self._child.call(pack(records), self._work.seconds(records))
            except (ChildCrashedError, ChildHungError) as error:
                reason = _reason(error)
        try:
            self._child.call(pack([]), self._work.seconds([]))
        except (ChildCrashedError, ChildHungError):
            raise RuntimeError(
                "a worker process ends without any record to work on; is memory short, or an "
                "installed library broken?"
            ) from None
        return Lost(records[0], reason)


def _reason(error: Exception) -> RecordReason:
    hung = isinstance(error, ChildHungError)
    return RecordReason.TIMEOUT if hung else RecordReason.CRASH


def pack(records: Sequence[Any]) -> bytes:
    """Records as they travel to a child."""
    return pickle.dumps(records, protocol=5)
