"""Whose each volume is, in pseudonyms of the site's key."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from configs.contracts import InputError
from configs.files import IdKey
from model.volumes.find import Candidate, Refused
from model.volumes.formats import name_of
from model.volumes.store import VolumeIds
from pipelines.datasets.dataset import Dataset, Record, ScanName


@dataclass(frozen=True, slots=True)
class Identified:
    """A candidate, whose it is in the archive's own words, and in pseudonyms."""

    candidate: Candidate
    ids: VolumeIds
    name: ScanName = field(repr=False)
    study: str = field(repr=False)
    record: Record | None = field(default=None, repr=False)
    """What a data set's metadata say of it."""


def identify(
    candidates: tuple[Candidate, ...],
    key: IdKey,
    root: Path,
    dataset: Dataset | None = None,
    metadata: dict[str, Record] | None = None,
    phases: dict[int, int] | None = None,
) -> Iterator[Identified]:
    """Give each candidate its pseudonyms, and the phase that `phases_of` found.

    Within a data set its own file names decide; else DICOM goes by its identifiers, a file by its
    name. Raises InputError for a file that is not of the data set.
    """
    if dataset is not None:
        metadata = metadata or {}
        for item, name in _of_dataset(candidates, dataset, metadata):
            ids = _pseudonyms(key, name, name.scan)
            yield Identified(item, ids, name, name.scan, metadata.get(name.volume))
    else:
        for item, name, study in _of_archive(candidates, root):
            ids = replace(_pseudonyms(key, name, study), phase=(phases or {}).get(id(item)))
            yield Identified(item, ids, name, study)


def name_of_refused(item: Refused, root: Path) -> str:
    """By which a series that is refused is known: its UID, else its place below the root."""
    return item.series_uid or item.path.relative_to(root).as_posix()


def _pseudonyms(key: IdKey, name: ScanName, study: str) -> VolumeIds:
    return VolumeIds(
        volume_id=key.pseudonym("volume", name.volume),
        scan_id=key.pseudonym("scan", name.scan),
        study_id=key.pseudonym("scan", study),
        patient_id=key.pseudonym("patient", name.patient),
    )


def _of_dataset(
    candidates: tuple[Candidate, ...], dataset: Dataset, metadata: dict[str, Record]
) -> Iterator[tuple[Candidate, ScanName]]:
    seen: set[str] = set()
    for item in candidates:
        if item.part is not None:
            raise InputError(
                "the data set holds no DICOM, but the folder does; name its own folder"
            )
        name = dataset.name_of(item.path.name, metadata)
        if name.volume in seen:
            # Two uploads side by side (train, train_fixed): which one is right is not ours to say.
            raise InputError(
                f"{name.volume} is there twice; name the folder of one release (train_fixed)"
            )
        seen.add(name.volume)
        yield item, name


def _of_archive(
    candidates: tuple[Candidate, ...], root: Path
) -> Iterator[tuple[Candidate, ScanName, str]]:
    """Each candidate with its identifiers and its study.

    Files that share a name (`s0001/ct.nii.gz`, `s0002/ct.nii.gz`) are told apart by their path; an
    accession number that several patients share (anonymised archives) names no scan.
    """
    names = Counter(item.series_uid for item in candidates if item.part is None)
    owners: dict[str, set[str]] = defaultdict(set)
    for item in candidates:
        owners[item.accession].add(item.patient_id or item.study_uid)
    seen: Counter[str] = Counter()
    for item in candidates:
        series, study, scan = item.series_uid, item.study_uid, item.accession
        patient = item.patient_id
        if item.part is None and names[series] > 1:
            path = item.path.relative_to(root)
            series = study = scan = patient = (path.parent / name_of(path)).as_posix()
        study = study or series
        if len(owners[item.accession]) > 1:
            scan = study
        part = f"#{seen[series]}" if seen[series] else ""
        seen[series] += 1
        yield item, ScanName(series + part, scan or study, patient or study), study
