"""`chestct prepare`: DICOM trees and volume files in, a store of training-ready volumes out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError, Stage

if TYPE_CHECKING:
    from configs.files import IdKey
    from model.volumes.find import Refused, Survey
    from model.volumes.store import Store
    from pipelines.preparing.identity import RefusedName
    from pipelines.preparing.work import Task
    from pipelines.running.run import Rejected, Run

_FEW = 24  # below so many volumes, starting processes takes longer than it saves
_SERIES_SECONDS = 900.0  # then a series counts as hung; the largest tried took a few


def prepare(
    scans: Path,
    *,
    out: Path,
    profile: str = "tiny",
    id_key: Path | None = None,
    id_map: Path | None = None,
    dataset: str | None = None,
    metadata: Path | None = None,
    site: str | None = None,
    series: list[str] | None = None,
    all_series: bool = False,
    any_content: bool = False,
    dry_run: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
) -> "PrepareSummary | PrepareEstimate":
    """Bring every scan below a folder to a profile's grid and keep it in a store.

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
        The grid: tiny, compact, small, base, large, or a .yaml file.
    id_key
        The site's secret key file; STORE/id.key is made when none is named.
    id_map
        A file outside the store to write the way back into: each series' pseudonyms beside its own
        identifiers (Parquet, mode 0600). Nothing of the kind is kept unless this is given.
    dataset
        ct_rate or rad_chestct: the files are that data set's, and its names say whose they are.
    metadata
        The data set's published metadata table.
    site
        Where these scans were taken, in a word of your own, for `chestct cohort --test-site`.
    series
        Only the series of this UID (or file name without ending); may be repeated.
    all_series
        Keep all series of a scan, not only the one that reads a chest best (docs/volumes.md).
    any_content
        Keep also what does not look like a whole, upright chest CT (see `quality` in the manifest).
    dry_run
        Check all arguments, prepare a few volumes, tell what all would take in disk and time, and
        write nothing.
    workers
        Processes; by default all cores when there are many volumes.
    scheduler
        The address of a Dask scheduler (tcp://...) whose workers prepare the volumes; SCANS and
        STORE must lie where all machines see them under the same path (docs/scale.md).
    quiet
        No progress bar and no summary.
    """
    from configs.files import IdKey
    from configs.profile import load_profile
    from model.volumes.find import listing, survey_folder
    from model.volumes.store import Store
    from pipelines.datasets import load_dataset
    from pipelines.preparing.choice import choose
    from pipelines.preparing.estimate import estimate
    from pipelines.preparing.headers import read_headers
    from pipelines.preparing.id_map import check_id_map, write_id_map
    from pipelines.preparing.identity import identify, names_of_refused, shared_accessions
    from pipelines.preparing.phases import phases_of
    from pipelines.preparing.refused import write_refused
    from pipelines.preparing.work import Task
    from pipelines.running.cluster import check_workers
    from pipelines.running.run import Run

    check_workers(workers)
    if scheduler is not None:
        scans, out = scans.absolute(), out.absolute()  # as the workers are to find them
    if series and all_series:
        raise InputError("--series names what to prepare, --all-series prepares all: give one")
    if metadata and not dataset:
        raise InputError("--metadata is a data set's table: name it with --dataset")
    if id_map:
        check_id_map(id_map, out)
    grid = load_profile(profile)
    if (out / "store.json").exists():
        Store.create(out, grid)  # refuses a store of another profile before the archive is read
    known = load_dataset(dataset) if dataset else None
    records = known.read_metadata(metadata) if known else None
    key = IdKey.open(id_key) if id_key else None
    config = {
        "profile": grid.model_dump(mode="json"),
        "dataset": dataset,
        "site": site,
        "all_series": all_series,
        "any_content": any_content,
    }
    inputs = {"scans": scans} | ({"metadata": metadata} if metadata else {})
    run = Run("prepare", out, inputs, config)
    run.check_inputs()
    with nullcontext() if dry_run else run.alone():
        survey = survey_folder(scans, read_headers(scans, workers, quiet=quiet))
        if not survey.candidates and not survey.refused:
            found = ", ".join(listing(survey.left_out)) or "nothing"
            raise InputError(f"{scans}: no CT images below; found {found}")
        chosen = choose(survey, scans, all_series=all_series, series=series or ())
        if dry_run:
            # The key is not made yet; any other finds the same contradictions in names.
            named = list(identify(chosen, key or IdKey(b""), scans, known, records))
            expected = estimate(survey, named, grid, known, any_content=any_content)
            if not quiet:
                expected.show()
            return expected
        with run:
            key = key or IdKey.open(out / "id.key", create=True)
            phases = phases_of(survey.candidates)
            shared = shared_accessions(survey)
            named = list(identify(chosen, key, scans, known, records, phases, shared))
            refused = list(names_of_refused(survey, scans))
            if id_map:
                write_id_map(id_map, named, [name for _, name in refused], key)
            ids = [name.columns(key) for _, name in refused] + [item.columns() for item in named]
            with Store.create(out, grid) as store:
                _reject_refused(run, refused, key)
                tasks = (
                    Task(item.candidate, item.ids, store, any_content, known, item.record, scans)
                    for item in named
                )
                _prepare_all(run, store, tasks, site, workers, scheduler, quiet)
                write_refused(store, run.rejected, {str(row["volume_id"]): row for row in ids})
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
    profile: str
    volumes: int = 0
    scans: int = 0
    patients: int = 0
    added: int = 0
    kept: int = 0
    rejected: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def show(self, rejected: "list[Rejected]") -> None:
        """Print the counts, and the reasons of what was rejected."""
        from model.volumes.find import listing
        from pipelines.preparing.choice import NOT_CHOSEN
        from pipelines.rendering.finding_wording import counted
        from pipelines.running.progress import results

        results.print(
            f"{counted(self.volumes, 'volume')} of {counted(self.scans, 'scan')} of "
            f"{counted(self.patients, 'patient')} in {self.out}: {self.added:,} added, "
            f"{self.kept:,} kept"
        )
        if rejected:
            table = self.out / "rejected.parquet"
            results.print(f"{self.rejected:,} rejected ({_reasons(rejected)}): {table}")
        if self.left_out:
            hint = "; --all-series keeps every series" if NOT_CHOSEN in self.left_out else ""
            results.print(f"left out: {', '.join(listing(self.left_out))}{hint}", markup=False)
        results.print(_recipes(self.profile))


@dataclass(frozen=True, slots=True)
class PrepareEstimate:
    """Disk and time for the volumes that an archive promises; measured on `sampled` of them."""

    volumes: int
    refused: int
    sampled: int
    sample_kept: int
    store_bytes: int
    seconds_one_worker: float
    profile: str

    def show(self) -> None:
        """Print it for people."""
        from pipelines.running.progress import results

        minutes = self.seconds_one_worker / 60
        results.print(
            f"{self.volumes:,} volumes to prepare, {self.refused:,} series refused by their "
            f"headers; of {self.sampled} tried, {self.sample_kept} would be kept"
        )
        results.print(
            f"about {self.store_bytes / 1e6:,.0f} MB of store and {minutes:,.1f} minutes of one "
            "core; nothing was written"
        )
        results.print(_recipes(self.profile))


def _recipes(profile: str) -> str:
    """Which recipes train on this store: another profile means to prepare again."""
    from configs.training import recipes_for

    names = recipes_for(profile)
    which = f"`chestct train --config {names[0]}`" if names else "a recipe of your own"
    others = f" (or {', '.join(names[1:])})" if names[1:] else ""
    return f"Profile {profile}: to be trained by {which}{others}; --profile chooses another grid"


def _reasons(rejected: "list[Rejected]") -> str:
    counts = Counter(record.reason for record in rejected)
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def _reject_refused(
    run: "Run", refused: "Iterable[tuple[Refused, RefusedName]]", key: "IdKey"
) -> None:
    from pipelines.preparing.work import message_of

    for item, name in refused:
        series = key.pseudonym("volume", name.volume)
        run.reject(series, Stage.PREPARE, item.reason, message_of(item.error))


def _prepare_all(
    run: "Run",
    store: "Store",
    tasks: "Iterator[Task]",
    site: str | None,
    workers: int | None,
    scheduler: str | None,
    quiet: bool,
) -> None:
    from pipelines.preparing.work import prepare_one, set_aside
    from pipelines.running.progress import track
    from pipelines.running.shards import map_records, usable_cores

    missing = []
    for task in tasks:
        name = task.ids.volume_id
        if name in store and store.holds(name, task.candidate.fingerprint()):
            run.counts["kept"] += 1
        else:
            missing.append(task)
    workers = workers or (usable_cores() if len(missing) > _FEW else 1)
    work = map_records(
        prepare_one,
        missing,
        workers=workers,
        scheduler=scheduler,
        seconds=_SERIES_SECONDS,
        lost=set_aside,
    )
    for outcome in track(work, "preparing", total=len(missing), quiet=quiet):
        if isinstance(outcome, dict):
            if not (store.path / outcome["array"]).is_file():
                raise InputError(
                    f"{store.path}: a worker wrote an array that is not to be seen here; STORE "
                    "must lie on a file system that all machines share"
                )
            store.record(outcome | {"site": site})
            run.counts["added"] += 1
        else:
            run.rejected.append(outcome)


def _summary(run: "Run", store: "Store", survey: "Survey") -> PrepareSummary:
    manifest = store.manifest
    run.counts["volumes"] = len(manifest)
    return PrepareSummary(
        out=store.path,
        profile=store.profile.name,
        volumes=len(manifest),
        scans=manifest["scan_id"].nunique(),
        patients=manifest["patient_id"].nunique(),
        added=run.counts["added"],
        kept=run.counts["kept"],
        rejected=len(run.rejected),
        left_out=survey.left_out,
    )
