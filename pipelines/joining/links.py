"""Which report is of which scan, and which of these links cannot be trusted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.contracts import RecordReason, Stage
from pipelines.joining.known_scans import KnownScans
from pipelines.joining.mapping import Mapping
from pipelines.joining.set_aside import SetAside
from pipelines.running.run import Rejected

_COLUMNS = ("report_id", "scan_id", "site")
_SHARED = "several patients share this accession number"
_CLAIMED = "several reports claim one scan; name the right one with --map"
_SCATTERED = "one report names scans of several patients"


def link(
    reports: Iterable[list[str]], known: KnownScans, mapping: Mapping | None, aside: SetAside
) -> pd.DataFrame:
    """A row a report and scan, of identifiers that come in batches; the others are set aside.

    A report names its scan, or the study that holds the scan; with a mapping, that alone decides.
    """
    rows: list[tuple[str, str, str | None]] = []
    for batch in reports:
        unknown = []
        for report in batch:
            if mapping is None:
                scans = dict.fromkeys(known.named(report))
            else:
                scans = mapping.scans.get(report, {})
            rows += ((report, scan, site) for scan, site in scans.items())
            if not scans:
                refused = known.refused(report) if mapping is None else mapping.refused.get(report)
                unknown.append((report, refused))
        aside.add(_without_scan(unknown))
    return pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)


def _without_scan(reports: Iterable[tuple[str, str | None]]) -> Iterator[Rejected]:
    """Reports, each with the reason why its scan was refused, where it was."""
    for report, refused in reports:
        reason, detail = RecordReason.NO_SCAN, "no scan is known by its name"
        if refused is not None:
            reason = RecordReason.SCAN_REFUSED
            detail = f"its scan is not in the store: {refused} (rejected.parquet of `prepare`)"
        yield Rejected(report, Stage.COHORT, reason, detail)


@dataclass(frozen=True, slots=True)
class Settled:
    """Links that can be trusted, and the scans and reports that have only others."""

    links: pd.DataFrame
    scans: dict[str, str]
    """Ambiguous ones, each with the reason."""
    reports: dict[str, str]

    def rejected(self) -> Iterator[Rejected]:
        """Scans and reports that are ambiguous."""
        for name, why in (*self.scans.items(), *self.reports.items()):
            yield Rejected(name, Stage.COHORT, RecordReason.AMBIGUOUS, why)


def settle(links: pd.DataFrame, manifest: pd.DataFrame) -> Settled:
    """Set apart the links of which nobody can say whether they are right.

    `manifest` has one `patient_id` a person. A report that is listed twice must be refused before.
    """
    owners = manifest.groupby("scan_id")["patient_id"].agg(["first", "nunique"])
    scans, reports = links["scan_id"], links["report_id"]
    patients = scans.map(owners["first"])
    doubts = {
        _SHARED: scans.map(owners["nunique"]) > 1,
        _CLAIMED: reports.groupby(scans).transform("nunique") > 1,
        _SCATTERED: patients.groupby(reports).transform("nunique") > 1,
    }
    doubt = np.select([rows.to_numpy(bool) for rows in doubts.values()], list(doubts), default="")
    trusted = links[doubt == ""]
    doubtful = links.assign(why=doubt)[doubt != ""]
    return Settled(
        trusted,
        *(
            dict(doubtful.loc[~doubtful[name].isin(trusted[name]), [name, "why"]].to_numpy())
            for name in ("scan_id", "report_id")
        ),
    )
