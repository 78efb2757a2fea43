"""`chestct prepare`: DICOM trees and volume files in, a store of training-ready volumes out."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError, Stage

if TYPE_CHECKING:
    from configs.files import IdKey
    from model.volumes.find import Candidate, Header, Survey
    from model.volumes.store import Row, Store, VolumeIds
    from pipelines.running.run import Rejected, Run

_FEW = 24  # below so many volumes or batches, starting processes takes longer than it saves
_BATCH = 256  # files


def prepare(
    scans: Path,
    *,
    out: Path,
    profile: str = "tiny",
    id_key: Path | None = None,
    any_content: bool = False,
    workers: int | None = None,
    quiet: bool = False,
) -> "PrepareSummary":
    """Bring every CT series below a folder to a profile's grid and keep it in a store.

    Series that cannot be trusted are listed in `rejected.parquet` with their reason. Running
    again redoes only what is new or changed. Identifiers become pseudonyms of the key file.

    Parameters
    ----------
    scans
        A folder of DICOM files in any order and depth, and of NIfTI, NRRD, MetaImage, GIPL, VTI
        or RAD-ChestCT npz files.
    out
        The store to make or to add to.
    profile
        The grid: tiny, small, base, large, or a .yaml file.
    id_key
        The site's secret key file; STORE/id.key is made when none is named.
    any_content
        Keep also what does not look like a whole, upright chest CT (see `quality` in the manifest).
    workers
        Processes; by default all cores when there are many volumes.
    quiet
        No progress bar and no summary.
    """
    from configs.files import IdKey
    from configs.profile import load_profile
    from model.volumes.find import survey_folder
    from model.volumes.store import Store
    from pipelines.running.run import Run

    grid = load_profile(profile)
    key = IdKey.open(id_key) if id_key else None
    survey = survey_folder(scans, _headers(scans, workers, quiet))
    if not survey.candidates and not survey.refused:
        listing = ", ".join(f"{count} {kind}" for kind, count in survey.left_out.items())
        raise InputError(f"{scans}: no CT images below; found {listing or 'nothing'}")
    config = {"profile": grid.model_dump(mode="json")}
    with Run("prepare", out, {"scans": scans}, config) as run:
        key = key or IdKey.open(out / "id.key", create=True)
        with Store.create(out, grid) as store:
            _reject_refused(run, survey, key, scans)
            _prepare_all(run, store, survey, key, scans, any_content, workers, quiet)
        summary = _summary(run, store, survey)
        run.facts["left_out"] = dict(survey.left_out)
    if not quiet:
        summary.show(run.rejected)
    if not summary.volumes:
        raise InputError(
            f"{scans}: every series was rejected ({_reasons(run.rejected)}); "
            f"see {out / 'rejected.parquet'}"
        )
    return summary


@dataclass(slots=True)
class PrepareSummary:
    """What a store holds after a run of `prepare`."""

    out: Path
    volumes: int = 0
    scans: int = 0
    patients: int = 0
    added: int = 0
    kept: int = 0
    rejected: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def show(self, rejected: "list[Rejected]") -> None:
        """Print the counts, and the reasons of what was rejected."""
        from pipelines.running.progress import results

        results.print(
            f"{self.volumes:,} volumes of {self.scans:,} scans of {self.patients:,} patients in "
            f"{self.out}: {self.added:,} added, {self.kept:,} kept"
        )
        if rejected:
            table = self.out / "rejected.parquet"
            results.print(f"{self.rejected:,} rejected ({_reasons(rejected)}): {table}")
        if self.left_out:
            listing = ", ".join(f"{count:,} {kind}" for kind, count in self.left_out.items())
            results.print(f"left out: {listing}")


def _reasons(rejected: "list[Rejected]") -> str:
    counts = Counter(record.reason for record in rejected)
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def _reject_refused(run: "Run", survey: "Survey", key: "IdKey", root: Path) -> None:
    for item in survey.refused:
        name = item.series_uid or item.path.relative_to(root).as_posix()
        run.reject(
            key.pseudonym("volume", name), Stage.PREPARE, item.reason, _message(str(item.error))
        )


def _headers(scans: Path, workers: int | None, quiet: bool) -> "Iterator[Header]":
    """The headers of all files, read by several processes where there are many."""
    from model.volumes.find import files_below
    from pipelines.running.progress import track
    from pipelines.running.shards import map_records, usable_cores

    batches = list(_batches(files_below(scans)))
    workers = workers or (usable_cores() if len(batches) > _FEW else 1)
    read = map_records(_read_headers, batches, workers=workers)
    for headers in track(read, "reading headers", total=len(batches), quiet=quiet):
        yield from headers


def _batches(paths: "Iterator[Path]") -> "Iterator[list[Path]]":
    while batch := list(islice(paths, _BATCH)):
        yield batch


def _read_headers(paths: list[Path]) -> "list[Header]":
    from model.volumes.find import header_of

    return [header_of(path) for path in paths]


def _message(text: str) -> str:
    return text.partition(": ")[2]


def _prepare_all(
    run: "Run",
    store: "Store",
    survey: "Survey",
    key: "IdKey",
    root: Path,
    any_content: bool,
    workers: int | None,
    quiet: bool,
) -> None:
    from pipelines.running.progress import track
    from pipelines.running.shards import map_records, usable_cores

    tasks = []
    for candidate, ids in _identified(survey.candidates, key, root):
        if ids.volume_id in store and store.holds(ids.volume_id, candidate.fingerprint()):
            run.counts["kept"] += 1
        else:
            tasks.append(Task(candidate, ids, store, any_content))
    workers = workers or (usable_cores() if len(tasks) > _FEW else 1)
    work = map_records(_prepare_one, tasks, workers=workers)
    for outcome in track(work, "preparing", total=len(tasks), quiet=quiet):
        if isinstance(outcome, dict):
            store.record(outcome)
            run.counts["added"] += 1
        else:
            run.rejected.append(outcome)


@dataclass(frozen=True, slots=True)
class Task:
    """One volume to prepare; it travels to a worker process."""

    candidate: "Candidate"
    ids: "VolumeIds"
    store: "Store"
    any_content: bool


def _prepare_one(task: Task) -> "Row | Rejected":
    """Read, assess, preprocess and write one volume: its manifest row, or why there is none."""
    from model.volumes.anatomy import find_anatomy
    from model.volumes.assess import NOTES, assess
    from model.volumes.preprocess import preprocess
    from model.volumes.volume import VolumeError, VolumeReason
    from pipelines.running.run import Rejected

    name = task.ids.volume_id
    try:
        volume = task.candidate.read()
        anatomy = find_anatomy(volume)
        assessment = assess(volume, anatomy)
        if not assessment.in_scope and not task.any_content:
            reason = next(reason for reason in assessment.reasons if reason not in NOTES)
            return Rejected(name, Stage.PREPARE, reason, "not a whole, upright chest CT in HU")
        prepared = preprocess(volume, task.store.profile, anatomy)
        return task.store.write_array(prepared, task.ids, assessment.reasons)
    except VolumeError as error:
        return Rejected(name, Stage.PREPARE, error.reason, _message(str(error)))
    except (ValueError, ArithmeticError, MemoryError, OSError) as error:
        # One series that meets a mistake of ours must not cost the others; its text may quote it.
        detail = f"unexpected {type(error).__name__}"
        return Rejected(name, Stage.PREPARE, VolumeReason.UNREADABLE, detail)


def _identified(
    candidates: "tuple[Candidate, ...]", key: "IdKey", root: Path
) -> "Iterator[tuple[Candidate, VolumeIds]]":
    """Give each candidate its pseudonyms: DICOM by its identifiers, a file by its name.

    Files that share a name (`s0001/ct.nii.gz`, `s0002/ct.nii.gz`) are told apart by their path; an
    accession number that several patients share (anonymised archives) names no scan.
    """
    from model.volumes.formats import name_of
    from model.volumes.store import VolumeIds

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
        yield (
            item,
            VolumeIds(
                volume_id=key.pseudonym("volume", series + part),
                scan_id=key.pseudonym("scan", scan or study),
                study_id=key.pseudonym("scan", study),
                patient_id=key.pseudonym("patient", patient or study),
            ),
        )


def _summary(run: "Run", store: "Store", survey: "Survey") -> PrepareSummary:
    manifest = store.manifest
    run.counts["volumes"] = len(manifest)
    return PrepareSummary(
        out=store.path,
        volumes=len(manifest),
        scans=manifest["scan_id"].nunique(),
        patients=manifest["patient_id"].nunique(),
        added=run.counts["added"],
        kept=run.counts["kept"],
        rejected=len(run.rejected),
        left_out=survey.left_out,
    )
