"""What a run tells while it goes: its epochs, its steps, and who wants to know."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One step, as the console shows it."""

    seed: int
    done: int
    total: int
    """Steps of this seed's run."""
    loss: float
    learning_rate: float
    scans_per_second: float
    """Over this epoch, validation aside."""
    wait_share: float
    """Share of this epoch's training time in which the device waited for volumes."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the training history."""

    seed: int
    epoch: int
    """From 1; 0 is the start, before any step."""
    loss: float | None
    macro_auroc: float | None
    """On validation; None where it was not this epoch's turn."""
    learning_rate: float
    seconds: float
    """Since this seed's training began, interruptions left out."""
    scans_per_second: float
    wait_share: float
    skipped: int
    """Steps left out so far because of a value that was not a number."""
    label_auroc: tuple[float | None, ...] = ()
    """In the order of the labels; None where validation has one value only."""


@dataclass(slots=True)
class Progress:
    """How far a run is: what JSON holds of its state."""

    steps_per_epoch: int = 0
    step: int = 0
    minutes: float = 0.0
    started: bool = False
    finished: bool = False
    loss_sum: float = 0.0
    loss_steps: int = 0
    skipped: int = 0
    skipped_last: bool = False
    best_auroc: float = 0.0
    highest_auroc: float = 0.0
    best_epoch: int = 0
    stale: int = 0
    history: list[Epoch] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> "Progress":
        """What `as_json` gave."""
        epochs = [
            Epoch(**{**epoch, "label_auroc": tuple(epoch["label_auroc"])})
            for epoch in content["history"]
        ]
        return cls(**{**content, "history": epochs})


class Watcher(Protocol):
    """Whoever wants to know how training goes; called in the first process alone."""

    def resumed(self, history: list[Epoch]) -> None:
        """Called for each seed whose run was interrupted, with its epochs so far."""

    def step(self, step: Step) -> None:
        """Called after every step."""

    def epoch(self, epoch: Epoch) -> None:
        """Called after every epoch, and for the start."""
