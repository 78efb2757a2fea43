"""A made archive for tests: store, labels and cohort as the other verbs would leave them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from configs import files, tables
from configs.profile import Profile
from model.volumes.preprocess import PreparedVolume
from model.volumes.store import Store, VolumeIds
from model.volumes.volume import Source, Volume
from tests.model.phantom import LABELS, make_chests

PROFILE = Profile(
    name="tiny", grid_zyx=(32, 32, 32), spacing_mm_zyx=(10.0, 10.0, 10.0), margin_mm=10.0
)
AFFINE = np.diag([10.0, 10.0, 10.0, 1.0])
NAMES = ("Pleural effusion", "Lung opacity", "Cardiomegaly")  # CT-RATE's names of LABELS
assert len(NAMES) == len(LABELS)


def prepared_of(hu_zyx: np.ndarray, name: str = "1.2.3") -> PreparedVolume:
    """A prepared volume as `preprocess` would give it."""
    source = Source("test", (32, 32, 32), AFFINE, name, synthetic=True)
    volume = Volume(hu_zyx, AFFINE, name, source)
    return PreparedVolume(hu_zyx, AFFINE, PROFILE, volume)


def make_archive(root: Path, *, train: int = 60, validation: int = 30, test: int = 30) -> Path:
    """Write `root`/store, labels and cohort; returns `root`."""
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    hu_nzyx, values_nl = make_chests(len(splits))
    ids = [f"{i:03d}" for i in range(len(splits))]
    with Store.create(root / "store", PROFILE) as store:
        for name, hu_zyx in zip(ids, hu_nzyx, strict=True):
            store.add(
                prepared_of(hu_zyx, f"volume{name}"),
                VolumeIds(f"volume{name}", f"scan{name}", f"study{name}", f"patient{name}"),
            )
    labels = pd.DataFrame({"report_id": [f"report{i}" for i in ids]})
    for column, name in enumerate(NAMES):
        labels[name] = values_nl[:, column]
    write_labels(root / "labels", labels)
    cohort = pd.DataFrame({"volume_id": [f"volume{i}" for i in ids]})
    for column in ("scan", "patient", "report"):
        cohort[f"{column}_id"] = [f"{column}{i}" for i in ids]
    cohort["split"] = splits
    write_cohort(root / "cohort", cohort)
    return root


def write_labels(folder: Path, frame: pd.DataFrame) -> None:
    """Write `labels.parquet` as `chestct label` does."""
    schema = tables.labels_schema([name for name in frame.columns if name != "report_id"])
    files.write_table(
        folder / "labels.parquet",
        pa.Table.from_pandas(frame, schema=schema, preserve_index=False),
    )
    files.write_json(folder / "run.json", {"verb": "label"})


def write_cohort(folder: Path, frame: pd.DataFrame) -> None:
    """Write `cohort.parquet` as `chestct cohort` does."""
    files.write_table(
        folder / "cohort.parquet",
        pa.Table.from_pandas(frame, schema=tables.COHORT, preserve_index=False),
    )
    files.write_json(folder / "run.json", {"verb": "cohort"})
