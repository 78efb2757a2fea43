"""Whether a bundle has learnt from the scans that it is measured on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from configs import files, tables
from configs.contracts import InputError, Split
from model.bundle import Bundle
from pipelines.training.teaching import digest_of


def read_cohort(path: Path) -> pd.DataFrame:
    """A cohort's table with the columns that evaluation needs."""
    table = files.verbs_table(path, "cohort.parquet", "cohort")
    frame: pd.DataFrame = files.read_table(table, tables.COHORT.names).to_pandas()
    return frame


def learnt_rows(
    bundle: Bundle, cohort: Path, trained_on: Sequence[Path] = ()
) -> pd.DataFrame | None:
    """Cohort rows that the bundle learnt from or was chosen and calibrated on.

    Its card has the digests of its cohorts; they are looked for in `cohort` and `trained_on`.
    None where one is not found. Raises InputError for a `trained_on` that is none of them.
    """
    wanted = {v for name, v in bundle.card.sources.items() if name.endswith("cohort")}
    found = {digest_of([cohort]): cohort}
    for path in trained_on:
        digest = digest_of([path])
        if digest not in wanted:
            raise InputError(f"{path}: is not a cohort that the bundle learnt from (--trained-on)")
        found[digest] = path
    if not wanted or not wanted <= found.keys():
        return None
    frame = pd.concat([read_cohort(found[digest]) for digest in sorted(wanted)])
    return frame[frame["split"] != Split.TEST]


def refuse_learnt(learnt: pd.DataFrame, cohort: Path, tested: pd.DataFrame) -> None:
    """Raise InputError where a report or a patient was learnt from."""
    for column, what in {"report_id": "reports", "patient_id": "patients"}.items():
        both = set(tested[column]) & set(learnt[column])
        if both:
            raise InputError(
                f"{cohort}: the bundle learnt from {len(both)} {what} of the test split; "
                "measuring on them proves nothing"
            )
