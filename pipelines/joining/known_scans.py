"""The scans of a store by every name that a report may give them."""

from collections.abc import Sequence

import pandas as pd

from configs.files import IdKey


class KnownScans:
    """Finds scans by accession number, study UID or file name, through the site's key."""

    def __init__(self, manifest: pd.DataFrame, key: IdKey) -> None:
        self._key = key
        self._by_pseudonym: dict[str, list[str]] = {}
        pairs = manifest[["scan_id", "study_id"]].drop_duplicates()
        for scan, study in pairs.itertuples(index=False):
            for pseudonym in {scan, study or scan}:
                self._by_pseudonym.setdefault(pseudonym, []).append(scan)

    def named(self, name: str) -> Sequence[str]:
        """The pseudonyms of the scan of that name, or of all scans of the study of that name."""
        return self._by_pseudonym.get(self._key.pseudonym("scan", name), ())
