"""`chestct cohort`: who belongs to whom, and in which split each patient stands."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import pyarrow as pa
from cyclopts import Parameter
from rich.table import Table

from configs import files, tables
from configs.contracts import InputError, RecordReason, Split, Stage
from model.volumes.store import Store
from pipelines.joining.known_scans import KnownScans
from pipelines.joining.links import Settled, link, settle
from pipelines.joining.mapping import read_mapping
from pipelines.joining.patients import one_id_each
from pipelines.joining.reports import read_report_ids, read_stated
from pipelines.joining.set_aside import SetAside, setting_aside
from pipelines.joining.splits import Shares, by_date, by_hash, by_site, too_small
from pipelines.preparing.refused import read_refused
from pipelines.running.progress import messages, results
from pipelines.running.run import Rejected, Run

_TEST_SHARE = 0.2
_SHOWN_SITES = 8
_DATES = ("first date", "last date")


def cohort(
    labels: Path,
    store: Path,
    *,
    out: Path,
    map_file: Annotated[Path | None, Parameter(name="--map")] = None,
    id_key: Path | None = None,
    split_by: Literal["random", "date"] = "random",
    test_site: list[str] | None = None,
    validation: float = 0.1,
    test: float | None = None,
    seed: int = 0,
    restart: bool = False,
    quiet: bool = False,
) -> pd.DataFrame:
    """Join reports and scans through the site's key, and split by patient.

    A report belongs to a scan when its id is the scan's accession number or study UID (a file's
    name without endings for scans that are not DICOM). What has no partner, and what several
    claim, is listed in `rejected.parquet`. A patient never stands in two splits.

    Parameters
    ----------
    labels
        Output folder of `chestct label`, or its labels.parquet.
    store
        Output folder of `chestct prepare`.
    out
        Folder for cohort.parquet, rejected.parquet and run.json.
    map_file
        CSV with the columns report_id and scan (accession number or study UID), for archives
        whose reports carry other ids; a report of several scans has several rows. A column site
        says where a scan was taken, with or without the column scan, and comes before the site
        that `chestct prepare --site` noted.
    id_key
        The site's key file; default: id.key in the store.
    split_by
        `random`: a patient's split follows from the patient and the seed alone, so that it never
        changes when the archive grows. `date`: the patients seen latest test, those before them
        validate.
    test_site
        Every patient who was scanned at this site tests, the others train and validate; repeat it
        for several. `chestct prepare --site` notes sites, or the --map file names them.
    validation
        Share of patients in the validation split.
    test
        Share of patients in the test split; 0.2 unless a site tests. 1 (with --validation 0) for
        an archive that only tests.
    seed
        Another seed draws other splits.
    restart
        Replace a finished cohort in OUT that was made with other arguments. A bundle that was
        trained on it may then meet its own patients in the new test split.
    quiet
        Print nothing.
    """
    shares = _shares(validation, test, seed, test_site or (), split_by)
    if (labels / "store.json").is_file():
        raise InputError(f"{labels}: a store; labels come first: `chestct cohort LABELS STORE`")
    opened = _finished(store)
    key = files.IdKey.open(id_key or store / "id.key")
    inputs = {"labels": labels, "store": store} | ({"map": map_file} if map_file else {})
    config = {
        "split_by": split_by,
        "test_site": test_site or [],
        "validation": validation,
        "test": shares.test,
        "seed": seed,
    }
    table = files.verbs_table(labels, "labels.parquet", "label")
    run = Run("cohort", out, inputs, config, restart=restart)
    with run.alone(), ExitStack() as taken, setting_aside(out) as aside:
        manifest = opened.manifest
        person = one_id_each(manifest)
        manifest = manifest.assign(patient_id=manifest["patient_id"].map(person))
        manifest = manifest.rename(columns={"site": "site_of_store"})
        known = KnownScans(manifest, read_refused(store), key)
        mapping = read_mapping(map_file, known) if map_file else None
        links = link(read_report_ids(table), known, mapping, aside)
        if links.duplicated(["report_id", "scan_id"]).any():
            raise InputError(f"{table}: a report stands in two rows; keep one")
        settled = settle(links, manifest)
        _refuse_nothing(f"{labels} and {store}", settled, aside)
        _set_aside(aside, manifest, links, settled)
        joined: pd.DataFrame = _described(manifest.merge(settled.links, on="scan_id"), table)
        joined["split"] = joined["patient_id"].map(
            _splits(joined, shares, split_by, test_site or ())
        )
        joined = joined.loc[:, tables.DESCRIBED_COHORT.names]
        taken.enter_context(run)  # only now: a refusal leaves an earlier cohort as it is
        files.write_table(
            out / "cohort.parquet",
            pa.Table.from_pandas(joined, tables.DESCRIBED_COHORT, preserve_index=False),
        )
        _count(run, joined, settled, aside)
        run.facts["same_patients"] = _same(person, set(joined["patient_id"]))
        asked = shares.asked(tests_by_site=bool(test_site))
        run.facts["warnings"] = list(too_small(joined, asked, by_date=split_by == "date"))
    if not quiet:
        _show(run, joined)
    for warning in run.facts["warnings"]:
        messages.print(f"warning: {warning}", markup=False)
    return joined


def _finished(store: Path) -> Store:
    """The store; InputError for one whose `prepare` did not come to its end."""
    opened = Store.open(store)
    if not (store / "run.json").exists():
        raise InputError(
            f"{store}: has no run.json, so its `prepare` was cut short or is still at work, and "
            "scans may be missing; run it again"
        )
    return opened


def _shares(
    validation: float, test: float | None, seed: int, sites: Sequence[str], split_by: str
) -> Shares:
    if sites and (test is not None or split_by != "random"):
        raise InputError("--test-site says who tests: leave out --test and --split-by")
    share = 0.0 if sites else _TEST_SHARE if test is None else test
    if not (validation >= 0 and share >= 0 and validation + share <= 1):
        raise InputError(
            f"--validation {validation} and --test {share}: shares of patients, together at most 1"
        )
    return Shares(validation, share, seed)


def _refuse_nothing(inputs: str, settled: Settled, aside: SetAside) -> None:
    if len(settled.links):
        return
    if settled.scans:
        why = ", ".join(sorted(set(settled.scans.values())))
        raise InputError(f"{inputs}: all {len(settled.scans)} matches are ambiguous: {why}")
    if refused := aside.counts[RecordReason.SCAN_REFUSED]:
        raise InputError(
            f"{inputs}: `prepare` refused the scans of {refused:,} reports, and no other report "
            f"belongs to a scan; {inputs.rpartition(' ')[2]}/rejected.parquet says why"
        )
    raise InputError(
        f"{inputs}: no report belongs to a scan. Are the report ids accession numbers or study "
        "UIDs? Else name their scans with --map"
    )


def _set_aside(
    aside: SetAside, manifest: pd.DataFrame, links: pd.DataFrame, settled: Settled
) -> None:
    """The scans that no report names, and what is ambiguous."""
    scans = manifest["scan_id"].drop_duplicates()
    aside.add(
        Rejected(scan, Stage.COHORT, RecordReason.NO_REPORT, "no report names it")
        for scan in scans[~scans.isin(links["scan_id"])]
    )
    aside.add(settled.rejected())


def _described(joined: pd.DataFrame, labels: Path) -> pd.DataFrame:
    """The volumes in order, with what is stated of their reports; the map's site comes first."""
    by_map = joined.pop("site")
    joined["site"] = by_map.where(by_map.notna(), joined.pop("site_of_store"))
    stated = read_stated(labels, set(joined["report_id"]))
    described: pd.DataFrame = joined.merge(stated, "left", "report_id")
    return described.sort_values("volume_id", ignore_index=True)


