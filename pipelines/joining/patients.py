"""Patients that a store holds under several identifiers."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_SAME_CHEST = ("array_sha256", "study_id")  # equal pixels; a study UID is unique in the world


def one_id_each(manifest: pd.DataFrame) -> "pd.Series[str]":
    """By `patient_id`, the first of all identifiers under which the same person is stored.

    Volumes with equal pixels, and those of one study, are of one person whatever their
    `patient_id` says: two identifiers after a merged record or a second anonymisation.
    """
    patients, patient_n = np.unique(manifest["patient_id"].to_numpy(str), return_inverse=True)
    numbers = pd.Series(patient_n)
    firsts = [
        numbers.groupby(manifest[column].to_numpy()).transform("min").fillna(numbers)
        for column in _SAME_CHEST
    ]
    ends = np.concatenate([first.to_numpy(np.int64) for first in firsts])
    starts = np.tile(patient_n, len(firsts))
    shape = (len(patients), len(patients))
    links = coo_matrix((np.ones(len(ends), np.int8), (starts, ends)), shape)
    _, person_n = connected_components(links, directed=False)
    first_ids = pd.Series(patients).groupby(person_n).transform("min")
    return pd.Series(first_ids.to_numpy(), index=pd.Index(patients, name="patient_id"))
