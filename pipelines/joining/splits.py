"""In which split each patient stands: at random, by date, or by site."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.contracts import InputError, Split

_ROUNDING = 1e-9
_FEW_PATIENTS = 10
"""Fewer in a split are told: of ten, the 95 % interval of a share still spans half the range."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of patients that are not for training, and which draw."""

    validation: float
    test: float
    seed: int = 0

    def asked(self, *, tests_by_site: bool) -> tuple[Split, ...]:
        """The splits that are to hold somebody."""
        shares = {
            Split.TRAIN: 1 - self.validation - self.test,
            Split.VALIDATION: self.validation,
            Split.TEST: 1.0 if tests_by_site else self.test,
        }
        return tuple(split for split, share in shares.items() if share > _ROUNDING)


def by_hash(patients: Iterable[str], shares: Shares) -> "pd.Series[str]":
    """Each patient's split from a hash of patient and seed: the same in every run and archive.

    >>> by_hash(["a patient"], Shares(validation=0.0, test=0.0))["a patient"]
    'train'
    """
    names = pd.Index(patients).unique()
    draws_n = np.array([_draw(name, shares.seed) for name in names])
    splits = np.select(
        [draws_n < shares.test, draws_n < shares.test + shares.validation],
        [Split.TEST.value, Split.VALIDATION.value],
        Split.TRAIN.value,
    )
    return pd.Series(splits, index=names, dtype=object)


def by_date(
    patients: "pd.Series[str]", dates: "pd.Series[str]", shares: Shares
) -> "pd.Series[str]":
    """The patients seen latest test, those before them validate; rows are scans, YYYYMMDD.

    A patient is as late as the latest scan, so whoever comes back is tested whole. Patients without
    a date train, for they cannot be called late. Raises InputError when nobody has one.
    """
    moments = pd.to_datetime(dates, format="%Y%m%d", errors="coerce")
    latest = moments.groupby(patients.to_numpy()).max()
    dated = pd.DataFrame({"latest": latest, "draw": [_draw(p, shares.seed) for p in latest.index]})
    dated = dated.dropna(subset="latest").sort_values(["latest", "draw"])
    if dated.empty:
        raise InputError("--split-by date: no matched scan has a date; leave it out")
    splits = pd.Series(Split.TRAIN.value, index=latest.index, dtype=object)
    tested = round(shares.test * len(dated))
    validating = min(round(shares.validation * len(dated)), len(dated) - tested)
    train_end = len(dated) - tested - validating
    splits[dated.index[train_end:]] = Split.VALIDATION.value
    splits[dated.index[train_end + validating :]] = Split.TEST.value
    return splits


def by_site(
    patients: "pd.Series[str]", sites: "pd.Series[str]", tested: Collection[str], shares: Shares
) -> "pd.Series[str]":
    """Who was ever scanned at one of these sites tests, the others at random; rows are scans."""
    splits = by_hash(patients, shares)
    splits[patients[sites.isin(list(tested)).to_numpy()].unique()] = Split.TEST.value
    return splits


def too_small(
    joined: pd.DataFrame, asked: Iterable[Split], *, by_date: bool = False
) -> Iterator[str]:
    """A sentence for each split that was asked for and is empty or of few patients."""
    remedies = _REMEDIES_BY_DATE if by_date else _REMEDIES
    patients = joined.groupby("split")["patient_id"].nunique()
    for split in asked:
        count = int(patients.get(split.value, 0))
        if count < _FEW_PATIENTS:
            patient = "patient" if count == 1 else "patients"
            yield f"{split.value} has {count or 'no'} {patient}; {remedies[split]}"


_REMEDIES = {
    Split.TRAIN: "a network cannot learn from so few: join more scans, or give smaller shares",
    Split.VALIDATION: "thresholds and calibration are set on it: give a larger --validation, "
    "another --seed, or --split-by date, which keeps shares exactly",
    Split.TEST: "no figure of so few says anything: give a larger --test, another --seed, "
    "or --split-by date, which keeps shares exactly",
}
_REMEDIES_BY_DATE = _REMEDIES | {
    Split.VALIDATION: "thresholds and calibration are set on it: give a larger --validation",
    Split.TEST: "no figure of so few says anything: give a larger --test",
}


def _draw(patient: str, seed: int) -> float:
    """A number from 0 to 1 that only patient and seed decide."""
    digest = hashlib.sha256(f"{seed}\0{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