def _splits(
    joined: pd.DataFrame, shares: Shares, split_by: str, test_sites: Sequence[str]
) -> "pd.Series[str]":
    patients = joined["patient_id"]
    if test_sites:
        stated = sorted(joined["site"].dropna().unique())
        for site in test_sites:
            if site not in stated:
                there = (
                    ", ".join(stated[:_SHOWN_SITES])
                    or "none; name them by `prepare --site` or in the --map file"
                )
                raise InputError(f"--test-site {site}: no matched scan is of it; sites: {there}")
        return by_site(patients, joined["site"], test_sites, shares)
    if split_by == "random":
        return by_hash(patients, shares)
    return by_date(patients, joined["date"], shares)


def _count(run: Run, joined: pd.DataFrame, settled: Settled, aside: SetAside) -> None:
    """Every report and every scan is counted once: matched, alone, or ambiguous."""
    run.rejected_in_parts = aside.counts.total()
    run.counts.update(
        volumes=len(joined),
        scans=joined["scan_id"].nunique(),
        patients=joined["patient_id"].nunique(),
        reports=joined["report_id"].nunique(),
        report_only=aside.counts[RecordReason.NO_SCAN],
        reports_of_refused_scans=aside.counts[RecordReason.SCAN_REFUSED],
        scan_only=aside.counts[RecordReason.NO_REPORT],
        ambiguous_reports=len(settled.reports),
        ambiguous_scans=len(settled.scans),
    )


def _same(person: "pd.Series[str]", matched: set[str]) -> list[list[str]]:
    """The identifiers of each patient that has several and is in the cohort."""
    several = person[person.duplicated(keep=False) & person.isin(matched)]
    return [sorted(ids) for ids in several.groupby(several).groups.values()]


def _show(run: Run, joined: pd.DataFrame) -> None:
    counts = run.counts
    results.print(
        f"{counts['scans']:,} scans matched ({counts['volumes']:,} volumes, "
        f"{counts['reports']:,} reports), {counts['report_only']:,} reports without scan, "
        f"{counts['reports_of_refused_scans']:,} of scans that `prepare` refused, "
        f"{counts['scan_only']:,} scans without report, "
        f"{counts['ambiguous_scans']:,} scans and {counts['ambiguous_reports']:,} reports ambiguous"
    )
    same = run.facts["same_patients"]
    if same:
        results.print(
            f"{len(same):,} patients stand under several identifiers, for their scans are the "
            "same; each counts once (run.json, same_patients)"
        )
    table = Table("split", box=None)
    dated = joined["date"].notna().any()  # volume files have none
    for heading in ("patients", "scans", "volumes", *(_DATES if dated else ())):
        table.add_column(heading, justify="right")
    for split in Split:
        part = joined[joined["split"] == split]
        ends = [part["date"].min(), part["date"].max()] if part["date"].notna().any() else ["", ""]
        numbers = (part["patient_id"].nunique(), part["scan_id"].nunique(), len(part))
        table.add_row(split.value, *(f"{number:,}" for number in numbers), *(ends if dated else ()))
    results.print(table)
