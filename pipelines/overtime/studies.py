"""A patient's series read by a bundle and put in order of date and time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError
from model.volumes import Candidate, Refused, VolumeError
from model.volumes.find import survey_folder
from model.volumes.selection import rank
from pipelines.overtime.content import Reconstruction, Study, Timeline
from pipelines.overtime.scores import Scored, traces
from pipelines.rendering.content import Finding, Remark, Scan, ScanReport, TrainingData
from pipelines.rendering.reading import Reading, read_scan

if TYPE_CHECKING:
    from model.bundle import Bundle

_DATE = "%Y%m%d"


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One series with what the network said, and what links it to its study and its report."""

    study: tuple[bytes, ...]
    patient_id: str
    report_ids: tuple[str, ...]
    """Accession number and study UID, as far as known: what its report may be called."""
    date: str
    time: str
    """HHMMSS at which the study began, or empty."""
    kernel: str
    content: ScanReport


def find(roots: Sequence[Path]) -> tuple[list[Candidate], list[Refused]]:
    """Every series below some folders, or the files themselves, of one patient.

    A series that is named twice counts once: two copies would differ by nothing, and make the noise
    nothing too. Raises InputError where there is none, or where identifiers name several patients.
    """
    found: list[Candidate] = []
    refused: list[Refused] = []
    for root in roots:
        try:
            survey = survey_folder(root)
        except VolumeError as error:
            raise InputError(str(error).partition(": ")[2]) from None
        dicom = [item for item in survey.candidates if item.part is not None]
        found += dicom or survey.candidates  # a file beside DICOM is a conversion or a mask
        refused += survey.refused
        if not survey.candidates:
            raise InputError(f"{root}: no CT images that can be read{_reasons(survey.refused)}")
    patients = {item.patient_id for item in found if item.part is not None and item.patient_id}
    if len(patients) > 1:
        raise InputError(f"{roots[0]}: holds {len(patients)} patients; name one patient's folder")
    once = {_series(item): item for item in reversed(found)}
    return [item for item in found if once[_series(item)] is item], refused


def _series(item: Candidate) -> tuple[object, ...]:
    return (item.identity, item.series_uid) if item.part else (item.path.resolve(),)


def _reasons(refused: Sequence[Refused]) -> str:
    return f" ({', '.join(sorted({item.reason.value for item in refused}))})" if refused else ""


def read_all(
    candidates: Iterable[Candidate], bundle: "Bundle", bundle_path: Path, *, identified: bool
) -> Iterator[Read]:
    """Read each series; one that cannot be read has its reasons."""
    for item in candidates:
        yield of_reading(item, read_scan(item, bundle, bundle_path, identified=identified))


def of_reading(item: Candidate, reading: Reading) -> Read:
    """What a timeline keeps of a reading; the volume is let go."""
    source = reading.volume.source if reading.volume else None
    header = item.part.planes[0].file if item.part else None
    return Read(
        study=item.identity,
        patient_id=item.patient_id if item.part else "",
        report_ids=tuple(filter(None, (item.accession, item.study_uid))),
        date=(source.date if source else "") or (header.date if header else ""),
        time=(source.time if source else "") or (header.time if header else ""),
        kernel=source.kernel if source else "",
        content=reading.content,
    )


def timeline(
    reads: Sequence[Read], order: Sequence[Candidate], refused: Sequence[Refused] = ()
) -> tuple[Timeline, dict[str, int]]:
    """The timeline without texts, and each report's identifier with its study's number.

    `order` holds the series of `reads`, one for one.
    Raises InputError when nothing was read, or one of several studies has no date.
    """
    groups: dict[tuple[bytes, ...], list[Read]] = defaultdict(list)
    ranks = _ranks(order)
    pairs = sorted(zip(reads, order, strict=True), key=lambda pair: ranks[id(pair[1])])
    for read, _ in pairs:
        groups[read.study].append(read)
    if len(groups) > 1 and not all(map(_day, groups.values())):
        raise InputError("a study has no date in its headers, so it cannot be placed in time")
    ordered = sorted(groups.values(), key=_began)
    first = _day(ordered[0])
    studies: list[Study] = []
    scores: list[list[Scored]] = []
    names: dict[str, Finding] = {}
    reports: dict[str, int] = {}
    for number, of_study in enumerate(ordered, start=1):
        shown = [_reconstruction(read) for read in of_study]
        scored = [
            Scored(one, {f.label: f for f in read.content.findings}, read.kernel)
            for one, read in zip(shown, of_study, strict=True)
            if one.read
        ]
        day = _day(of_study)
        studies.append(
            Study(
                number=number,
                day=(day - first).days if day and first else None,
                reconstructions=tuple(shown),
                shown=next((n for n, one in enumerate(shown) if one.read), None),
            )
        )
        scores.append(scored)
        reports |= {name: number for read in of_study for name in read.report_ids}
        names |= {label: f for one in scored for label, f in one.findings.items()}
    if not names:
        reasons = {remark.code for s in studies for r in s.reconstructions for remark in r.reasons}
        raise InputError(f"no series could be read: {', '.join(sorted(reasons))}")
    traced, known = traces(studies, scores, names)
    content = reads[0].content
    return Timeline(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        identified=content.scan.identified,
        model_id=content.model.id,
        training_data=TrainingData(content.model.training_data),
        patient_id=next((r.content.scan.patient_id for r in reads), None),
        studies=tuple(studies),
        refused=tuple(
            Remark(code=item.reason, meaning=str(item.error).removeprefix(f"{item.reason}: "))
            for item in refused
        ),
        repeatability=known,
        traces=traced,
    ), reports


def _ranks(candidates: Sequence[Candidate]) -> dict[int, tuple[float, ...]]:
    parts = [item.part for item in candidates if item.part is not None]
    return {id(item): rank(item.part, parts) if item.part else () for item in candidates}


def _reconstruction(read: Read) -> Reconstruction:
    content = read.content
    return Reconstruction(
        scan=content.scan if content.scan.series else Scan(identified=content.scan.identified),
        step_mm=content.geometry.spacing_mm_zyx[0] if content.geometry else None,
        reasons=content.quality.reasons,
        notes=content.quality.notes,
    )


def _began(of_study: Sequence[Read]) -> tuple[date, str]:
    """Day and time of day; of one day, a study whose time is not known comes first."""
    return _day(of_study) or date.min, max(read.time for read in of_study)


def _day(of_study: Sequence[Read]) -> date | None:
    for read in of_study:
        try:
            return datetime.strptime(read.date, _DATE).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None
