"""The demo's network beside two trivial readers of the same scans, on the same splits.

    python benchmarks/demo.py out/demo

A logistic regression on the global HU histogram knows how much of each density a chest holds; a
ridge regression on a 4x4x4 grid of histograms also knows roughly where. Beating the first alone
proves little. Both learn from the same labels as the network; each is measured against those
labels and against what was drawn.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import embedding_bag

from configs.contracts import Split
from model import bundle as bundles
from model.data import Part, mean_by_scan, read_labels, read_parts
from model.losses import BLANK
from model.measures import macro_auroc
from model.metrics import evaluate
from model.volumes.store import Store
from model.windows import soft_bin_table, table_rows

Scores = NDArray[np.float32]
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)


def main(out: Path) -> None:
    """Print one line a reader: macro AUROC with interval, against labels and against truth."""
    torch.set_num_threads(1)
    store = Store.open(out / "store")
    bundle = bundles.load(out / "bundle")
    names = [label.partition(":")[2] for label in bundle.labels]
    parts = {
        reference: read_parts(out / "cohort", read_labels(path)[names], store)
        for reference, path in {
            "labels": out / "labels",
            "truth": out / "truth" / "labels.parquet",
        }.items()
    }
    train, test = parts["labels"][Split.TRAIN], parts["labels"][Split.TEST]
    volumes = {part: _read(store, parts["labels"][part]) for part in (Split.TRAIN, Split.TEST)}
    readers: dict[str, Callable[[], Scores]] = {
        "logistic regression, global histogram": lambda: _global_histogram(
            train, volumes[Split.TRAIN], volumes[Split.TEST]
        ),
        "ridge regression, 4x4x4 histograms": lambda: regional_ridge(
            train, volumes[Split.TRAIN], volumes[Split.TEST]
        ),
        f"network ({bundle.network_name})": lambda: np.concatenate(
            [bundle.logits(list(chunk.numpy())) for chunk in torch.split(volumes[Split.TEST], 16)]
        ),
    }
    print(f"{len(train)} volumes to learn from, {len(test)} to test on, {len(names)} labels")
    print(f"{'macro AUROC (95 % interval)':<40}{'against truth':>22}{'against labels':>22}")
    for reader, read in readers.items():
        scores_nl = read()
        cells = [
            _cell(scores_nl, parts[reference][Split.TEST]) for reference in ("truth", "labels")
        ]
        print(f"{reader:<40}{cells[0]:>22}{cells[1]:>22}")


def _read(store: Store, part: Part) -> torch.Tensor:
    return torch.from_numpy(np.stack([store.read(volume) for volume in part.volume_ids]))


def _cell(scores_nl: Scores, part: Part) -> str:
    mean_nl, values_nl, _, patients = mean_by_scan(scores_nl, part)
    values_nl = np.where(values_nl == BLANK, 0, values_nl).astype(np.int8)
    labels = tuple(str(i) for i in range(values_nl.shape[1]))
    probability_nl = 1 / (1 + np.exp(-mean_nl.astype(np.float64)))
    area = evaluate(
        probability_nl, values_nl, patients, labels, np.full(len(labels), np.nan)
    ).macro["auroc"]
    return f"{area.value:.3f} ({area.low:.3f}-{area.high:.3f})"


def _global_histogram(train: Part, seen: torch.Tensor, unseen: torch.Tensor) -> Scores:
    """One strength for all labels, by cross-validation over patients; square-rooted shares."""
    scaler = StandardScaler()
    x = scaler.fit_transform(np.sqrt(_histograms(seen, 1)))
    x_unseen = scaler.transform(np.sqrt(_histograms(unseen, 1)))
    positive = train.values_nl == 1
    folds = list(GroupKFold(5).split(x, groups=train.patient_ids))

    def held_out(strength: float) -> float:
        scores = np.zeros(positive.shape)
        for rest, held in folds:
            scores[held] = _logistic(x[rest], positive[rest], x[held], strength)
        return macro_auroc(scores, positive.astype(np.int8))

    best = max(STRENGTHS, key=held_out)
    return _logistic(x, positive, x_unseen, best).astype(np.float32)


def _logistic(
    x: NDArray[np.floating], y: NDArray[np.bool_], new: NDArray[np.floating], strength: float
) -> NDArray[np.float64]:
    scores = np.zeros((len(new), y.shape[1]))
    for label in range(y.shape[1]):
        if 0 < y[:, label].sum() < len(y):
            model = LogisticRegression(C=strength, max_iter=2000).fit(x, y[:, label])
            scores[:, label] = model.decision_function(new)
    return scores


def regional_ridge(train: Part, seen: torch.Tensor, unseen: torch.Tensor) -> Scores:
    """Scores of unseen volumes by a ridge regression on 4x4x4 histograms of HU.

    A penalty for each label by leave-one-out; shares as they are.
    """
    x, x_unseen = _histograms(seen, 4), _histograms(unseen, 4)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.maximum(scale, np.median(scale))
    model = RidgeCV(alphas=np.logspace(1, 5, 9), alpha_per_target=True)
    model.fit((x - mean) / scale, (train.values_nl == 1).astype(float))
    scores: Scores = model.predict((x_unseen - mean) / scale).astype(np.float32)
    return scores


def _histograms(hu_nzyx: torch.Tensor, regions: int) -> NDArray[np.float64]:
    """Soft HU histograms of regions³ boxes, a row a volume."""
    z, y, x = (edge // regions for edge in hu_nzyx.shape[1:])
    split = hu_nzyx.view(-1, regions, z, regions, y, regions, x).permute(0, 1, 3, 5, 2, 4, 6)
    voxels = split.reshape(len(hu_nzyx) * regions**3, -1)
    bins = soft_bin_table()
    shares = [embedding_bag(table_rows(v), bins, mode="mean") for v in torch.split(voxels, 512)]
    return torch.cat(shares).view(len(hu_nzyx), -1).double().numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/demo"))
