"""The scans of a store, and those it refused, by every name that a report may give them."""

from collections.abc import Iterator, Sequence

import pandas as pd
import pyarrow as pa

from configs.files import IdKey


class KnownScans:
    """Finds scans by accession number, study UID or file name, through the site's key."""

    def __init__(self, manifest: pd.DataFrame, refused: pa.Table, key: IdKey) -> None:
        """`refused` has the columns of `configs.tables.REFUSED`."""
        self._key = key
        self._by_pseudonym: dict[str, list[str]] = {}
        pairs = manifest[["scan_id", "study_id"]].drop_duplicates()
        for scan, study in pairs.itertuples(index=False):
            for pseudonym in {scan, study or scan}:
                self._by_pseudonym.setdefault(pseudonym, []).append(scan)
        self._refused = dict(_reasons(refused))

    def named(self, name: str) -> Sequence[str]:
        """The pseudonyms of the scan of that name, or of all scans of the study of that name."""
        return self._by_pseudonym.get(self._key.pseudonym("scan", name), ())

    def refused(self, name: str) -> str | None:
        """Why `prepare` refused the scan of that name, where it did."""
        return self._refused.get(self._key.pseudonym("scan", name))


def _reasons(refused: pa.Table) -> Iterator[tuple[str, str]]:
    for row in refused.to_pylist():
        for pseudonym in (row["scan_id"], row["study_id"]):
            if pseudonym is not None:
                yield pseudonym, row["reason"]
