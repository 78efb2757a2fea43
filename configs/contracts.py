"""What the rooms promise each other: values, reason codes, exit codes, errors.

Light on purpose: nothing here imports more than the standard library. Table schemas, which need
pyarrow, stand in `configs.tables`.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

SYNTHETIC_NOTICE = "SYNTHETIC: drawn by chestct, not a patient"
INTENDED_USE = (
    "Research use only. Not a medical device. Do not diagnose, delay or omit a read on it."
)
PROBABILITY_MEANING = (
    "A probability is the chance that a report from the training site would state the finding, "
    "not the chance of disease."
)


class ExitCode(IntEnum):
    """What the shell sees. Rejected records among good ones are listed and counted: still DONE."""

    DONE = 0
    BUG = 1
    INPUT = 2
    PAUSED = 75  # asked to stop before its end, its state is written: run it again with --resume
    INTERRUPTED = 130


class InputError(Exception):
    """What the user gave cannot be used; the message is one line saying what, where, what to do.

    The command line prints it without a traceback and exits with `ExitCode.INPUT`.
    """


class LabelValue(IntEnum):
    """A finding's value for a report under a convention; not mentioned is None (blank)."""

    PRESENT = 1
    ABSENT = 0
    UNCERTAIN = -1


class Existence(StrEnum):
    """Whether a text says that a finding is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"


class Temporality(StrEnum):
    """Whether a fact is about this examination or only about an earlier one."""

    CURRENT = "current"
    PRIOR = "prior"


class Change(StrEnum):
    """How a finding compares with the earlier examination, in the text's own claim."""

    NEW = "new"
    RESOLVED = "resolved"
    LARGER = "larger"
    SMALLER = "smaller"
    STABLE = "stable"


class Assessability(StrEnum):
    """Whether the examination allowed the finding to be judged at all."""

    FULL = "full"
    LIMITED = "limited"
    NONE = "none"


class Experiencer(StrEnum):
    """Whom a fact is about."""

    PATIENT = "patient"
    OTHER = "other"


class Split(StrEnum):
    """The part of a cohort a patient belongs to."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Stage(StrEnum):
    """Where in the chain a record was set aside (`rejected.parquet`, column `stage`)."""

    READ = "read"
    LABEL = "label"
    PREPARE = "prepare"
    COHORT = "cohort"
    TRAIN = "train"
    SEND = "send"
    REVIEW = "review"


class RecordReason(StrEnum):
    """Why a report or a join record was set aside. Public and versioned: add, never rename."""

    EMPTY = "EMPTY"
    ENCODING = "ENCODING"
    TOO_LONG = "TOO_LONG"
    MALFORMED_ROW = "MALFORMED_ROW"
    NO_ID = "NO_ID"
    DUPLICATE_ID = "DUPLICATE_ID"
    CRASH = "CRASH"
    TIMEOUT = "TIMEOUT"
    UNREADABLE = "UNREADABLE"
    CHARSET = "CHARSET"
    NOT_A_REPORT = "NOT_A_REPORT"
    EXAM = "EXAM"
    LANGUAGE = "LANGUAGE"
    STATUS = "STATUS"
    PRELIMINARY = "PRELIMINARY"
    SUPERSEDED = "SUPERSEDED"
    JOINED = "JOINED"
    WITHDRAWN = "WITHDRAWN"
    CONFLICT = "CONFLICT"
    NO_SCAN = "NO_SCAN"
    SCAN_REFUSED = "SCAN_REFUSED"
    NO_REPORT = "NO_REPORT"
    AMBIGUOUS = "AMBIGUOUS"
    DAMAGED = "DAMAGED"
    UNSURE = "UNSURE"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float
