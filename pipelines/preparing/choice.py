"""Which series of an archive are prepared: the best of each scan, those named, or all."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from configs.contracts import InputError
from model.volumes.find import Candidate, Survey
from model.volumes.selection import rank

NOT_CHOSEN = "other series of a scan"
CONVERSION = "volume file in the folder of a DICOM series"
NOT_NAMED = "series that was not named"


def choose(
    survey: Survey, scans: Path, *, all_series: bool, series: Sequence[str]
) -> tuple[Candidate, ...]:
    """The candidates to prepare, in the survey's order; the others are counted as left out.

    Of the DICOM series of one study the first by `selection.rank` is taken; a volume file is one
    reconstruction by itself. Raises InputError when a named series is not there.
    """
    candidates = _without_conversions(survey)
    if series:
        found = {item.series_uid for item in survey.candidates}
        found |= {item.series_uid for item in survey.refused}
        if missing := [name for name in series if name not in found]:
            raise InputError(
                f"{scans}: {len(missing)} of the {len(series)} series named are not there"
            )
        chosen = tuple(item for item in candidates if item.series_uid in series)
        _leave_out(survey, NOT_NAMED, len(candidates) - len(chosen))
        return chosen
    if all_series:
        return candidates
    studies: dict[tuple[bytes, ...], list[Candidate]] = defaultdict(list)
    for item in candidates:
        if item.part is not None:
            studies[item.identity].append(item)
    best = {id(_best(items)) for items in studies.values()}
    chosen = tuple(item for item in candidates if item.part is None or id(item) in best)
    _leave_out(survey, NOT_CHOSEN, len(candidates) - len(chosen))
    return chosen


def _without_conversions(survey: Survey) -> tuple[Candidate, ...]:
    """Leave out volume files that lie among DICOM slices: copies of the scan, or masks of it.

    Their names would make another patient of the same person, who could then be in two splits.
    """
    folders = {
        plane.file.path.parent for c in survey.candidates if c.part for plane in c.part.planes
    }
    kept = tuple(c for c in survey.candidates if c.part or c.path.parent not in folders)
    _leave_out(survey, CONVERSION, len(survey.candidates) - len(kept))
    return kept


def _best(items: list[Candidate]) -> Candidate:
    parts = [item.part for item in items if item.part is not None]
    return min(
        items, key=lambda item: (rank(item.part, parts) if item.part else (), item.series_uid)
    )


def _leave_out(survey: Survey, what: str, count: int) -> None:
    if count:
        survey.left_out[what] += count
