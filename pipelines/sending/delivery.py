"""Where a run's DICOM files go, and the record of how they arrived."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError, Stage
from pipelines.rendering.forms import install
from pipelines.running.run import Run
from pipelines.sending.outcome import Outcome

if TYPE_CHECKING:  # both need an extra
    from httpx import URL

    from pipelines.sending.store import Entity

NOT_STORED = "NOT_STORED"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An application entity, the studies of a DICOMweb service, or both."""

    entity: "Entity | None"
    studies: "URL | None"

    def deliver(self, paths: Sequence[Path], run: Run) -> str | None:
        """Send the files everywhere; what is not stored stands in the run's record.

        Returns None where everything is stored, else one line that says what is not.
        """
        from pipelines.sending import stow
        from pipelines.sending.store import store

        outcomes: list[tuple[str, Outcome]] = []
        if self.entity:
            outcomes += [(str(self.entity), answer) for answer in store(paths, self.entity)]
        if self.studies:
            outcomes += [(str(self.studies), answer) for answer in stow.stow(paths, self.studies)]
        failed = [
            (outcome.path.name, f"{destination}: {outcome.detail}")
            for destination, outcome in outcomes
            if not outcome.stored
        ]
        for name, detail in failed:
            run.reject(name, Stage.SEND, NOT_STORED, detail)
        run.counts["sent"] = len(outcomes) - len(failed)
        if not failed:
            return None
        return (
            f"{len(failed)} of {len(outcomes)} objects not stored: {failed[0][0]}: {failed[0][1]}"
        )


def delivery(send: str | None, stow: str | None) -> Delivery | None:
    """The destinations of `--send HOST:PORT:AET` and `--stow URL`; None where neither is given.

    Raises InputError for a destination that is not well formed or may not have the credentials
    that are there, and where the extra is missing.
    """
    if send is None and stow is None:
        return None
    try:
        import_module("pynetdicom")
        import_module("httpx")
    except ImportError:
        raise InputError(
            f"sending needs packages that are not here; {install('dicom-sr')}"
        ) from None
    from pipelines.sending.store import Entity
    from pipelines.sending.stow import checked, credentials

    studies = checked(stow) if stow is not None else None
    if studies is not None:
        credentials(studies)  # refused now, not when the scan has been read
    return Delivery(Entity.parse(send) if send is not None else None, studies)
