"""What a label that is neither 1 nor 0 should teach: policies side by side on a demo's archive.

    python benchmarks/policies.py out/demo [EPOCHS]     default: 6

Every policy trains the demo's network from the same start with the same scans; each is measured on
the test patients by what was drawn, as macro AUROC with a 95 % interval over patients. Masking
blanks leaves out labels that are then never seen absent; `labels` counts those that were learnt.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from configs.contracts import Split
from configs.training import RECIPES, LabelPolicy, load_train
from model.data import mean_by_scan, read_labels, read_parts
from model.losses import targets_of
from model.metrics import evaluate
from model.training import fit
from model.volumes.store import Store

POLICIES = {
    "blank absent, weight 1": LabelPolicy(blank_weight=1.0),
    "blank absent, weight .75": LabelPolicy(blank_weight=0.75),
    "blank absent, weight .5": LabelPolicy(blank_weight=0.5),
    "blank weight chosen on validation": LabelPolicy(),
    "blank masked": LabelPolicy(blank_weight=0.0),
    "uncertain as 1/2, weight .5": LabelPolicy(uncertain_weight=0.5),
    "uncertain as present, weight .5": LabelPolicy(uncertain_weight=0.5, uncertain_target=1.0),
}


def main(out: Path, epochs: int) -> None:
    """Print a line a policy."""
    store = Store.open(out / "store")
    recipe = load_train(RECIPES / "demo.yaml", {"epochs": epochs, "max_minutes": None})
    labels = read_labels(out / "labels")
    taught = read_parts(out / "cohort", labels, store)
    test = read_parts(out / "cohort", _truth(out, labels), store)[Split.TEST]
    print(f"{len(taught[Split.TRAIN])} volumes to learn from, {epochs} epochs")
    print(f"{'policy':<36}{'labels':>7}{'blank':>7}  macro AUROC against truth")
    for name, policy in POLICIES.items():
        targets = targets_of(taught[Split.TRAIN].values_nl, policy)
        known = targets.weight_nl > 0
        present = (known & (targets.target_nl > 0.5)).any(axis=0)
        absent = (known & (targets.target_nl < 0.5)).any(axis=0)
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit(
                recipe.model_copy(update={"labels": policy}),
                store.profile,
                taught[Split.TRAIN],
                taught[Split.VALIDATION],
                store.read,
                resume_folder=Path(folder),
            )
        scores = _scores(fitted.network, store, test.volume_ids)
        scan_scores, values, _, patients = mean_by_scan(scores, test)
        thresholds = np.full(len(labels.columns), np.nan)
        found = evaluate(
            1 / (1 + np.exp(-scan_scores.astype(np.float64))),
            values,
            patients,
            tuple(labels.columns),
            thresholds,
        ).macro["auroc"]
        figure = f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"
        print(f"{name:<36}{int((present & absent).sum()):>7}{fitted.blank_weight:>7.2f}  {figure}")


def _truth(out: Path, labels: pd.DataFrame) -> pd.DataFrame:
    drawn = read_labels(out / "truth" / "labels.parquet")
    return drawn[list(labels.columns)]


def _scores(network: nn.Module, store: Store, volume_ids: list[str]) -> NDArray[np.float32]:
    with torch.inference_mode():
        batches = [
            network(torch.from_numpy(np.stack([store.read(v) for v in volume_ids[i : i + 16]])))
            for i in range(0, len(volume_ids), 16)
        ]
    return torch.cat(batches).numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 6)
