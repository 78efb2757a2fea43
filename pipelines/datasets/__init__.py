"""Public data sets as published: their file names, metadata, reports and labels."""

from configs.contracts import InputError
from pipelines.datasets.ct_rate import CtRate
from pipelines.datasets.dataset import Dataset
from pipelines.datasets.rad_chestct import RadChestCt

_DATASETS: dict[str, Dataset] = {"ct_rate": CtRate(), "rad_chestct": RadChestCt()}


def load_dataset(name: str) -> Dataset:
    """A data set by its name; raises InputError naming those there are."""
    if name not in _DATASETS:
        raise InputError(f"no data set {name!r}; there are {', '.join(_DATASETS)}")
    return _DATASETS[name]
