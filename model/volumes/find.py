"""Every volume below a folder: what can be read, what is refused and why, what was left out."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from model.volumes import dicom_series, formats
from model.volumes.dicom_header import NOBODY, Broken, Owner, Slice
from model.volumes.dicom_reading import read_header
from model.volumes.dicom_series import Part
from model.volumes.other_file import OtherFile, is_named_like_one, other_file
from model.volumes.selection import rank, traits
from model.volumes.volume import Volume, VolumeError, VolumeReason

VOLUME_FILE = OtherFile.VOLUME_FILE
Header = tuple[Path, OtherFile | tuple[Slice, ...] | Broken]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One reconstruction that the headers promise: `read` decodes it."""

    path: Path = field(repr=False)
    """The file, or the folder of the first slice."""
    series_uid: str = field(repr=False)
    study_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    accession: str = field(repr=False)
    identity: tuple[bytes, ...] = field(repr=False)
    """Equal for candidates of the same patient and study; says nothing else."""
    slices: int
    part: Part | None = field(default=None, repr=False)

    def read(self) -> Volume:
        """The volume; raises VolumeError."""
        try:
            if self.part is None:
                return formats.read_file(self.path)
            return dicom_series.read_part(self.part)
        except OSError:
            raise VolumeError(VolumeReason.UNREADABLE, "a file cannot be opened or read") from None

    def fingerprint(self) -> str:
        """The SHA-256 that the volume's source would have, without decoding it."""
        if self.part is None:
            return formats.fingerprint(self.path)
        return dicom_series.fingerprint(self.part)


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A series or file that cannot become a trusted volume."""

    path: Path = field(repr=False)
    series_uid: str = field(repr=False)
    error: VolumeError
    slices: int
    owner: Owner = NOBODY

    @property
    def reason(self) -> VolumeReason:
        """The error's stable code."""
        return self.error.reason


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What lies below a folder."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]
    left_out: Counter[str]
    """Localizers, dose pages, other DICOM objects, and files that are no images: how many."""


def find_volumes(root: Path) -> list[Candidate | Refused]:
    """Every series or file below a folder that is a volume, or that ought to be one."""
    survey = survey_folder(root)
    return [*survey.candidates, *survey.refused]


def survey_folder(root: Path, headers: Iterable[Header] | None = None) -> Survey:
    """Everything below `root`, by the headers of its files.

    A caller that reads headers in several processes, or counts them, hands them in.
    Raises VolumeError NO_IMAGES when `root` is not there.
    """
    if not root.exists():
        raise VolumeError(VolumeReason.NO_IMAGES, f"{root}: no such file or folder")
    candidates: list[Candidate] = []
    refused: list[Refused] = []
    left_out: Counter[str] = Counter()
    series: dict[str, list[Slice]] = defaultdict(list)
    broken: list[Broken] = []
    blank: dict[Path, list[Path]] = defaultdict(list)
    for path, header in headers if headers is not None else map(header_of, files_below(root)):
        if header is VOLUME_FILE:
            candidates.append(_file_candidate(path))
        elif isinstance(header, OtherFile):
            left_out[header.value] += 1
            if header is OtherFile.BLANK:
                blank[path.parent].append(path)
        elif isinstance(header, Broken):
            broken.append(header)
        elif not header:
            left_out["DICOM object that is no image"] += 1
        else:
            series[header[0].file.series_uid or str(path.parent)] += header
    for uid, planes in series.items():
        # A cut file may be a slice of any series beside it: better none than one too short.
        folders = {plane.file.path.parent for plane in planes}
        folder, owner = planes[0].file.path.parent, planes[0].file.owner
        cut = [item for item in broken if _may_belong(item, uid, folders)]
        if cut:
            refused.append(_refused_for(cut[0], uid, folder, len(planes), owner))
            broken = [item for item in broken if item not in cut or not item.series_uid]
            continue
        if any(is_named_like_one(path, planes) for folder in folders for path in blank[folder]):
            message = "an empty file is named like the slices beside it: a copy that broke off"
            empty = Broken(planes[0].file.path, uid, message)
            refused.append(_refused_for(empty, uid, folder, len(planes), owner))
            continue
        parts, errors, out = dicom_series.parts_of(planes)
        left_out.update({kind.value: count for kind, count in out.items()})
        candidates.extend(_series_candidate(folder, uid, part) for part in parts)
        refused.extend(Refused(folder, uid, error, len(planes), owner) for error in errors)
    known = {item.path for item in refused}
    alone = {
        item.series_uid or item.path: item
        for item in broken
        if item.series_uid or item.path.parent not in known
    }
    refused += [
        _refused_for(item, item.series_uid, item.path, 1, item.owner) for item in alone.values()
    ]
    return Survey(tuple(candidates), tuple(refused), left_out)


