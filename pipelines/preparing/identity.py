"""Whose each volume is, in pseudonyms of the site's key."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from configs.contracts import InputError
from configs.files import IdKey
from model.volumes.find import Candidate, Refused, Survey
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

    def columns(self) -> dict[str, str | None]:
        """Its pseudonyms under the names of a store's columns."""
        ids = self.ids
        return {
            "volume_id": ids.volume_id,
            "scan_id": ids.scan_id,
            "study_id": ids.study_id,
            "patient_id": ids.patient_id,
        }


def identify(
    candidates: tuple[Candidate, ...],
    key: IdKey,
    root: Path,
    dataset: Dataset | None = None,
    metadata: dict[str, Record] | None = None,
    phases: dict[int, int] | None = None,
    shared: Collection[str] = (),
) -> Iterator[Identified]:
    """Give each candidate its pseudonyms, and the phase that `phases_of` found.

    `shared` are accession numbers that name no scan (`shared_accessions`).

    Within a data set its own file names decide; else DICOM goes by its identifiers, a file by its
    name. Raises InputError for a file that is not of the data set.
    """
    if dataset is not None:
        metadata = metadata or {}
        for item, name in _of_dataset(candidates, dataset, metadata):
            ids = _pseudonyms(key, name, name.scan)
            yield Identified(item, ids, name, name.scan, metadata.get(name.volume))
    else:
        for item, name, study in _of_archive(candidates, root, shared):
            ids = replace(_pseudonyms(key, name, study), phase=(phases or {}).get(id(item)))
            yield Identified(item, ids, name, study)


@dataclass(frozen=True, slots=True)
class RefusedName:
    """What a series that is refused is known by, and whose it is as far as its headers say."""

    volume: str = field(repr=False)
    """Its UID, else its place below the root."""
    scan: str | None = field(repr=False)
    study: str | None = field(repr=False)
    patient: str | None = field(repr=False)

    def columns(self, key: IdKey) -> dict[str, str | None]:
        """The pseudonyms of all these under the names of a store's columns."""
        named = (
            ("volume_id", "volume", self.volume),
            ("scan_id", "scan", self.scan),
            ("study_id", "scan", self.study),
            ("patient_id", "patient", self.patient),
        )
        return {name: own and key.pseudonym(kind, own) for name, kind, own in named}


def names_of_refused(survey: Survey, root: Path) -> Iterator[tuple[Refused, RefusedName]]:
    """Each refused series with its names, by the rules that `identify` follows."""
    shared = shared_accessions(survey)
    for item in survey.refused:
        own = item.owner
        accession = "" if own.accession in shared else own.accession
        series = item.series_uid or item.path.relative_to(root).as_posix()
        study = own.study_uid or None
        yield item, RefusedName(series, accession or study, study, own.patient_id or study)


def shared_accessions(survey: Survey) -> set[str]:
    """Accession numbers that several patients have, as in anonymised archives: they name no scan.

    A refused series counts too: its report must not find another patient's scan.
    """
    patients: dict[str, set[str]] = defaultdict(set)
    for item in survey.candidates:
        patients[item.accession].add(item.patient_id or item.study_uid)
    for refused in survey.refused:
        own = refused.owner
        patients[own.accession] |= {own.patient_id or own.study_uid} - {""}
    return {accession for accession, owners in patients.items() if len(owners) > 1}


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
    candidates: tuple[Candidate, ...], root: Path, shared: Collection[str]
) -> Iterator[tuple[Candidate, ScanName, str]]:
    """Each candidate with its identifiers and its study.

    Files that share a name (`s0001/ct.nii.gz`, `s0002/ct.nii.gz`) are told apart by their path.
    """
    names = Counter(item.series_uid for item in candidates if item.part is None)
    seen: Counter[str] = Counter()
    for item in candidates:
        series, study, scan = item.series_uid, item.study_uid, item.accession
        patient = item.patient_id
        if item.part is None and names[series] > 1:
            path = item.path.relative_to(root)
            series = study = scan = patient = (path.parent / name_of(path)).as_posix()
        study = study or series
        if item.accession in shared:
            scan = study
        part = f"#{seen[series]}" if seen[series] else ""
        seen[series] += 1
        yield item, ScanName(series + part, scan or study, patient or study), study
