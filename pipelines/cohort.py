"""`chestct cohort`: who belongs to whom, and in which split each patient stands."""

import hashlib
from pathlib import Path
from typing import Annotated

import pandas as pd
import pyarrow as pa
from cyclopts import Parameter

from configs import files, tables
from configs.contracts import InputError, RecordReason, Split, Stage
from model.volumes.store import Store
from pipelines.running.progress import results
from pipelines.running.run import Run


def cohort(
    labels: Path,
    store: Path,
    *,
    out: Path,
    map_file: Annotated[Path | None, Parameter(name="--map")] = None,
    id_key: Path | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    quiet: bool = False,
) -> pd.DataFrame:
    """Join reports and scans through the site's key, and split by patient.

    A report belongs to a scan when its id is the scan's accession number or study UID (a file's
    name without endings for scans that are not DICOM). A patient's split follows from the
    patient and the seed alone, so that it never changes when the archive grows.

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
        whose reports carry other ids.
    id_key
        The site's key file; default: id.key in the store.
    validation
        Share of patients in the validation split.
    test
        Share of patients in the test split.
    seed
        Another seed draws other splits.
    quiet
        Print nothing.
    """
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise InputError(
            f"--validation {validation} and --test {test}: shares of patients, together below 1"
        )
    key = files.IdKey.open(id_key or store / "id.key")
    inputs = {"labels": labels, "store": store} | ({"map": map_file} if map_file else {})
    config = {"validation": validation, "test": test, "seed": seed}
    with Run("cohort", out, inputs, config) as run:
        manifest = Store.open(store).manifest
        reports = _read_report_ids(labels)
        scan_names = _read_map(map_file) if map_file else None
        links = _link(reports, manifest, key, scan_names)
        _reject_unmatched(run, reports, manifest, links)
        joined = _join(links, manifest, validation, test, seed)
        if joined.empty:
            raise InputError(
                f"{labels} and {store}: no report belongs to a scan. Are the report ids accession "
                "numbers or study UIDs? Else name their scans with --map"
            )
        files.write_table(
            out / "cohort.parquet",
            pa.Table.from_pandas(joined, schema=tables.COHORT, preserve_index=False),
        )
        run.counts.update(volumes=len(joined), reports=joined["report_id"].nunique())
    if not quiet:
        _print_summary(run, joined)
    return joined


def _read_report_ids(labels: Path) -> pd.Series:
    path = files.finished_table(labels, "labels.parquet")
    ids: pd.Series[str] = (
        files.read_table(path, ["report_id"]).column("report_id").to_pandas().astype(str)
    )
    if ids.empty:
        raise InputError(f"{path}: holds no report")
    return ids


def _read_map(path: Path) -> dict[str, str]:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"{path}: not a CSV file ({files.first_line(error)})") from None
    if not {"report_id", "scan"} <= set(frame.columns):
        raise InputError(f"{path}: needs the columns report_id and scan")
    repeated = frame["report_id"].duplicated().to_numpy()
    if repeated.any():
        row = repeated.argmax() + 2  # the header is row 1
        raise InputError(f"{path}: row {row} names a report a second time; keep one row a report")
    return dict(zip(frame["report_id"], frame["scan"], strict=True))


def _link(
    reports: pd.Series, manifest: pd.DataFrame, key: files.IdKey, scan_names: dict[str, str] | None
) -> pd.DataFrame:
    """One row a (report, scan) pair: a report names its scan, or the study that holds the scan."""
    names = reports if scan_names is None else reports.map(scan_names.get).dropna()
    named = pd.DataFrame(
        {"report_id": reports[names.index], "name": [key.pseudonym("scan", n) for n in names]}
    )
    scans = manifest[["scan_id", "study_id"]].drop_duplicates()
    pairs = [
        named.merge(scans[["scan_id"]].drop_duplicates(), left_on="name", right_on="scan_id"),
        named.merge(scans, left_on="name", right_on="study_id"),
    ]
    return pd.concat(pairs)[["report_id", "scan_id"]].drop_duplicates(ignore_index=True)


def _reject_unmatched(
    run: Run, reports: pd.Series, manifest: pd.DataFrame, links: pd.DataFrame
) -> None:
    """Set aside what has no partner, and scans that two reports claim: neither can be trusted."""
    for report in reports[~reports.isin(links["report_id"])]:
        run.reject(report, Stage.COHORT, RecordReason.NO_SCAN, "no scan carries this id")
        run.counts["report_only"] += 1
    scans = manifest["scan_id"].drop_duplicates()
    for scan in scans[~scans.isin(links["scan_id"])]:
        run.reject(scan, Stage.COHORT, RecordReason.NO_REPORT, "no report carries this id")
        run.counts["scan_only"] += 1
    claims = links["scan_id"].value_counts()
    for scan in claims[claims > 1].index:
        detail = f"{claims[scan]} reports claim this scan; name the right one with --map"
        run.reject(scan, Stage.COHORT, RecordReason.AMBIGUOUS, detail)
        run.counts["ambiguous"] += 1


def _join(
    links: pd.DataFrame, manifest: pd.DataFrame, validation: float, test: float, seed: int
) -> pd.DataFrame:
    unique = links[~links["scan_id"].duplicated(keep=False)]
    joined = manifest[["volume_id", "scan_id", "patient_id"]].merge(unique, on="scan_id")
    joined["split"] = [split_of(p, validation, test, seed) for p in joined["patient_id"]]
    ordered: pd.DataFrame = joined[tables.COHORT.names].sort_values("volume_id", ignore_index=True)
    return ordered


def split_of(patient_id: str, validation: float, test: float, seed: int = 0) -> Split:
    """A patient's split, from a hash of patient and seed: the same in every run and archive.

    >>> split_of("a patient", validation=0.0, test=0.0).value
    'train'
    """
    digest = hashlib.sha256(f"{seed}\0{patient_id}".encode()).digest()
    draw = int.from_bytes(digest[:8], "big") / 2**64
    if draw < test:
        return Split.TEST
    return Split.VALIDATION if draw < test + validation else Split.TRAIN


def _print_summary(run: Run, joined: pd.DataFrame) -> None:
    results.print(
        f"{joined['scan_id'].nunique()} scans matched ({len(joined)} volumes), "
        f"{run.counts['report_only']} reports without scan, "
        f"{run.counts['scan_only']} scans without report, {run.counts['ambiguous']} ambiguous"
    )
    for split in Split:
        part = joined[joined["split"] == split]
        results.print(
            f"  {split.value:<11}{part['patient_id'].nunique():>6} patients{len(part):>7} volumes"
        )