def _may_belong(item: Broken, uid: str, folders: set[Path]) -> bool:
    return item.series_uid == uid or (not item.series_uid and item.path.parent in folders)


def _refused_for(item: Broken, uid: str, path: Path, slices: int, owner: Owner) -> Refused:
    return Refused(path, uid, VolumeError(item.reason, item.message), slices, owner)


def header_of(path: Path) -> Header:
    """A file with what its header says; reads no voxels."""
    if formats.is_volume_file(path):
        return path, VOLUME_FILE
    if path.is_symlink() and path.is_dir():
        return path, OtherFile.LINKED_FOLDER
    header = read_header(path)
    return path, other_file(path) if header is None else header


def files_below(root: Path) -> Iterator[Path]:
    """All files in a stable order, and the folders that are not entered.

    Links to folders are not followed: an archive that was unpacked may link to anything.
    """
    if root.is_file():
        yield root
        return
    closed: list[Path] = []
    for folder, folders, names in os.walk(root, onerror=lambda e: closed.append(Path(e.filename))):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file():
                yield path
        yield from (path for name in folders if (path := Path(folder) / name).is_symlink())
    yield from closed


def _file_candidate(path: Path) -> Candidate:
    name = formats.name_of(path)
    return Candidate(path, name, name, name, name, (name.encode(),), 0)


def _series_candidate(folder: Path, uid: str, part: Part) -> Candidate:
    header = part.planes[0].file
    return Candidate(
        folder,
        uid,
        header.study_uid,
        header.patient_id,
        header.accession,
        header.identity,
        len(part.planes),
        part,
    )


def read_volume(path: Path | str, series: str | None = None) -> Volume:
    """Read the volume at a path: a file, or a folder or tree that holds one scan.

    Of several series the best for reading chests is taken (`selection.rank`), and `warnings` say
    so; `series` names one by its UID. Raises VolumeError with a stable `reason`, never for content.
    """
    root = Path(path)
    survey = survey_folder(root)
    candidates = list(survey.candidates)
    refused = list(survey.refused)
    if series is not None:
        candidates = [item for item in candidates if item.series_uid == series]
        refused = [item for item in refused if item.series_uid == series]
        if not candidates and not refused:
            raise VolumeError(
                VolumeReason.SERIES_NOT_FOUND, f"{root}: no such series; {_listing(survey)}"
            )
    if not candidates and not refused:
        raise VolumeError(VolumeReason.NO_IMAGES, f"{root}: no CT images; {_listing(survey)}")
    several = len({item.identity for item in candidates}) > 1
    unnamed = [item for item in refused if not item.series_uid and series is None]
    if unnamed and not several:
        # It may be a slice of any series here.
        raise VolumeError(unnamed[0].reason, f"{root}: {_message(unnamed[0].error)}")
    largest = max(refused, key=lambda item: item.slices, default=None)
    if largest and largest.slices > 2 * max((item.slices for item in candidates), default=0):
        # What is left beside a refused scan is not the scan: a scout, a tracking series.
        raise VolumeError(largest.reason, f"{root}: {_message(largest.error)}")
    if several:
        raise VolumeError(
            VolumeReason.AMBIGUOUS,
            f"{root}: holds several patients, studies or files; name one",
        )
    best = _best(candidates)
    try:
        volume = best.read()
    except VolumeError as error:
        raise VolumeError(error.reason, f"{root}: {_message(error)}") from None
    notes = volume.warnings
    if len(candidates) + len(refused) > 1:
        notes += (
            f"chosen from {len(candidates) + len(refused)} series or reconstructions"
            f" ({', '.join(traits(best.part) if best.part else ['the only one readable'])})",
        )
    for item in refused:
        notes += (f"another series refused: {item.reason}",)
    notes += tuple(f"left out: {listed}" for listed in listing(survey.left_out))
    return replace(volume, warnings=notes)


def _best(candidates: list[Candidate]) -> Candidate:
    """By `selection.rank`; of files there is only one, or they would be ambiguous."""
    parts = [item.part for item in candidates if item.part is not None]
    return min(
        candidates, key=lambda item: (rank(item.part, parts) if item.part else (), item.series_uid)
    )


def listing(left_out: Counter[str]) -> list[str]:
    """What was left out, for people.

    >>> listing(Counter({"localizer": 2, "dose page or screen capture": 1}))
    ['dose page or screen capture (1)', 'localizer (2)']
    """
    return [f"{kind} ({count:,})" for kind, count in sorted(left_out.items())]


def _message(error: VolumeError) -> str:
    return str(error).removeprefix(f"{error.reason}: ")


def _listing(survey: Survey) -> str:
    found = listing(survey.left_out)
    found += [f"{len(survey.candidates)} series"] if survey.candidates else []
    return f"found {', '.join(found)}" if found else "the folder is empty"
